//! What real processes on a durable Postgres of their own live through, one trouble a test.
//!
//! `docs/queue.md` lists all that the queue survives. The chaos test runs troubles together
//! and judges the budget too; here each is alone, so that a failure has its name.

mod clocks;
mod disk;
mod first_process;
mod outage;

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use shared::store::Store;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::chaos::database::Database;
use crate::chaos::process::Process;
use crate::chaos::programs::Programs;
use crate::chaos::relay::Relay;

const SECRET: &str = "a-secret-of-this-test";

/// Longest wait for anything that must come: a slow machine is no failure.
const PATIENCE: Duration = Duration::from_secs(180);

const CONFIGURATION: &str = r#"
[worker]
lease = "4s"
call_timeout = "2s"
connect_timeout = "1s"
poll_interval = "500ms"
listen = "127.0.0.1:0"
max_rescues = 20

[enqueuer]
listen = "127.0.0.1:0"
tick_every = "0s"
"#;

/// An enqueuer and workers on a database of their own.
struct Site {
    dir: PathBuf,
    /// Apart, since the disk of `dir` may be full.
    logs: TempDir,
    programs: Programs,
    database: Database,
    pool: PgPool,
    variables: Vec<(String, String)>,
    enqueuer: Process,
    workers: Vec<Process>,
}

impl Site {
    /// Starts all in `dir`, where the database's files stand too.
    async fn start(dir: &Path, workers: usize) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let programs = tokio::task::spawn_blocking(Programs::find).await.unwrap();
        let database = Database::start(dir).await;
        let relay = Relay::start(&database.url()).await;
        let pool = PgPoolOptions::new()
            .max_connections(2)
            .acquire_timeout(Duration::from_secs(2))
            .connect(&database.url())
            .await
            .unwrap();
        Store::new(pool.clone()).migrate().await.unwrap();
        let config = dir.join("larder.toml");
        std::fs::write(&config, CONFIGURATION).unwrap();
        let variables = vec![
            ("DATABASE_URL".to_owned(), relay.url().to_owned()),
            ("JOBS_API_SECRET".to_owned(), SECRET.to_owned()),
            (
                "LARDER_CONFIG".to_owned(),
                config.to_str().unwrap().to_owned(),
            ),
        ];
        let logs = directory();
        let log = logs.path().join("enqueuer.log");
        let enqueuer = Process::start(&programs.enqueuer, dir, log, &variables, 0);
        let mut site = Self {
            dir: dir.to_owned(),
            logs,
            enqueuer,
            workers: Vec::new(),
            programs,
            database,
            pool,
            variables,
        };
        for _ in 0..workers {
            site.hire(0);
        }
        site
    }

    /// One more worker, with a clock that is off by so many seconds.
    fn hire(&mut self, clock_off: i64) {
        let log = format!("worker-{}.log", self.workers.len());
        let log = self.logs.path().join(log);
        let program = &self.programs.worker;
        let worker = Process::start(program, &self.dir, log, &self.variables, clock_off);
        self.workers.push(worker);
    }

    /// A number from the database; none while that is away.
    async fn number(&self, sql: &'static str) -> Option<i64> {
        let found = sqlx::query_scalar(sql).fetch_one(&self.pool);
        found.await.ok()
    }

    /// Waits until `sql` gives what `is_it` wants.
    async fn until(&self, what: &str, sql: &'static str, is_it: impl Fn(i64) -> bool) {
        let began = Instant::now();
        while !self.number(sql).await.is_some_and(&is_it) {
            assert!(began.elapsed() < PATIENCE, "never: {what}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until nothing is left to do; every job that was accepted must have ended well,
    /// and once.
    async fn judge(&self, accepted: &HashSet<Uuid>) {
        self.until("all jobs end", "select count(*) from larder.jobs", |live| {
            live == 0
        })
        .await;
        let rows = sqlx::query_as::<_, (Uuid, String, i32)>(
            "select id, status::text, attempt from larder.finished_jobs",
        );
        let rows = rows.fetch_all(&self.pool).await.unwrap();
        let ids: HashSet<Uuid> = rows.iter().map(|(id, ..)| *id).collect();
        assert_eq!(ids.len(), rows.len(), "some ended twice");
        assert_eq!(accepted.difference(&ids).count(), 0, "some are lost");
        for (id, status, attempt) in rows {
            assert_eq!((status.as_str(), attempt), ("completed", 1), "{id}");
        }
    }

    /// Stops all in order; whatever ended must end well.
    async fn stop(self) {
        self.enqueuer.signal(Signal::TERM);
        for worker in &self.workers {
            worker.signal(Signal::TERM);
        }
        for process in self.workers.iter().chain([&self.enqueuer]) {
            let status = process.end().await;
            assert!(status.success(), "{status}: {}", process.said());
        }
        self.pool.close().await;
        self.database.stop().await;
    }
}

/// What was put in, and what was not.
#[derive(Debug, Default)]
struct Fed {
    accepted: HashSet<Uuid>,
    /// Requests that were refused, or not answered.
    refused: usize,
}

/// Puts jobs in, a few at a time, until dropped.
struct Feeder {
    fed: Arc<Mutex<Fed>>,
    stop: CancellationToken,
}

impl Drop for Feeder {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Feeder {
    /// Starts feeding jobs whose args have this many bytes.
    fn start(site: &Site, bytes: usize) -> Self {
        let feeder = Self {
            fed: Arc::default(),
            stop: CancellationToken::new(),
        };
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(10))
            .build()
            .unwrap();
        let (fed, stop) = (Arc::clone(&feeder.fed), feeder.stop.clone());
        let enqueuer = site.enqueuer.clone();
        tokio::spawn(async move {
            let feeding = async {
                loop {
                    if let Some(address) = enqueuer.field("listening", "address") {
                        let sent = post(&client, &address, bytes).await;
                        let mut fed = fed.lock().unwrap();
                        match sent {
                            Some(ids) => fed.accepted.extend(ids),
                            None => fed.refused += 1,
                        }
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            };
            stop.run_until_cancelled(feeding).await;
        });
        feeder
    }

    fn refused(&self) -> usize {
        self.fed.lock().unwrap().refused
    }

    /// Stops, and answers what was accepted. A request on its way may still be accepted; its
    /// jobs are judged like all others, though nobody waits for its answer.
    fn end(self) -> HashSet<Uuid> {
        self.stop.cancel();
        std::mem::take(&mut self.fed.lock().unwrap().accepted)
    }
}

/// Puts jobs in; none if they were refused or nobody answered.
async fn post(client: &reqwest::Client, address: &str, bytes: usize) -> Option<Vec<Uuid>> {
    // Text that cannot be made smaller, so that it takes the room that it has.
    let text: String = (0..bytes.div_ceil(32))
        .map(|_| Uuid::new_v4().simple().to_string())
        .collect();
    let jobs = vec![json!({"kind": "noop", "args": {"text": text}}); 5];
    let sent = client
        .post(format!("http://{address}/api/jobs"))
        .bearer_auth(SECRET)
        .body(Value::from(jobs).to_string())
        .send();
    let answer = sent.await.ok()?;
    let status = answer.status();
    assert!(!status.is_client_error(), "{status}");
    if !status.is_success() {
        assert_eq!(
            status.as_u16(),
            503,
            "trouble of the database is said to be that"
        );
        return None;
    }
    let jobs: Vec<Value> = serde_json::from_str(&answer.text().await.ok()?).ok()?;
    let id = |job: &Value| job["id"].as_str()?.parse().ok();
    jobs.iter().map(id).collect()
}

/// A directory that the user of Postgres can pass.
fn directory() -> TempDir {
    tempfile::Builder::new()
        .prefix("larder-survives-")
        .tempdir_in("/tmp")
        .unwrap()
}

/// Says that a test was not run, past what the harness keeps to itself of a test that passes.
fn not_run(why: &str) {
    let _ = writeln!(std::io::stderr(), "not run: {why}");
}
