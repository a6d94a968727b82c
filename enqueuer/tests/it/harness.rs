//! An enqueuer of its own for each test, and a stand-in for the worker.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use enqueuer::{Enqueuer, EnqueuerError, Settings};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;
use serde_json::value::RawValue;
use shared::catalog::Catalog;
use shared::config::{Secrets, Source};
use shared::metrics::Recorder;
use shared::store::{
    AdmitRequest, AdmittedCall, CallRecord, JobResult, JobVerdict, NewEntry, Notifier, Settlement,
    Store,
};
use sqlx::PgPool;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) type TestResult = Result<(), Box<dyn std::error::Error>>;

pub(crate) const SECRET: &str = "operators-secret-1";
pub(crate) const READ_SECRET: &str = "readers-secret-1";

/// A running enqueuer.
pub(crate) struct Server {
    pub(crate) base: String,
    pub(crate) store: Store,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) client: reqwest::Client,
    pub(crate) stop: CancellationToken,
    pub(crate) running: JoinHandle<Result<(), EnqueuerError>>,
}

/// Where the database of a test is.
pub(crate) fn url_of(pool: &PgPool) -> String {
    let mut url = url::Url::parse(&std::env::var("DATABASE_URL").unwrap()).unwrap();
    url.set_path(pool.connect_options().get_database().unwrap());
    url.to_string()
}

pub(crate) fn settings(url: &str, more: &[(&str, &str)]) -> Settings {
    if std::env::var_os("LARDER_LOG").is_some() {
        // Shows what an enqueuer under test logs; a second call is refused.
        let _ = shared::logging::init(&std::env::vars().collect());
    }
    static RECORDER: OnceLock<Recorder> = OnceLock::new();
    let usual = [
        ("DATABASE_URL", url),
        ("JOBS_API_SECRET", "operators-secret-1,operators-secret-2"),
        ("LARDER__ENQUEUER__LISTEN", "127.0.0.1:0"),
        ("LARDER__ENQUEUER__TICK_EVERY", "0s"),
        ("LARDER__ENQUEUER__DATABASE_CONNECTIONS", "4"),
    ];
    let environment: BTreeMap<String, String> = usual
        .iter()
        .chain(more)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let directory = std::env::temp_dir().join("no-larder-toml-here");
    let source = Source {
        path: None,
        directory,
        environment,
    };
    let (catalog, _) = Catalog::load(&source).unwrap();
    Settings {
        catalog: Arc::new(catalog),
        secrets: Secrets::read(&source.environment, []).unwrap(),
        recorder: RECORDER
            .get_or_init(|| Recorder::install().unwrap())
            .clone(),
    }
}

pub(crate) fn client() -> reqwest::Client {
    // Fails when another test has installed it, which is what is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

impl Server {
    pub(crate) async fn start(pool: &PgPool) -> Self {
        Self::start_with(pool, &[]).await
    }

    /// Starts with more environment, and waits until the database is prepared.
    pub(crate) async fn start_with(pool: &PgPool, more: &[(&str, &str)]) -> Self {
        let server = Self::start_at(&url_of(pool), pool, more).await;
        server.until_ready_says("no worker has been seen").await;
        server
    }

    /// Starts with nothing tracked, so that no due resource rides along with a call.
    pub(crate) async fn start_untracked(pool: &PgPool, more: &[(&str, &str)]) -> Self {
        let server = Self::start_with(pool, more).await;
        execute(
            &server.store,
            "update larder.resources set tracked = false, every = null, next_refresh_at = null",
        )
        .await;
        server
    }

    pub(crate) async fn start_at(url: &str, pool: &PgPool, more: &[(&str, &str)]) -> Self {
        let settings = settings(url, more);
        let catalog = Arc::clone(&settings.catalog);
        let enqueuer = Enqueuer::bind(settings).await.unwrap();
        let port = enqueuer.address().port();
        let stop = CancellationToken::new();
        Self {
            base: format!("http://127.0.0.1:{port}"),
            store: Store::new(pool.clone()),
            catalog,
            client: client(),
            running: tokio::spawn(enqueuer.run(stop.clone())),
            stop,
        }
    }

    /// Asks `/readyz` until it gives this reason; fails after 20 s.
    pub(crate) async fn until_ready_says(&self, reason: &str) {
        let asking = async {
            loop {
                let said = self.get("/readyz").send().await.unwrap();
                let said = said.text().await.unwrap();
                if said.contains(reason) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let done = tokio::time::timeout(Duration::from_secs(20), asking).await;
        done.unwrap_or_else(|_| panic!("/readyz never said {reason:?}"));
    }

    /// A request without a secret.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    /// Reads until the answer has this header; fails after 5 s.
    pub(crate) async fn until_shown(&self, path: &str, name: &str, value: &str) {
        let reading = async {
            loop {
                let read = self.get(path).send().await.unwrap();
                if read.headers().get(name).is_some_and(|shown| shown == value) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let done = tokio::time::timeout(Duration::from_secs(5), reading).await;
        done.unwrap_or_else(|_| panic!("{name} never was {value}"));
    }

    /// Waits until so many jobs are live; fails after 5 s.
    pub(crate) async fn until_live_jobs(&self, jobs: i64) {
        let asking = async {
            while self.live_jobs().await != jobs {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let done = tokio::time::timeout(Duration::from_secs(5), asking).await;
        done.unwrap_or_else(|_| panic!("there never were {jobs} live jobs"));
    }

    /// Has the worker's part done for everything that is due now.
    pub(crate) async fn fill(&self) {
        self.post("/api/jobs/process-pending", "").await;
        while let Some(call) = self.admit().await {
            self.answer(&call).await;
        }
    }

    /// A request with an operator's secret.
    pub(crate) fn operator(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(SECRET)
    }

    /// What an operator gets.
    pub(crate) async fn shown(&self, path: &str) -> Value {
        let response = self.operator(Method::GET, path).send().await.unwrap();
        json(response, 200).await
    }

    /// What an operator's POST of a body is answered with.
    pub(crate) async fn post(&self, path: &str, body: impl ToString) -> Response {
        let request = self.operator(Method::POST, path).body(body.to_string());
        request.send().await.unwrap()
    }

    pub(crate) async fn live_jobs(&self) -> i64 {
        number(&self.store, "select count(*) from larder.jobs").await
    }

    /// Admits one call, as a worker would.
    pub(crate) async fn admit(&self) -> Option<AdmittedCall> {
        let provider = self.catalog.provider("coinmarketcap").unwrap();
        let request = AdmitRequest {
            provider: provider.name(),
            worker: "test",
            key_id: None,
            lease: Duration::from_secs(30),
            max_calls: 1,
            by_age: false,
        };
        let admitted = self.store.admit(&request, provider.as_ref()).await;
        admitted.unwrap().calls.pop()
    }

    /// Waits until there is a call to admit; fails after 10 s.
    pub(crate) async fn until_admitted(&self) -> AdmittedCall {
        let asking = async {
            loop {
                if let Some(call) = self.admit().await {
                    return call;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let call = tokio::time::timeout(Duration::from_secs(10), asking).await;
        call.expect("nothing was enqueued")
    }

    /// Records a good answer to all jobs of a call, and announces it.
    pub(crate) async fn answer(&self, call: &AdmittedCall) {
        self.record(call, &JobVerdict::Done, |_| true).await;
    }

    /// Records an answer for the items that `has` picks, and `verdict` for the others.
    pub(crate) async fn record(
        &self,
        call: &AdmittedCall,
        verdict: &JobVerdict,
        has: impl Fn(&str) -> bool,
    ) {
        let item = |job: &shared::store::ClaimedRefresh| job.item.clone().unwrap_or_default();
        let raw = |text: String| RawValue::from_string(text).unwrap();
        let envelope = r#"{"status":{"timestamp":"2026-09-24T00:00:00.000Z","error_code":0,"credit_count":1},"data":null}"#;
        let record = CallRecord {
            call: call.id,
            provider: "coinmarketcap".parse().unwrap(),
            endpoint: call.endpoint.clone(),
            lease_token: call.lease_token,
            settlement: Settlement::Answered { credits: 1 },
            outcome: "ok",
            http_status: Some(200),
            duration: Duration::from_millis(20),
            entries: call
                .jobs
                .iter()
                .filter(|job| has(&item(job)))
                .map(|job| NewEntry {
                    resource_key: job.resource_key.clone(),
                    body: raw(match &job.item {
                        Some(id) => format!(r#"{{"id":{id},"price":1.10}}"#),
                        None => r#"{"btc_dominance":57.0}"#.to_owned(),
                    }),
                    envelope: Some(raw(envelope.to_owned())),
                    provider_time: None,
                    content_hash: None,
                })
                .collect(),
            validator: None,
            unchanged: Vec::new(),
            fresh_for: Duration::from_secs(60),
            negative_ttl: std::time::Duration::from_secs(600),
            jobs: call
                .jobs
                .iter()
                .map(|job| JobResult {
                    id: job.id,
                    resource_key: job.resource_key.clone(),
                    verdict: if has(&item(job)) {
                        JobVerdict::Done
                    } else {
                        verdict.clone()
                    },
                })
                .collect(),
            close: None,
        };
        self.store.record(&record).await.unwrap();
        Notifier::start(&self.store, &self.stop).cache();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The body of a response, which must have this status.
pub(crate) async fn json(response: Response, status: u16) -> Value {
    let found = response.status().as_u16();
    let text = response.text().await.unwrap();
    assert_eq!(found, status, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// The name of the problem that a response is, which must have this status.
pub(crate) async fn problem(response: Response, status: u16) -> (String, String) {
    let kind = response.headers()["content-type"].clone();
    let body = json(response, status).await;
    assert_eq!(kind, "application/problem+json", "{body}");
    // Where a provider has an object of that name, its words stand there.
    match body["status"].is_object() {
        true => assert_eq!(body["status"]["error_message"], body["detail"]),
        false => assert_eq!(body["status"], status),
    }
    let name = body["type"].as_str().unwrap().strip_prefix("/problems/");
    let detail = body["detail"].as_str().unwrap().to_owned();
    (name.unwrap().to_owned(), detail)
}

pub(crate) async fn number(store: &Store, sql: &'static str) -> i64 {
    let found = sqlx::query_scalar(sql).fetch_one(store.pool()).await;
    found.unwrap()
}

pub(crate) async fn execute(store: &Store, sql: &'static str) {
    sqlx::query(sql).execute(store.pool()).await.unwrap();
}

/// The ids of the coins that the example tracks.
pub(crate) async fn tracked_ids(server: &Server) -> Vec<String> {
    let ids = "select item from larder.resources where tracked and item is not null order by item";
    let ids = sqlx::query_scalar(ids).fetch_all(server.store.pool()).await;
    ids.unwrap()
}
