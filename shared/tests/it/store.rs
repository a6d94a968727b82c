//! The queue and the budget against a real Postgres, a database to each test.

mod admit;
mod alerts;
mod breaker;
mod calendar;
mod conflicts;
mod copies;
mod discovered;
mod enqueue;
mod enqueue_in_sql;
mod figures;
mod follow;
mod foreign;
mod histories;
mod holes;
mod keep;
mod last_tick;
mod local;
mod many;
mod partitions;
mod planner;
mod plans;
mod pool;
mod races;
mod record;
mod replaced;
mod rescue;
mod roles;
mod rolling;
mod share;
mod transitions;
mod triggers;

use std::time::Duration;

use shared::budget::{LaneSpec, LimitSpec, LimitWindow, Mode, Period, Pricing, Unit};
use shared::model::{
    BatchKey, EndpointName, JobId, Priority, ProviderName, ResourceKey, ResourceSpec,
};
use shared::model::{TrackSpec, Tracking};
use shared::store::{
    Admission, AdmitRequest, AdmittedCall, CallRecord, JobRequest, JobResult, JobVerdict,
    LimitReport, NewEntry, Settlement, Store, TakenReport, UsageRequest,
};

pub(crate) type TestResult = Result<(), Box<dyn std::error::Error>>;

/// Prices of the tests' provider: `quotes` takes 250 items a credit, at most 500 a call;
/// `map` is free; `listing` costs 3 credits.
pub(crate) struct Prices;

impl Pricing for Prices {
    fn endpoint(&self, batch: &BatchKey) -> Option<EndpointName> {
        let name = batch.as_str().split_once('?').map(|(name, _)| name)?;
        ["quotes", "map", "listing"]
            .contains(&name)
            .then(|| name.parse().ok())
            .flatten()
    }

    fn worst_case(&self, batch: &BatchKey, items: usize) -> Option<u32> {
        match self.endpoint(batch)?.as_str() {
            "quotes" => u32::try_from(items.div_ceil(250)).ok(),
            "map" => Some(0),
            _ => Some(3),
        }
    }

    fn max_items(&self, batch: &BatchKey) -> usize {
        match batch.as_str().starts_with("quotes?") {
            true => 500,
            false => 1,
        }
    }

    fn items_for_same_cost(&self, batch: &BatchKey, items: usize) -> usize {
        match batch.as_str().starts_with("quotes?") {
            true => items.div_ceil(250) * 250,
            false => items,
        }
    }

    fn endpoints_within(&self, credits: u32) -> Vec<EndpointName> {
        [("map", 0), ("quotes", 1), ("listing", 3)]
            .into_iter()
            .filter(|(_, cost)| *cost <= credits)
            .filter_map(|(name, _)| name.parse().ok())
            .collect()
    }
}

pub(crate) fn provider() -> ProviderName {
    "coins".parse().unwrap()
}

pub(crate) fn quote(id: usize) -> ResourceSpec {
    ResourceSpec {
        key: ResourceKey(format!("coins:/quotes?id={id}")),
        provider: provider(),
        endpoint: "quotes".parse().unwrap(),
        batch_key: BatchKey("quotes?id=*".to_owned()),
        item: Some(id.to_string()),
    }
}

pub(crate) fn single(endpoint: &str) -> ResourceSpec {
    ResourceSpec {
        key: ResourceKey(format!("coins:/{endpoint}")),
        provider: provider(),
        endpoint: endpoint.parse().unwrap(),
        batch_key: BatchKey(format!("{endpoint}?")),
        item: None,
    }
}

pub(crate) fn limit(name: &str, unit: Unit, cap: u32, window: LimitWindow) -> LimitSpec {
    LimitSpec {
        name: name.to_owned(),
        unit,
        cap,
        window,
        soft: false,
    }
}

pub(crate) fn monthly(cap: u32) -> LimitSpec {
    limit(
        "month",
        Unit::Credits,
        cap,
        LimitWindow::Calendar {
            period: Period::Month,
            zone: "UTC".to_owned(),
            anchor_day: 1,
            anchor_time: chrono::NaiveTime::MIN,
        },
    )
}

pub(crate) fn lane(limits: Vec<LimitSpec>) -> LaneSpec {
    LaneSpec {
        provider: provider(),
        host: "api.example.com:443".to_owned(),
        key_id: Some("key-1".to_owned()),
        reset_grace: Duration::from_secs(5),
        max_freeze: Duration::from_secs(600),
        max_transit: Duration::from_secs(30),
        mode: Mode::Enforce,
        readers_share: 0.0,
        breaker_failures: 5,
        breaker_pause: Duration::from_secs(10),
        breaker_max_pause: Duration::from_secs(300),
        usage_endpoint: None,
        max_attempts: 5,
        limits,
    }
}

pub(crate) fn tracked(resource: ResourceSpec) -> TrackSpec {
    TrackSpec {
        resource,
        group: "test".to_owned(),
        tracking: Tracking::every(Duration::from_secs(300)),
    }
}

/// Jobs of the handler that does nothing, each with so many attempts.
pub(crate) fn noops(jobs: usize, max_attempts: i32) -> Vec<JobRequest> {
    let noop = JobRequest {
        max_attempts,
        ..JobRequest::handler("noop", serde_json::json!({}))
    };
    vec![noop; jobs]
}

pub(crate) fn refresh(resource: ResourceSpec) -> JobRequest {
    JobRequest {
        kind: "refresh".to_owned(),
        resource: Some(resource),
        args: serde_json::json!({}),
        class: "operator",
        priority: Priority::PLANNED,
        run_at: None,
        max_attempts: 5,
        must_be_newer: false,
    }
}

/// A store whose provider has these limits and whose endpoints' prices are known.
pub(crate) async fn store_with(pool: sqlx::PgPool, limits: Vec<LimitSpec>) -> Store {
    let store = Store::new(pool);
    store.sync(&[lane(limits)], &[]).await.unwrap();
    confirm_prices(&store).await;
    store
}

/// Lets calls of one endpoint run side by side at once.
pub(crate) async fn confirm_prices(store: &Store) {
    sqlx::query(
        "insert into larder.endpoints (provider, endpoint, confirmed_at)
         select 'coins', e, now() from unnest(array['quotes', 'map', 'listing']) e",
    )
    .execute(store.pool())
    .await
    .unwrap();
}

pub(crate) async fn admit(store: &Store, worker: &str, max_calls: usize) -> Admission {
    let provider = provider();
    let request = AdmitRequest {
        provider: &provider,
        worker,
        key_id: Some("key-1"),
        lease: Duration::from_secs(30),
        max_calls,
        by_age: false,
    };
    store.admit(&request, &Prices).await.unwrap()
}

/// The call that asks the provider for its count, if it is time.
pub(crate) async fn admit_usage(store: &Store, every: Duration) -> Option<AdmittedCall> {
    let provider = provider();
    let request = AdmitRequest {
        provider: &provider,
        worker: "worker-a",
        key_id: Some("key-1"),
        lease: Duration::from_secs(30),
        max_calls: 1,
        by_age: false,
    };
    let usage = UsageRequest {
        batch_key: BatchKey("map?".to_owned()),
        every,
        after: None,
    };
    let admitted = store.admit_usage_call(&request, &usage, &Prices).await;
    admitted.unwrap()
}

/// Lets the provider say that so much was used of a limit, in the reply to a call that
/// asks for it; answers what others have by that.
pub(crate) async fn told(store: &Store, limit: &str, used: u64) -> Option<TakenReport> {
    let call = admit_usage(store, Duration::ZERO).await.unwrap();
    store.record(&answered(&call, 0, "1")).await.unwrap();
    take(store, &call, report(limit, used)).await
}

pub(crate) fn report(limit: &str, used: u64) -> LimitReport {
    LimitReport {
        limit: limit.to_owned(),
        used: Some(used),
        cap: None,
        resets_at: None,
        resets_in: None,
        period: None,
        counts_itself: false,
    }
}

pub(crate) async fn take(
    store: &Store,
    call: &AdmittedCall,
    report: LimitReport,
) -> Option<TakenReport> {
    let taken = store.take_reports(&provider(), call.id, &[report]).await;
    taken.unwrap().pop()
}

/// The one call that can be admitted.
pub(crate) async fn admit_one(store: &Store) -> AdmittedCall {
    let mut admission = admit(store, "worker-a", 1).await;
    assert_eq!(admission.calls.len(), 1, "{admission:?}");
    admission.calls.remove(0)
}

/// A record of a good reply to all jobs of a call.
pub(crate) fn answered(call: &AdmittedCall, credits: u32, body: &str) -> CallRecord {
    CallRecord {
        call: call.id,
        provider: provider(),
        endpoint: call.endpoint.clone(),
        lease_token: call.lease_token,
        settlement: Settlement::Answered { credits },
        outcome: "ok",
        http_status: Some(200),
        duration: Duration::from_millis(20),
        entries: call
            .jobs
            .iter()
            .map(|job| NewEntry {
                resource_key: job.resource_key.clone(),
                body: serde_json::value::RawValue::from_string(body.to_owned()).unwrap(),
                envelope: None,
                provider_time: None,
                content_hash: None,
            })
            .collect(),
        validator: None,
        unchanged: Vec::new(),
        fresh_for: Duration::from_secs(60),
        negative_ttl: Duration::from_secs(600),
        jobs: verdicts(call, &JobVerdict::Done),
        close: None,
    }
}

pub(crate) fn verdicts(call: &AdmittedCall, verdict: &JobVerdict) -> Vec<JobResult> {
    call.jobs
        .iter()
        .map(|job| JobResult {
            id: job.id,
            resource_key: job.resource_key.clone(),
            verdict: verdict.clone(),
        })
        .collect()
}

pub(crate) async fn enqueue_one(store: &Store, request: JobRequest) -> (JobId, bool) {
    let enqueued = store.enqueue(&[request]).await.unwrap().remove(0);
    (enqueued.job.id, enqueued.is_new)
}

pub(crate) async fn number(store: &Store, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql)
        .fetch_one(store.pool())
        .await
        .unwrap()
}
