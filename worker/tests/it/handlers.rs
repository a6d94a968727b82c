//! Handlers' jobs: what becomes of them, whatever their handler does.

mod bounds;
mod logs;
mod receiver;
mod signed;
mod walkthrough;
mod webhook;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use shared::model::JobId;
use shared::setup::Setup;
use shared::store::{JobRequest, JobRow, Store};
use sqlx::PgPool;
use worker::{Handlers, Worker, WorkerOptions};

/// Looks every 50 ms and tries again at once, so that tests need not wait.
const QUICK: &str = "
[worker]
poll_interval = '50ms'
shutdown_grace = '0s'
[queue.retry]
initial = '10ms'
max = '10ms'
jitter = 0.0
";

/// A worker's setup with more configuration and environment.
fn setup(more: &str, environment: &[(&str, &str)]) -> Setup {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(
        directory.path().join("larder.toml"),
        format!("{QUICK}{more}"),
    )
    .unwrap();
    let environment: BTreeMap<String, String> = environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Setup::from_environment(environment, directory.path(), None).unwrap()
}

fn start(pool: &PgPool, setup: &Setup, handlers: Handlers) -> Worker {
    let mut url = url::Url::parse(&std::env::var("DATABASE_URL").unwrap()).unwrap();
    url.set_path(pool.connect_options().get_database().unwrap());
    Worker::start(WorkerOptions {
        catalog: Arc::clone(&setup.catalog),
        secrets: setup.secrets.clone(),
        database_url: url.to_string(),
        listen_url: None,
        handlers,
    })
    .unwrap()
}

async fn enqueue(pool: &PgPool, kind: &str, args: Value, max_attempts: i32) -> JobId {
    let request = JobRequest {
        max_attempts,
        ..JobRequest::handler(kind, args)
    };
    let enqueued = Store::new(pool.clone()).enqueue(&[request]).await.unwrap();
    enqueued[0].job.id
}

/// The job, as soon as it is as asked; fails after 20 s.
async fn until(pool: &PgPool, id: JobId, is_so: impl Fn(&JobRow) -> bool) -> JobRow {
    let store = Store::new(pool.clone());
    let asking = async {
        loop {
            let job = store.job(id).await.unwrap();
            if is_so(&job) {
                return job;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(20), asking).await;
    match found {
        Ok(job) => job,
        Err(_) => panic!("it is still {:?}", store.job(id).await.unwrap()),
    }
}

async fn ended(pool: &PgPool, id: JobId) -> JobRow {
    until(pool, id, |job| job.status.is_final()).await
}

/// What is kept of each attempt that failed.
fn errors(job: &JobRow) -> Vec<String> {
    let errors = job.errors.as_array().unwrap().iter();
    errors
        .map(|error| error["error"].as_str().unwrap().to_owned())
        .collect()
}
