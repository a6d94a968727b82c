//! Keeps every lane in backlog, as operators and cron do, and remembers what was accepted.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::PATIENCE;
use super::dice::Dice;
use super::misbehaving::Misdeed;
use super::world::{SECRET, World};

/// Jobs that wait or run in each lane, so that no lane ever runs dry.
const BACKLOG: usize = 120;

/// Jobs of the lane that has no budget, with each round.
const LOCAL: usize = 5;

/// What the enqueuer answered.
#[derive(Debug, Default)]
pub(crate) struct Fed {
    /// Jobs that it said it has.
    pub(crate) accepted: HashSet<Uuid>,
    /// Requests that were not answered, or with an error: the database was away.
    pub(crate) refused: usize,
}

#[derive(Clone)]
pub(crate) struct Feeder {
    client: reqwest::Client,
    pub(crate) fed: Arc<Mutex<Fed>>,
}

impl Feeder {
    pub(crate) fn new() -> Self {
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(10))
            .build()
            .unwrap();
        Self {
            client,
            fed: Arc::default(),
        }
    }

    /// Feeds until told to stop.
    pub(crate) async fn feed(&self, world: &World, seed: u64, stop: &CancellationToken) {
        let mut dice = Dice::new(seed);
        while !stop.is_cancelled() {
            let rows = sqlx::query_as::<_, (String, i64)>(
                "select lane, count(*) from larder.jobs group by lane",
            );
            if let Ok(rows) = rows.fetch_all(&world.pool).await {
                let live: HashMap<String, i64> = rows.into_iter().collect();
                let mut jobs = vec![json!({"kind": "noop"}); LOCAL];
                for lane in &world.lanes {
                    let waiting = live.get(lane.spec.name).copied().unwrap_or(0);
                    let missing = BACKLOG.saturating_sub(usize::try_from(waiting).unwrap());
                    jobs.extend(
                        (0..missing).map(
                            |_| json!({"kind": "refresh", "resource": lane.resource(&mut dice)}),
                        ),
                    );
                }
                self.post(world, Value::from(jobs)).await;
            }
            stop.run_until_cancelled(tokio::time::sleep(Duration::from_millis(250)))
                .await;
        }
    }

    async fn post(&self, world: &World, jobs: Value) {
        let Some(enqueuer) = world.enqueuer_url() else {
            return;
        };
        let sent = self
            .client
            .post(format!("{enqueuer}/api/jobs"))
            .bearer_auth(SECRET)
            .header("content-type", "application/json")
            .body(jobs.to_string())
            .send()
            .await;
        let answer = match sent {
            Ok(answer) if answer.status().is_success() => answer.text().await.ok(),
            Ok(answer) if answer.status().is_client_error() => {
                panic!("the enqueuer takes no such jobs: {}", answer.status())
            }
            _ => None,
        };
        let mut fed = self.fed.lock().unwrap();
        let Some(answer) = answer else {
            fed.refused += 1;
            return;
        };
        let jobs: Vec<Value> = serde_json::from_str(&answer).unwrap();
        let id = |job: &Value| job["id"].as_str().unwrap().parse::<Uuid>().unwrap();
        fed.accepted.extend(jobs.iter().map(id));
    }

    /// Puts in jobs whose handler misbehaves, as applications do with SQL.
    pub(crate) async fn misdeed(&self, world: &World, misdeed: Misdeed, count: i32) {
        let began = Instant::now();
        loop {
            let asked = sqlx::query_scalar::<_, Uuid>(
                "select larder.enqueue('misbehaving', jsonb_build_object('misdeed', $1),
                                       max_attempts => 2)
                 from generate_series(1, $2)",
            );
            let asked = asked.bind(serde_json::to_value(misdeed).unwrap());
            // The database may be recovering.
            match asked.bind(count).fetch_all(&world.pool).await {
                Ok(ids) => return self.fed.lock().unwrap().accepted.extend(ids),
                Err(error) => assert!(began.elapsed() < PATIENCE, "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Cancels, as an operator, what still waits.
    pub(crate) async fn cancel_all(&self, world: &World) {
        let waiting = sqlx::query_scalar::<_, Uuid>("select id from larder.jobs")
            .fetch_all(&world.pool)
            .await
            .unwrap();
        let enqueuer = world.enqueuer_url().unwrap();
        for id in waiting {
            let url = format!("{enqueuer}/api/jobs/{id}/cancel");
            // One that has ended in the meantime is a conflict, and as good.
            let sent = self.client.post(url).bearer_auth(SECRET).send().await;
            sent.unwrap();
        }
    }
}
