//! Jobs: created, listed, looked at, cancelled, tried again.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use shared::store::{JobVerdict, Listener, Wake};

use super::harness::{Server, TestResult, json as body, problem, url_of};

const KEY: &str = "coinmarketcap:/v3/cryptocurrency/quotes/latest?id=1";

fn refresh(id: u32) -> Value {
    json!({
        "kind": "refresh",
        "resource": format!("coinmarketcap:/v3/cryptocurrency/quotes/latest?id={id}"),
    })
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_refresh_is_enqueued_once_and_asking_again_makes_it_more_urgent(
    pool: sqlx::PgPool,
) -> TestResult {
    let server = Server::start(&pool).await;

    let created = server.post("/api/jobs", refresh(1)).await;

    let place = created.headers()["location"].to_str()?.to_owned();
    let job = body(created, 202).await;
    assert_eq!(place, format!("/api/jobs/{}", job["id"].as_str().unwrap()));
    assert_eq!(job["resource"], KEY);
    assert_eq!(
        (
            &job["status"],
            &job["waiting"],
            &job["priority"],
            &job["is_new"]
        ),
        (&json!("pending"), &json!("due"), &json!(20), &json!(true))
    );
    // Another spelling of the same question.
    let urgent = json!({
        "kind": "refresh", "priority": 3,
        "resource": "coinmarketcap.quotes_latest?convert=USD&id=1",
    });
    let again = body(server.post("/api/jobs", urgent).await, 200).await;
    assert_eq!((&again["id"], &again["priority"]), (&job["id"], &json!(3)));
    assert_eq!(server.live_jobs().await, 1);
    assert_eq!(server.shown(&place).await["priority"], 3);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_job_for_a_closed_lane_is_answered_with_that(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    let wanted = || {
        json!([
            {"kind": "noop", "args": {}},
            {"kind": "noop", "args": {}, "run_at": "2099-01-01T00:00:00Z"},
            refresh(1),
        ])
    };
    for (what, expected) in [
        ("close", ["lane_closed", "lane_closed", "due"]),
        ("open", ["due", "scheduled", "due"]),
    ] {
        let lane = server.post(&format!("/api/lanes/local/{what}"), "").await;
        body(lane, 200).await;

        let jobs = body(server.post("/api/jobs", wanted()).await, 202).await;
        let one = body(server.post("/api/jobs", wanted()[0].clone()).await, 202).await;

        let waiting = [0, 1, 2].map(|nth| jobs[nth]["waiting"].clone());
        assert_eq!(waiting, expected);
        assert_eq!(one["waiting"], expected[0]);
    }
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn an_array_is_answered_in_its_order(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    body(server.post("/api/jobs", refresh(7)).await, 202).await;
    let wanted = json!([refresh(9), {"kind": "noop", "args": {"n": 1}}, refresh(7), refresh(8)]);

    let jobs = body(server.post("/api/jobs", wanted).await, 202).await;

    let fields = |name: &str| -> Vec<Value> {
        let jobs = jobs.as_array().unwrap();
        jobs.iter().map(|job| job[name].clone()).collect()
    };
    assert_eq!(fields("is_new"), [true, true, false, true].map(Value::from));
    let key = |id| refresh(id)["resource"].clone();
    assert_eq!(fields("resource"), [key(9), Value::Null, key(7), key(8)]);
    assert_eq!(jobs[1]["args"], json!({"n": 1}));
    assert_eq!(jobs[1]["lane"], "local");
    let known = body(server.post("/api/jobs", json!([refresh(7)])).await, 200).await;
    assert_eq!(known[0]["is_new"], false);
    assert_eq!(
        body(server.post("/api/jobs", "[]").await, 200).await,
        json!([])
    );
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_job_says_when_and_how_often_it_may_run(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    let later = json!({
        "kind": "noop", "run_at": "2999-01-01T01:00:00+01:00", "priority": 32767, "max_attempts": 1000,
    });
    let job = body(server.post("/api/jobs", later).await, 202).await;
    assert_eq!(job["run_at"], "2999-01-01T00:00:00Z");
    assert_eq!(
        (&job["waiting"], &job["priority"], &job["max_attempts"]),
        (&json!("scheduled"), &json!(32767), &json!(1000))
    );
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn enqueuing_is_announced_after_the_commit(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    let wake = Wake::default();
    Listener::start(&url_of(&pool), &wake, &server.stop)?;
    // The first wake is that of the connection itself.
    tokio::time::timeout(Duration::from_secs(5), wake.jobs()).await?;

    body(server.post("/api/jobs", refresh(1)).await, 202).await;

    tokio::time::timeout(Duration::from_secs(5), wake.jobs()).await?;
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn jobs_are_listed_a_page_at_a_time_newest_first(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    let jobs: Vec<Value> = (1..=5).map(refresh).collect();
    body(server.post("/api/jobs", json!(jobs)).await, 202).await;
    body(server.post("/api/jobs", json!({"kind": "noop"})).await, 202).await;

    let (mut ids, mut path) = (Vec::new(), "/api/jobs?kind=refresh&limit=2".to_owned());
    for left in [2, 1, 0] {
        let page = server.shown(&path).await;
        for job in page["jobs"].as_array().unwrap() {
            ids.push(job["id"].as_str().unwrap().to_owned());
        }
        assert_eq!(page["next"].is_null(), left == 0, "{page}");
        let cursor = page["next"].as_str().unwrap_or_default();
        path = format!("/api/jobs?kind=refresh&limit=2&cursor={cursor}");
    }
    let mut sorted = ids.clone();
    sorted.sort_by(|a, b| b.cmp(a));
    sorted.dedup();
    assert_eq!((ids.len(), &ids), (5, &sorted));

    let shown = server.shown("/api/jobs?lane=local&status=pending").await;
    assert_eq!(shown["jobs"].as_array().unwrap().len(), 1);
    for bad in [
        "status=done",
        "limit=0",
        "limit=501",
        "limit=x",
        "cursor=zz",
        "cursor=00",
        "cursor=4",
        "lane=a%00",
        "colour=red",
        "kind=a&kind=b",
    ] {
        let refused = server.operator(Method::GET, &format!("/api/jobs?{bad}"));
        let (name, _) = problem(refused.send().await?, 422).await;
        assert_eq!(name, "invalid-parameter", "{bad}");
    }
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn jobs_are_cancelled_and_tried_again(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    let job = body(server.post("/api/jobs", refresh(1)).await, 202).await;
    let path = format!("/api/jobs/{}", job["id"].as_str().unwrap());
    let act = async |what: &str| server.post(&format!("{path}/{what}"), "").await;

    let (name, detail) = problem(act("retry").await, 409).await;
    assert_eq!(name, "wrong-status");
    assert!(detail.contains("pending"), "{detail}");
    assert_eq!(body(act("cancel").await, 200).await["status"], "cancelled");
    problem(act("cancel").await, 409).await;
    assert_eq!(body(act("retry").await, 200).await["status"], "pending");

    let call = server.until_admitted().await;
    let asked = body(act("cancel").await, 202).await;
    assert_eq!(
        (&asked["status"], &asked["cancel_requested"]),
        (&json!("running"), &json!(true))
    );
    let failed = JobVerdict::Fail {
        error: "malformed: html".to_owned(),
    };
    server.record(&call, &failed, |_| false).await;
    let ended = server.shown(&path).await;
    assert!(ended["completed_at"].is_string(), "{ended}");
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_failed_refresh_shows_its_error_and_yields_to_a_newer_job(
    pool: sqlx::PgPool,
) -> TestResult {
    let server = Server::start(&pool).await;
    let job = body(server.post("/api/jobs", refresh(1)).await, 202).await;
    let path = format!("/api/jobs/{}", job["id"].as_str().unwrap());
    let call = server.until_admitted().await;
    let failed = JobVerdict::Fail {
        error: "malformed: html".to_owned(),
    };
    server.record(&call, &failed, |_| false).await;
    let shown = server.shown(&path).await;
    assert_eq!(shown["status"], "failed");
    assert_eq!(shown["errors"][0]["error"], "malformed: html");

    body(server.post("/api/jobs", refresh(1)).await, 202).await;
    let refused = server.post(&format!("{path}/retry"), "").await;
    let (_, detail) = problem(refused, 409).await;
    assert!(detail.contains("another job"), "{detail}");
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn what_is_no_job_is_not_found(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    for id in ["x", "%00", "018f0000-0000-7000-8000-000000000000"] {
        for (method, tail) in [
            (Method::GET, ""),
            (Method::POST, "/retry"),
            (Method::POST, "/cancel"),
        ] {
            let asked = server.operator(method, &format!("/api/jobs/{id}{tail}"));
            let (name, _) = problem(asked.send().await?, 404).await;
            assert_eq!(name, "no-such-job", "{id}{tail}");
        }
    }
    Ok(())
}
