//! What is not sent any more costs nothing, and its jobs wait as if nothing had been.

use std::collections::BTreeMap;

use sandbox::{Sandbox, SandboxConfig};
use shared::model::Priority;
use shared::setup::Setup;
use shared::store::{AdmitRequest, JobRequest, Store};
use uuid::Uuid;

use super::*;
use crate::client::Limits;

struct Bench {
    sandbox: Sandbox,
    executor: Executor,
    call: AdmittedCall,
}

/// An executor with one admitted call that has not been sent.
async fn bench(store: Store) -> Bench {
    let sandbox = Sandbox::start("127.0.0.1:0", SandboxConfig::default())
        .await
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let pairs = [
        ("CMC_API_KEY", "sandbox-key".to_owned()),
        ("LARDER__PROVIDERS__COINMARKETCAP__BASE_URL", sandbox.url()),
    ];
    let environment: BTreeMap<String, String> = pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    let setup = Setup::from_environment(environment, dir.path(), None).unwrap();
    let lanes = setup.catalog.lanes(&setup.secrets);
    store.sync(&lanes, &[]).await.unwrap();
    let key = "coinmarketcap:/v3/cryptocurrency/quotes/latest?id=1";
    let request = JobRequest {
        kind: "refresh".to_owned(),
        resource: Some(setup.catalog.resource(key).unwrap()),
        args: serde_json::json!({}),
        class: "operator",
        priority: Priority::PLANNED,
        run_at: None,
        max_attempts: 5,
        must_be_newer: false,
    };
    store.enqueue(&[request]).await.unwrap();

    let provider = Arc::clone(setup.catalog.provider("coinmarketcap").unwrap());
    let config = setup.catalog.config();
    let section = config.providers.get(provider.name()).unwrap();
    let limits = Limits {
        connect_timeout: Duration::from_secs(5),
        call_timeout: Duration::from_secs(15),
        first_byte_timeout: Duration::from_secs(12),
        max_body_bytes: 1 << 20,
    };
    let secret = setup.secrets.provider_key("CMC_API_KEY");
    let end = CancellationToken::new();
    let executor = Executor {
        vital: Vital::new(store.clone(), CancellationToken::new()),
        provider: Arc::clone(&provider),
        client: Client::new("coinmarketcap", section, secret, limits).unwrap(),
        retry: RetryPolicy::DATABASE,
        fresh_for: None,
        negative_ttl: std::time::Duration::from_secs(600),
        max_retry_after: Duration::from_secs(60),
        throttled: crate::usage::Throttled::default(),
        anomalies: Anomalies::default(),
        in_flight: Arc::new(InFlight::default()),
        notifier: Notifier::start(&store, &end),
        wake: Wake::default(),
        stop: CancellationToken::new(),
        give_up: CancellationToken::new(),
    };
    let key_id = setup.catalog.key_id(provider.name(), &setup.secrets);
    let request = AdmitRequest {
        provider: provider.name(),
        worker: "worker-a",
        key_id: key_id.as_deref(),
        lease: Duration::from_secs(30),
        max_calls: 1,
        by_age: false,
    };
    let mut admission = store.admit(&request, provider.as_ref()).await.unwrap();
    Bench {
        sandbox,
        executor,
        call: admission.calls.remove(0),
    }
}

async fn is_taken_back(store: &Store, bench: &Bench) {
    let row = store.calls(None, None, 1).await.unwrap().remove(0);
    assert_eq!(row.outcome.as_deref(), Some("not_sent"));
    assert_eq!(row.credits, Some(0));
    let job = store.job(bench.call.jobs[0].id).await.unwrap();
    assert_eq!((job.attempt, job.started_at.is_some()), (0, true));
    assert_eq!(job.waiting.as_deref(), Some("due"));
    assert_eq!(bench.sandbox.handle().total().requests, 0);
    let budget = store.budget().await.unwrap();
    for limit in &budget[0].limits {
        assert_eq!((limit.spent, limit.reserved), (0, 0), "{}", limit.name);
    }
    assert!(bench.executor.in_flight.quiet_since().is_some());
}

impl Bench {
    async fn run(&self, send_by: Moment) {
        let hold = self.executor.in_flight.hold_call(self.call.lease_token);
        self.executor.run(self.call.clone(), send_by, hold).await;
    }
}

fn in_time() -> Moment {
    Moment::now().after(Duration::from_secs(20))
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_worker_whose_lease_may_be_over_sends_nothing(pool: sqlx::PgPool) {
    let store = Store::new(pool);
    let bench = bench(store.clone()).await;
    bench.run(Moment::now()).await;
    is_taken_back(&store, &bench).await;
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_worker_that_stops_sends_nothing_more(pool: sqlx::PgPool) {
    let store = Store::new(pool);
    let bench = bench(store.clone()).await;
    bench.executor.stop.cancel();
    bench.run(in_time()).await;
    is_taken_back(&store, &bench).await;
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_worker_that_is_told_that_its_lease_is_lost_sends_nothing(pool: sqlx::PgPool) {
    let store = Store::new(pool);
    let bench = bench(store.clone()).await;
    let hold = bench.executor.in_flight.hold_call(bench.call.lease_token);
    bench.executor.in_flight.lose(bench.call.lease_token);
    bench
        .executor
        .run(bench.call.clone(), in_time(), hold)
        .await;
    is_taken_back(&store, &bench).await;
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn who_lost_its_lease_settles_the_cost_and_leaves_the_job(pool: sqlx::PgPool) {
    let store = Store::new(pool);
    let mut bench = bench(store.clone()).await;
    // What a holder of another claim would look like.
    bench.call.lease_token = Uuid::new_v4();
    bench.run(in_time()).await;
    let row = store.calls(None, None, 1).await.unwrap().remove(0);
    assert_eq!((row.outcome.as_deref(), row.credits), (Some("ok"), Some(1)));
    let job = store.job(bench.call.jobs[0].id).await.unwrap();
    assert_eq!(job.status, shared::model::JobStatus::Running);
}
