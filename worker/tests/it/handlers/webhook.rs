//! The kind `webhook` against a real receiver.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use serde_json::{Value, json};
use shared::model::JobStatus;
use shared::setup::Setup;
use sqlx::PgPool;
use worker::{Handlers, Worker, WorkerOptions};

use super::logs::Logs;
use super::receiver::Receiver;
use super::signed::is_signed;
use super::{ended, enqueue, errors, setup, start, until};

/// 24 bytes in base64, as the convention writes secrets.
const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1u";
const KEY: &[u8] = b"0123456789abcdefghijklmn";

const RESOURCE: &str = "coinmarketcap:/v1/global-metrics/quotes/latest";

fn told_to(receiver: &Receiver) -> Setup {
    setup(&receiver.section(), &[("APP_SECRET", SECRET)])
}

fn args() -> Value {
    json!({"target": "app", "resources": [RESOURCE], "data": {"n": 1}})
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_message_is_signed_and_its_id_is_the_same_in_every_attempt(pool: PgPool) {
    let receiver = Receiver::answering(&[503, 429, 200]).await;
    let worker = start(&pool, &told_to(&receiver), Handlers::shipped());
    let id = enqueue(&pool, "webhook", args(), 5).await;

    let job = ended(&pool, id).await;

    assert_eq!(job.status, JobStatus::Completed, "{:?}", errors(&job));
    assert_eq!(errors(&job), ["it answered 503", "it answered 429"]);
    let messages = receiver.messages();
    assert_eq!(messages.len(), 3);
    for (attempt, message) in (1..).zip(&messages) {
        assert_eq!(message.path, "/hook?from=larder");
        assert!(is_signed(message, KEY), "{message:?}");
        assert!(!is_signed(message, &[0; 24]));
        assert_eq!(message.header("webhook-id"), id.to_string());
        assert_eq!(message.header("content-type"), "application/json");
        let expected = json!({
            "id": id.to_string(), "event": "resources.changed", "target": "app",
            "resources": [RESOURCE], "attempt": attempt, "data": {"n": 1},
        });
        assert_eq!(message.json(), expected);
    }
    let at = messages[2].header("webhook-timestamp").parse::<i64>();
    assert_eq!(at.unwrap(), job.started_at.unwrap().timestamp());
    worker.stop().await;
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn each_answer_has_its_outcome(pool: PgPool) {
    let one_answer = |status: &'static [u16]| {
        let pool = pool.clone();
        async move {
            let receiver = Receiver::answering(status).await;
            let worker = start(&pool, &told_to(&receiver), Handlers::shipped());
            let id = enqueue(&pool, "webhook", args(), 2).await;
            let job = ended(&pool, id).await;
            worker.stop().await;
            (job.status, receiver.messages().len())
        }
    };
    for status in [&[200], &[204]] {
        assert_eq!(
            one_answer(status).await,
            (JobStatus::Completed, 1),
            "{status:?}"
        );
    }
    for status in [&[400], &[401], &[404], &[410], &[304]] {
        assert_eq!(
            one_answer(status).await,
            (JobStatus::Failed, 1),
            "{status:?}"
        );
    }
    for status in [&[408], &[425], &[429], &[500], &[503]] {
        assert_eq!(
            one_answer(status).await,
            (JobStatus::Failed, 2),
            "{status:?}"
        );
    }
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_redirect_is_not_followed(pool: PgPool) {
    let elsewhere = Receiver::answering(&[200]).await;
    let to = format!("{}/stolen", elsewhere.base);
    let receiver = Receiver::start(move |_| Redirect::temporary(&to).into_response()).await;
    let worker = start(&pool, &told_to(&receiver), Handlers::shipped());
    let id = enqueue(&pool, "webhook", args(), 5).await;

    let job = ended(&pool, id).await;

    assert_eq!(
        errors(&job),
        ["it answered 307: redirects are not followed"]
    );
    assert_eq!(elsewhere.messages().len(), 0);
    worker.stop().await;
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn retry_after_is_honoured_and_clamped(pool: PgPool) {
    let receiver = Receiver::start(|_| {
        let years = [("retry-after", "999999999")];
        (StatusCode::SERVICE_UNAVAILABLE, years).into_response()
    })
    .await;
    let worker = start(&pool, &told_to(&receiver), Handlers::shipped());
    let id = enqueue(&pool, "webhook", args(), 5).await;

    let job = until(&pool, id, |job| !errors(job).is_empty()).await;

    let wait = job.run_at - job.started_at.unwrap();
    assert!((3_600..3_630).contains(&wait.num_seconds()), "{wait}");
    worker.stop().await;
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_target_that_is_away_or_silent_is_tried_again(pool: PgPool) {
    // Accepts connections by its backlog, and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = {
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        gone.local_addr().unwrap()
    };
    let section = format!(
        "[webhooks.silent]\nurl = 'http://{}/'\nsecret_env = 'APP_SECRET'\ntimeout = '200ms'\n\
         [webhooks.closed]\nurl = 'http://{closed}/'\nsecret_env = 'APP_SECRET'\n",
        silent.local_addr().unwrap(),
    );
    let setup = setup(&section, &[("APP_SECRET", SECRET)]);
    let worker = start(&pool, &setup, Handlers::shipped());
    for (target, said) in [
        ("silent", "no answer in time"),
        ("closed", "cannot connect"),
    ] {
        let args = json!({"target": target, "resources": []});
        let id = enqueue(&pool, "webhook", args, 2).await;
        let found = errors(&ended(&pool, id).await);
        assert_eq!(found.len(), 2);
        assert!(found[0].starts_with(said), "{found:?}");
        assert!(!found[0].contains("http://"), "{found:?}");
    }
    worker.stop().await;
}

/// A body that never ends costs the connection, and neither memory nor the outcome.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn an_endless_body_changes_no_outcome(pool: PgPool) {
    let receiver = Receiver::start(|_| {
        let chunks = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b'x'; 4_096]));
        axum::body::Body::from_stream(chunks).into_response()
    })
    .await;
    let worker = start(&pool, &told_to(&receiver), Handlers::shipped());
    let id = enqueue(&pool, "webhook", args(), 1).await;

    assert_eq!(ended(&pool, id).await.status, JobStatus::Completed);
    worker.stop().await;
}

/// Another worker may have been restarted with a configuration that has it.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_target_that_this_worker_does_not_know_is_tried_again_later(pool: PgPool) {
    let worker = start(&pool, &setup("", &[]), Handlers::shipped());
    let waits = enqueue(&pool, "webhook", args(), 2).await;
    let ends = enqueue(&pool, "webhook", args(), 1).await;

    let said = ["there is no webhook app in this worker's configuration"];
    let job = until(&pool, waits, |job| !errors(job).is_empty()).await;
    assert_eq!(
        (job.status, errors(&job)),
        (JobStatus::Pending, said.map(str::to_owned).to_vec())
    );
    assert_eq!(ended(&pool, ends).await.status, JobStatus::Failed);
    worker.stop().await;
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_secret_is_in_no_log_and_in_no_row(pool: PgPool) {
    let logs = Logs::kept();
    let receiver = Receiver::answering(&[500, 401]).await;
    let setup = told_to(&receiver);
    let worker = start(&pool, &setup, Handlers::shipped());
    let id = enqueue(&pool, "webhook", args(), 5).await;
    assert_eq!(ended(&pool, id).await.status, JobStatus::Failed);
    worker.stop().await;

    let rows: Vec<String> = sqlx::query_scalar(
        "select j::text from larder.jobs j union all select f::text from larder.finished_jobs f",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    let logged = logs.text();
    assert!(logged.contains(&id.to_string()), "premise: it was logged");
    assert!(
        rows.concat().contains(&id.to_string()),
        "premise: it is in a row"
    );
    let shown = format!("{setup:?}");
    let signature = receiver.messages()[0]
        .header("webhook-signature")
        .to_owned();
    for secret in [
        &SECRET["whsec_".len()..],
        std::str::from_utf8(KEY).unwrap(),
        &signature,
    ] {
        assert!(!rows.concat().contains(secret), "in a row");
        assert!(!shown.contains(secret), "in Debug");
        let line = logged.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "in a log");
    }
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn two_workers_run_each_job_once(pool: PgPool) {
    let receiver = Receiver::answering(&[200]).await;
    let setup = told_to(&receiver);
    let workers = [(); 2].map(|()| start(&pool, &setup, Handlers::shipped()));
    let mut jobs = Vec::new();
    for _ in 0..40 {
        jobs.push(enqueue(&pool, "webhook", args(), 5).await);
    }

    for id in &jobs {
        let job = ended(&pool, *id).await;
        assert_eq!((job.status, job.attempt), (JobStatus::Completed, 1));
    }
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for message in receiver.messages() {
        *times
            .entry(message.header("webhook-id").to_owned())
            .or_default() += 1;
    }
    assert_eq!(times.len(), jobs.len());
    assert!(times.values().all(|times| *times == 1), "{times:?}");
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test]
async fn a_worker_without_a_webhooks_secret_does_not_start() {
    let section = "[webhooks.app]\nurl = 'https://app.example.com'\nsecret_env = 'APP_SECRET'\n";
    for (secret, said) in [
        ("", "APP_SECRET must be set, or APP_SECRET_FILE"),
        ("hunter2", "APP_SECRET must have at least 24 bytes"),
        ("whsec_hunter2", "APP_SECRET must be base64 after whsec_"),
    ] {
        let setup = setup(section, &[("APP_SECRET", secret)]);
        let options = WorkerOptions {
            catalog: setup.catalog,
            secrets: setup.secrets,
            database_url: "postgres://larder@127.0.0.1:1/larder".to_owned(),
            listen_url: None,
            handlers: Handlers::shipped(),
        };
        let refused = Worker::start(options).err().unwrap().to_string();
        assert!(refused.starts_with(said), "{refused}");
        assert!(!refused.contains("hunter2"), "{refused}");
    }
}
