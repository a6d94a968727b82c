//! What goes wrong with one call, and what that means for its cost and its job.
//!
//! Each test first fetches a good answer, so that it can be seen to survive.

use sandbox::{CreditReport, RetryAfter, Trouble, TroubleKind};
use shared::model::JobId;
use sqlx::PgPool;

use crate::rig::{QUOTES, Rig, Setting};
use crate::rows::{Call, Job, Lane, calls, ended, job, lane, number, settled};

/// What is left after a good call and a bad one.
pub(crate) struct Left {
    pub(crate) rig: Rig,
    pub(crate) call: Call,
    pub(crate) id: JobId,
    pub(crate) job: Job,
    pub(crate) lane: Lane,
}

impl Left {
    pub(crate) fn outcome(&self) -> &str {
        self.call.outcome.as_deref().unwrap()
    }

    /// Its job waits for its second attempt, as long as the policy says.
    pub(crate) fn is_retried_after(&self, secs: f64) {
        assert_eq!((self.job.status.as_str(), self.job.attempt), ("pending", 1));
        let error = self.job.error.as_deref().unwrap();
        assert!(error.starts_with(self.outcome()), "{error}");
        let wait = self.job.wait;
        assert!(wait > secs - 30.0 && wait <= secs, "{wait}");
        assert_eq!(self.lane.reason, None);
    }
}

pub(crate) async fn left_by(pool: PgPool, kind: TroubleKind, settings: &[Setting<'_>]) -> Left {
    let rig = Rig::new(pool, settings).await;
    let quote = rig.quote(1);
    let good = rig.enqueue(vec![quote.clone()]).await[0];
    let worker = rig.worker();
    assert_eq!(ended(&rig, good).await.status, "completed");
    let entries = [quote.key.clone()];
    let before = rig.store.entries(&entries).await.unwrap().remove(0);

    rig.upstream.reset();
    rig.upstream.script(Trouble::next(1, kind));
    let id = rig.enqueue(vec![quote]).await[0];
    rig.notify().await;
    let call = settled(&rig, 2).await.remove(1);
    worker.stop().await;

    let after = rig.store.entries(&entries).await.unwrap().remove(0);
    if call.outcome.as_deref() != Some("ok") {
        assert_eq!(
            (before.body.get(), before.fetched_at),
            (after.body.get(), after.fetched_at),
            "a good answer was replaced"
        );
    }
    // Never more there than here, whatever went wrong.
    let counted = rig.upstream.total();
    assert!(counted.requests <= u64::try_from(call.requests).unwrap());
    assert!(counted.credits <= u64::try_from(call.credits.unwrap()).unwrap());
    Left {
        job: job(&rig.pool, id).await,
        lane: lane(&rig.pool).await,
        call,
        id,
        rig,
    }
}

fn status(status: u16, headers: &[(&str, &str)]) -> TroubleKind {
    TroubleKind::Status {
        status,
        body: None,
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    }
}

fn limited(code: u32, retry_after: Option<RetryAfter>) -> TroubleKind {
    TroubleKind::Limited {
        code,
        retry_after,
        headers: Vec::new(),
    }
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn an_error_of_the_provider_costs_nothing_and_is_tried_again(pool: PgPool) {
    let left = left_by(pool, status(500, &[]), &[]).await;
    assert_eq!(left.outcome(), "provider_error");
    assert_eq!((left.call.requests, left.call.credits), (1, Some(0)));
    assert_eq!(left.call.http_status, Some(500));
    left.is_retried_after(60.0);
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_retry_after_wins_over_the_backoff(pool: PgPool) {
    let left = left_by(pool, status(503, &[("retry-after", "150")]), &[]).await;
    left.is_retried_after(150.0);
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_retry_after_is_believed_only_so_far(pool: PgPool) {
    let settings = [("PROVIDERS__COINMARKETCAP__BUDGET__MAX_RETRY_AFTER", "200s")];
    let left = left_by(pool, status(503, &[("retry-after", "99999999")]), &settings).await;
    left.is_retried_after(200.0);
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_connection_that_breaks_after_the_request_is_spent_as_reserved(pool: PgPool) {
    let left = left_by(pool, TroubleKind::DropAfterCounting, &[]).await;
    assert_eq!(left.outcome(), "broken");
    assert_eq!((left.call.requests, left.call.credits), (1, Some(1)));
    assert_eq!(left.rig.upstream.total().credits, 1);
    // The request may still be under way for max_transit.
    assert!((left.call.tail.unwrap() - 1.0).abs() < 0.1);
    left.is_retried_after(60.0);
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn half_an_answer_is_spent_as_reserved(pool: PgPool) {
    let left = left_by(pool, TroubleKind::HalfBody, &[]).await;
    assert_eq!(left.outcome(), "broken");
    assert_eq!((left.call.requests, left.call.credits), (1, Some(1)));
    left.is_retried_after(60.0);
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_call_that_takes_too_long_is_spent_and_counts_until_it_cannot_arrive(pool: PgPool) {
    let settings = [
        ("WORKER__CALL_TIMEOUT", "400ms"),
        ("WORKER__CONNECT_TIMEOUT", "200ms"),
    ];
    let late = TroubleKind::Latency { ms: 20_000 };
    let left = left_by(pool, late, &settings).await;
    assert_eq!(left.outcome(), "timeout");
    assert_eq!((left.call.requests, left.call.credits), (1, Some(1)));
    assert!((left.call.tail.unwrap() - 1.0).abs() < 0.1);
    left.is_retried_after(60.0);
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn an_answer_that_is_too_large_is_spent_as_reserved(pool: PgPool) {
    let settings = [("WORKER__MAX_BODY_BYTES", "20000")];
    let huge = TroubleKind::Huge {
        bytes: 50_000_000,
        gzip: true,
    };
    let left = left_by(pool, huge, &settings).await;
    assert_eq!(left.outcome(), "too_large");
    assert_eq!(left.call.credits, Some(1));
    left.is_retried_after(60.0);
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_page_instead_of_an_answer_is_no_answer_and_is_taken_for_charged(pool: PgPool) {
    let left = left_by(pool, TroubleKind::Html { status: 200 }, &[]).await;
    assert_eq!(left.outcome(), "malformed");
    assert_eq!(left.call.credits, Some(1));
    left.is_retried_after(60.0);
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_page_of_a_gateway_costs_nothing(pool: PgPool) {
    let left = left_by(pool, TroubleKind::Html { status: 502 }, &[]).await;
    assert_eq!(left.outcome(), "provider_error");
    assert_eq!(left.call.credits, Some(0));
    left.is_retried_after(60.0);
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn an_error_code_beside_a_success_is_an_error(pool: PgPool) {
    let lie = TroubleKind::ErrorInSuccess {
        code: 9_999,
        message: "not today".to_owned(),
    };
    let left = left_by(pool, lie, &[]).await;
    assert_eq!(left.outcome(), "provider_error");
    assert_eq!(left.call.credits, Some(1), "a 200 is charged");
    assert!(left.job.error.as_deref().unwrap().contains("not today"));
    left.is_retried_after(60.0);
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn an_empty_success_stores_nothing_and_is_not_paid_again(pool: PgPool) {
    let left = left_by(pool, TroubleKind::EmptySuccess, &[]).await;
    assert_eq!(left.outcome(), "empty");
    assert_eq!(left.call.credits, Some(1));
    assert_eq!((left.job.status.as_str(), left.job.attempt), ("failed", 1));
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_redirect_is_an_outcome_and_is_not_followed(pool: PgPool) {
    let elsewhere = TroubleKind::Redirect {
        location: "/v1/global-metrics/quotes/latest".to_owned(),
    };
    let left = left_by(pool, elsewhere, &[]).await;
    assert_eq!(left.outcome(), "redirect");
    assert_eq!(left.rig.upstream.total().requests, 1);
    assert_eq!(left.rig.arrivals(QUOTES), 1);
    assert_eq!((left.job.status.as_str(), left.job.attempt), ("failed", 1));
    assert_eq!(left.call.credits, Some(0));
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn an_endpoint_that_the_plan_lacks_fails_its_job_and_leaves_the_lane_open(pool: PgPool) {
    let left = left_by(pool, limited(1006, None), &[]).await;
    assert_eq!(left.outcome(), "endpoint_forbidden");
    assert_eq!((left.job.status.as_str(), left.job.attempt), ("failed", 1));
    assert_eq!(left.lane.reason, None);
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_cost_that_cannot_be_true_is_settled_by_the_rule(pool: PgPool) {
    let rig = Rig::new(pool, &[]).await;
    let nonsense = [
        CreditReport::Value((-1).into()),
        CreditReport::Value(serde_json::json!(0.5)),
        CreditReport::Value("many".into()),
        CreditReport::Value(serde_json::json!(1e9)),
        CreditReport::Missing,
    ];
    let mut worker = crate::spawned::Spawned::start(&rig, &[("DEBUG", "true")], &[]);
    for (number, report) in (1..).zip(nonsense) {
        let kind = TroubleKind::CreditCount { report };
        rig.upstream.script(Trouble::next(1, kind.clone()));
        let id = rig.enqueue(vec![rig.quote(900_000 + number)]).await[0];
        rig.notify().await;
        assert_eq!(ended(&rig, id).await.status, "completed", "{kind:?}");
        let last = calls(&rig.pool).await.pop().unwrap();
        assert_eq!(last.credits, Some(1), "{kind:?}");
    }
    let page = worker.page("/metrics").await;
    let counted =
        "larder_cost_anomalies_total{provider=\"coinmarketcap\",endpoint=\"quotes_latest\"} 5";
    assert!(page.contains(counted), "{page}");
    worker.signal(rustix::process::Signal::TERM);
    assert_eq!(worker.exit().await.code(), Some(0));
    let log = worker.log();
    let told = log
        .lines()
        .filter(|line| line.contains("the reported cost is missing"));
    assert_eq!(told.count(), 1);
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_cost_beyond_the_reservation_is_recorded_in_full_and_learnt(pool: PgPool) {
    let thrice = TroubleKind::CreditCount {
        report: CreditReport::Times(3),
    };
    let left = left_by(pool, thrice, &[]).await;
    assert_eq!(left.outcome(), "ok");
    assert_eq!(
        (left.call.reserved_credits, left.call.credits),
        (1, Some(3))
    );
    assert_eq!(ended(&left.rig, left.id).await.status, "completed");
    let surcharge = "select surcharge::bigint from larder.endpoints
                     where endpoint = 'quotes_latest' and confirmed_at is null";
    assert_eq!(number(&left.rig.pool, surcharge).await, 2);

    // The next one sets aside what was learnt.
    let next = left.rig.enqueue(vec![left.rig.quote(1027)]).await[0];
    let worker = left.rig.worker();
    ended(&left.rig, next).await;
    worker.stop().await;
    let last = calls(&left.rig.pool).await.pop().unwrap();
    assert_eq!((last.reserved_credits, last.credits), (3, Some(1)));
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_connection_that_is_refused_costs_nothing(pool: PgPool) {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let settings = [("PROVIDERS__COINMARKETCAP__BASE_URL", nobody.as_str())];
    let rig = Rig::new(pool, &settings).await;
    let id = rig.enqueue(vec![rig.quote(1)]).await[0];
    let worker = rig.worker();
    let call = settled(&rig, 1).await.remove(0);
    worker.stop().await;
    assert_eq!(call.outcome.as_deref(), Some("connect"));
    assert_eq!((call.requests, call.credits), (0, Some(0)));
    assert!(call.tail.unwrap() < 0.1, "it is over");
    let job = job(&rig.pool, id).await;
    assert_eq!((job.status.as_str(), job.attempt), ("pending", 1));
    assert!(!job.error.unwrap().contains("127.0.0.1"));
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_job_without_attempts_left_fails_and_its_resource_waits_longer(pool: PgPool) {
    let settings = [
        ("QUEUE__RETRY__INITIAL", "10ms"),
        ("QUEUE__RETRY__MAX", "20ms"),
    ];
    let track = "[[track]]\nname = \"one\"\nevery = \"5m\"\n\
                 resources = [\"coinmarketcap:/v3/cryptocurrency/quotes/latest?id=1\"]\n";
    let rig = Rig::with(pool, Default::default(), &settings, track).await;
    rig.upstream.script(Trouble::always(status(500, &[])));
    rig.store.tick(false).await.unwrap();
    let worker = rig.worker();
    crate::rows::becomes(
        &rig.pool,
        "select count(*) from background_jobs where status = 'failed' and attempt = 5
           and jsonb_array_length(errors) = 5",
        1,
    )
    .await;
    worker.stop().await;
    assert_eq!(rig.arrivals(QUOTES), 5);
    let later = "select count(*) from larder.resources
                 where failures = 1 and next_refresh_at > clock_timestamp() + interval '9 minutes'";
    assert_eq!(number(&rig.pool, later).await, 1);
}
