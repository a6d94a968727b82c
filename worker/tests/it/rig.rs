//! What every test stands on: a sandbox, a database, a configuration, workers.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sandbox::{Handle, Sandbox, SandboxConfig};
use shared::model::{JobId, Priority, ResourceSpec};
use shared::setup::Setup;
use shared::store::{JobRequest, Store};
use sqlx::PgPool;
use tempfile::TempDir;
use worker::{Handler, Handlers, Worker, WorkerOptions};

/// The key that the sandbox accepts.
pub(crate) const KEY: &str = "sandbox-key";

/// The path of quotes, as the sandbox names it.
pub(crate) const QUOTES: &str = "/v3/cryptocurrency/quotes/latest";

/// Longest wait for anything: a slow machine is no failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What each test starts from; its own settings come on top, as variables.
///
/// Windows roll, so that no test depends on the time of day, and the times for which an
/// unknown call is waited for are short.
const BASE: &str = r#"
[worker]
concurrency = 8

[queue.retry]
initial = "60s"
max = "5m"
jitter = 0.0

[providers.coinmarketcap.budget]
reset_grace = "1s"
max_freeze = "1s"
max_transit = "1s"
reconcile_every = "0s"
readers_share = 0.0

[providers.coinmarketcap.limits.month]
unit = "credits"
cap = 15000
window = { rolling = "24h" }

[providers.coinmarketcap.limits.minute]
unit = "requests"
cap = 10000
window = { rolling = "60s" }

[providers.coinmarketcap.limits.in_flight]
unit = "requests"
cap = 8
window = { concurrency = true }
"#;

/// A setting by its variable's name without `LARDER__`.
pub(crate) type Setting<'a> = (&'a str, &'a str);

pub(crate) struct Rig {
    pub(crate) sandbox: Sandbox,
    pub(crate) upstream: Handle,
    pub(crate) pool: PgPool,
    pub(crate) store: Store,
    pub(crate) setup: Setup,
    pub(crate) url: String,
    pub(crate) dir: TempDir,
}

impl Rig {
    pub(crate) async fn new(pool: PgPool, settings: &[Setting<'_>]) -> Self {
        Self::with(pool, SandboxConfig::default(), settings, "").await
    }

    /// `more` is configuration that stands behind the usual one.
    pub(crate) async fn with(
        pool: PgPool,
        sandbox: SandboxConfig,
        settings: &[Setting<'_>],
        more: &str,
    ) -> Self {
        let sandbox = SandboxConfig {
            requests_per_minute: 100_000,
            ..sandbox
        };
        let sandbox = Sandbox::start("127.0.0.1:0", sandbox).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("larder.toml"), format!("{BASE}\n{more}")).unwrap();
        let options = pool.connect_options();
        let url = format!(
            "postgres://{}@{}:{}/{}",
            options.get_username(),
            options.get_host(),
            options.get_port(),
            options.get_database().unwrap(),
        );
        let mut environment = BTreeMap::new();
        environment.insert("DATABASE_URL".to_owned(), url.clone());
        environment.insert("CMC_API_KEY".to_owned(), KEY.to_owned());
        environment.insert(
            "LARDER__PROVIDERS__COINMARKETCAP__BASE_URL".to_owned(),
            sandbox.url(),
        );
        let file = dir.path().join("larder.toml");
        environment.insert(
            "LARDER_CONFIG".to_owned(),
            file.to_str().unwrap().to_owned(),
        );
        for (name, value) in settings {
            environment.insert(format!("LARDER__{name}"), (*value).to_owned());
        }
        let setup = Setup::from_environment(environment, dir.path(), None).unwrap();
        let store = Store::new(pool.clone());
        let lanes = setup.catalog.lanes(&setup.secrets);
        store
            .sync_all(&lanes, &setup.catalog.wanted())
            .await
            .unwrap();
        Self {
            upstream: sandbox.handle(),
            sandbox,
            pool,
            store,
            setup,
            url,
            dir,
        }
    }

    /// A worker in this process.
    pub(crate) fn worker(&self) -> Worker {
        Worker::start(self.options()).unwrap()
    }

    /// What a worker is made of, for a test to change.
    pub(crate) fn options(&self) -> WorkerOptions {
        WorkerOptions {
            catalog: self.setup.catalog.clone(),
            secrets: self.setup.secrets.clone(),
            database_url: self.url.clone(),
            listen_url: None,
            handlers: Handlers::shipped(),
        }
    }

    /// A worker in this process that knows one more kind.
    pub(crate) fn worker_with(&self, handler: impl Handler) -> Worker {
        Worker::start(WorkerOptions {
            handlers: Handlers::shipped().with(handler),
            ..self.options()
        })
        .unwrap()
    }

    /// The quote of one coin.
    pub(crate) fn quote(&self, id: u32) -> ResourceSpec {
        let key = format!("coinmarketcap:{QUOTES}?id={id}");
        self.setup.catalog.resource(&key).unwrap()
    }

    /// A resource by its key.
    pub(crate) fn resource(&self, key: &str) -> ResourceSpec {
        self.setup.catalog.resource(key).unwrap()
    }

    pub(crate) async fn enqueue(&self, resources: Vec<ResourceSpec>) -> Vec<JobId> {
        let requests: Vec<JobRequest> = resources.into_iter().map(refresh).collect();
        let jobs = self.store.enqueue(&requests).await.unwrap();
        jobs.into_iter().map(|enqueued| enqueued.job.id).collect()
    }

    /// Jobs of a handler, as the enqueuer makes them.
    pub(crate) async fn enqueue_kind(&self, kind: &str, count: usize) -> Vec<JobId> {
        let request = JobRequest {
            kind: kind.to_owned(),
            resource: None,
            ..refresh(self.quote(1))
        };
        let jobs = self.store.enqueue(&vec![request; count]).await.unwrap();
        jobs.into_iter().map(|enqueued| enqueued.job.id).collect()
    }

    /// Tells listeners of jobs, as the enqueuer does after its commit.
    pub(crate) async fn notify(&self) {
        sqlx::query("select pg_notify('larder_jobs', '')")
            .execute(&self.pool)
            .await
            .unwrap();
    }

    /// Requests that arrived at one path.
    pub(crate) fn arrivals(&self, path: &str) -> u64 {
        let endpoints = self.upstream.ledger(0).endpoints;
        endpoints.get(path).map_or(0, |count| count.requests)
    }

    /// Waits for requests to arrive; fails rather than hangs.
    pub(crate) async fn arrived(&self, count: u64) {
        tokio::time::timeout(PATIENCE, self.upstream.arrived(count))
            .await
            .unwrap_or_else(|_| panic!("{count} requests did not arrive"));
    }
}

fn refresh(resource: ResourceSpec) -> JobRequest {
    JobRequest {
        kind: "refresh".to_owned(),
        resource: Some(resource),
        args: serde_json::json!({}),
        class: "operator",
        priority: Priority::PLANNED,
        run_at: None,
        max_attempts: 5,
        must_be_newer: true,
    }
}

/// A client of the tests' own.
pub(crate) fn http_client() -> reqwest::Client {
    // Fails when another test was first, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// Waits until `look` finds what it looks for.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "never came: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
