//! What a handler cannot do to its worker.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;
use shared::model::JobStatus;
use sqlx::PgPool;
use tokio::sync::Notify;
use worker::{Handler, HandlerContext, Handlers, Outcome};

use crate::rig::PATIENCE;

use super::{ended, enqueue, errors, setup, start, until};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Misdeed {
    Panic(String),
    PanicWhenDropped,
    Hang,
    NulInError,
    WaitForEver,
}

/// Does what its job says.
struct Misbehaving {
    dropped: Arc<Notify>,
}

struct OnDrop(Arc<Notify>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

struct PanicOnDrop;

impl Drop for PanicOnDrop {
    fn drop(&mut self) {
        panic!("in drop");
    }
}

impl Handler for Misbehaving {
    const KIND: &'static str = "misbehaving";
    type Args = Misdeed;

    async fn run(&self, args: Misdeed, _context: HandlerContext) -> Outcome {
        match args {
            Misdeed::Panic(words) => panic!("{words}"),
            Misdeed::PanicWhenDropped => {
                let _held = PanicOnDrop;
                Outcome::Done
            }
            Misdeed::Hang => {
                let _held = OnDrop(Arc::clone(&self.dropped));
                std::future::pending().await
            }
            Misdeed::NulInError => Outcome::fail("a\0b"),
            Misdeed::WaitForEver => Outcome::Retry {
                after: Some(std::time::Duration::MAX),
                error: "later".to_owned(),
            },
        }
    }
}

fn misbehaving() -> (Handlers, Arc<Notify>) {
    let dropped = Arc::new(Notify::new());
    let handler = Misbehaving {
        dropped: Arc::clone(&dropped),
    };
    (Handlers::shipped().with(handler), dropped)
}

/// Waits until a handler that hangs is dropped.
async fn is_dropped(dropped: &Notify) {
    let dropped = tokio::time::timeout(PATIENCE, dropped.notified()).await;
    dropped.expect("it is never dropped");
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn repeated_panics_end_as_failed_with_what_each_said(pool: PgPool) {
    let worker = start(&pool, &setup("", &[]), misbehaving().0);
    let id = enqueue(&pool, "misbehaving", json!({"panic": "ouch"}), 3).await;
    let in_drop = enqueue(&pool, "misbehaving", json!("panic_when_dropped"), 1).await;

    let job = ended(&pool, id).await;
    let other = ended(&pool, in_drop).await;

    assert_eq!((job.status, job.attempt), (JobStatus::Failed, 3));
    assert_eq!(errors(&job), ["panic: ouch"; 3]);
    assert_eq!(errors(&other), ["panic: in drop"]);
    worker.stop().await;
}

/// The lease is shorter than the run, so it must have been renewed: a job that is
/// rescued says so.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_handler_that_never_returns_is_dropped_at_its_deadline_and_tried_again(pool: PgPool) {
    let (handlers, dropped) = misbehaving();
    let setup = setup(
        "",
        &[
            ("LARDER__WORKER__HANDLER_TIMEOUT", "3s"),
            ("LARDER__WORKER__LEASE", "2s"),
            ("LARDER__WORKER__CALL_TIMEOUT", "1s"),
            ("LARDER__WORKER__CONNECT_TIMEOUT", "1s"),
        ],
    );
    let worker = start(&pool, &setup, handlers);
    let id = enqueue(&pool, "misbehaving", json!("hang"), 2).await;

    is_dropped(&dropped).await;
    let once = until(&pool, id, |job| !errors(job).is_empty()).await;
    assert_eq!(errors(&once), ["deadline: it had not ended after 3s"]);
    assert!(!once.status.is_final(), "{once:?}");
    let job = ended(&pool, id).await;

    assert_eq!(
        (job.status, job.attempt, job.rescues),
        (JobStatus::Failed, 2, 0)
    );
    assert_eq!(errors(&job).len(), 2);
    worker.stop().await;
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn what_postgres_cannot_keep_spoils_no_other_outcome(pool: PgPool) {
    let worker = start(&pool, &setup("", &[]), misbehaving().0);
    let nul = enqueue(&pool, "misbehaving", json!("nul_in_error"), 1).await;
    let never = enqueue(&pool, "misbehaving", json!("wait_for_ever"), 2).await;
    let good = enqueue(&pool, "noop", json!({}), 1).await;

    assert_eq!(errors(&ended(&pool, nul).await), ["a\u{fffd}b"]);
    assert_eq!(ended(&pool, good).await.status, JobStatus::Completed);
    let waiting = until(&pool, never, |job| !errors(job).is_empty()).await;
    assert_eq!(waiting.status, JobStatus::Pending);
    worker.stop().await;
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn args_that_no_longer_parse_fail_the_job_for_good_in_words(pool: PgPool) {
    let worker = start(&pool, &setup("", &[]), Handlers::shipped());
    let id = enqueue(
        &pool,
        "webhook",
        json!({"target": "app", "resource": "a"}),
        5,
    )
    .await;

    let job = ended(&pool, id).await;

    assert_eq!((job.status, job.attempt), (JobStatus::Failed, 1));
    let said = &errors(&job)[0];
    assert!(said.starts_with("args: resource: unknown field"), "{said}");
    worker.stop().await;
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_worker_that_stops_gives_its_handlers_jobs_back(pool: PgPool) {
    let (handlers, dropped) = misbehaving();
    let worker = start(&pool, &setup("", &[]), handlers);
    let id = enqueue(&pool, "misbehaving", json!("hang"), 1).await;
    until(&pool, id, |job| job.status == JobStatus::Running).await;

    worker.stop().await;

    is_dropped(&dropped).await;
    let job = until(&pool, id, |job| job.status == JobStatus::Pending).await;
    assert_eq!((job.attempt, errors(&job).len()), (0, 0));
}
