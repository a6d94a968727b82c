//! `larder bench wake`: how long a single job waits for its start while all is idle.
//!
//! Measured from the return of the insert to the start of the handler, as the one who
//! enqueued sees it, in one process and so with one clock.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::json;
use shared::model::JobId;
use shared::model::kind::{self, AnyArgs};
use shared::store::bench::{BareInserter, BareWake};
use shared::store::{JobRequest, Notifier, Store};
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use worker::{Handler, HandlerContext, Handlers, Outcome, Worker};

use super::place::Place;
use super::report::{Report, Times};
use crate::cli::Failure;
use crate::commands::connect::failure;

/// Jobs before the other one has its turn.
const TURN: u32 = 10;

/// Longest wait for the last job. Whoever is not woken polls once a second.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Jobs to insert
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    jobs: u32,
    /// Inserts a second
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rate: u32,
    /// Print JSON lines
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Serialize)]
struct Waits {
    bench: &'static str,
    of: &'static str,
    jobs: u32,
    rate: u32,
    #[serde(flatten)]
    times: Times,
}

#[derive(Serialize)]
struct Summary {
    bench: &'static str,
    of: &'static str,
    p50_ratio: f64,
    p99_ratio: f64,
}

/// Measures bare SQL and the queue, in turns: a machine that others use changes its pace within
/// a second.
pub(super) async fn run(
    arguments: &Arguments,
    place: &Place,
    report: &mut Report,
) -> Result<(), Failure> {
    report.doing("bare SQL and the queue, in turns");
    let mut bare = Bare::start(place).await?;
    let mut queue = Queue::start(place)?;
    let measured = in_turns(arguments, &mut bare, &mut queue).await;
    let waits = queue.stop().await;
    measured?;
    let bare = result(arguments, "bare_sql", &bare.waits, report)?;
    let queue = result(arguments, "queue", &waits, report)?;
    let summary = Summary {
        bench: "wake",
        of: "ratio",
        p50_ratio: queue.p50_ms / bare.p50_ms,
        p99_ratio: queue.p99_ms / bare.p99_ms,
    };
    let shown = format!("p50 {:.2}", summary.p50_ratio);
    let note = format!("p99 {:.2}, queue to bare SQL", summary.p99_ratio);
    report.add("ratio", &shown, &note, &summary)
}

async fn in_turns(
    arguments: &Arguments,
    bare: &mut Bare,
    queue: &mut Queue,
) -> Result<(), Failure> {
    let mut left = arguments.jobs;
    while left > 0 {
        let turn = left.min(TURN);
        bare.turn(turn, pace(arguments)).await?;
        queue.turn(turn, pace(arguments)).await?;
        left -= turn;
    }
    Ok(())
}

fn result(
    arguments: &Arguments,
    of: &'static str,
    waits: &[Duration],
    report: &mut Report,
) -> Result<Times, Failure> {
    let waits = Waits {
        bench: "wake",
        of,
        jobs: arguments.jobs,
        rate: arguments.rate,
        times: Times::of(waits),
    };
    let (shown, note) = waits.times.shown();
    report.add(&of.replace('_', " "), &shown, &note, &waits)?;
    Ok(waits.times)
}

/// A connection that inserts, and one that listens and claims.
struct Bare {
    inserter: BareInserter,
    starts: Arc<Starts<i64>>,
    waits: Vec<Duration>,
    _listening: AbortOnDropHandle<()>,
}

impl Bare {
    async fn start(place: &Place) -> Result<Self, Failure> {
        let url = place.database().url();
        let listener = BareWake::connect(url).await;
        let mut listener = listener.map_err(|error| failure(&error))?;
        let inserter = BareInserter::connect(url).await;
        let starts = Arc::new(Starts::default());
        let seen = Arc::clone(&starts);
        let listening = tokio::spawn(async move {
            while let Ok(ids) = listener.next().await {
                let now = Instant::now();
                ids.into_iter().for_each(|id| seen.add(id, now));
            }
        });
        Ok(Self {
            inserter: inserter.map_err(|error| failure(&error))?,
            starts,
            waits: Vec::new(),
            _listening: AbortOnDropHandle::new(listening),
        })
    }

    async fn turn(&mut self, jobs: u32, mut pace: Interval) -> Result<(), Failure> {
        let mut inserted = Vec::new();
        for _ in 0..jobs {
            pace.tick().await;
            let id = self.inserter.insert().await;
            let now = Instant::now();
            inserted.push((id.map_err(|error| failure(&error))?, now));
        }
        self.waits.extend(self.starts.waits(&inserted).await?);
        Ok(())
    }
}

/// A worker, and who enqueues for it.
struct Queue {
    worker: Worker,
    store: Store,
    notifier: Notifier,
    stop: CancellationToken,
    starts: Arc<Starts<JobId>>,
    waits: Vec<Duration>,
}

impl Queue {
    fn start(place: &Place) -> Result<Self, Failure> {
        let store = place.store(2)?;
        let stop = CancellationToken::new();
        let starts = Arc::new(Starts::default());
        Ok(Self {
            worker: place.worker(Handlers::shipped().with(Timed(Arc::clone(&starts))), 64)?,
            notifier: Notifier::start(&store, &stop),
            store,
            stop,
            starts,
            waits: Vec::new(),
        })
    }

    async fn turn(&mut self, jobs: u32, mut pace: Interval) -> Result<(), Failure> {
        let request = [JobRequest::handler(kind::NOOP, json!({}))];
        let mut inserted = Vec::new();
        for _ in 0..jobs {
            pace.tick().await;
            let enqueued = self.store.enqueue_announced(&request, &self.notifier).await;
            let now = Instant::now();
            let enqueued = enqueued.map_err(|error| failure(&error))?;
            inserted.extend(enqueued.iter().map(|enqueued| (enqueued.job.id, now)));
        }
        self.waits.extend(self.starts.waits(&inserted).await?);
        Ok(())
    }

    /// Stops the worker; answers how long each job waited.
    async fn stop(self) -> Vec<Duration> {
        self.stop.cancel();
        self.worker.stop().await;
        self.waits
    }
}

fn pace(arguments: &Arguments) -> Interval {
    let mut pace = tokio::time::interval(Duration::from_secs(1) / arguments.rate);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pace
}

/// When which job started.
struct Starts<K>(Mutex<HashMap<K, Instant>>);

impl<K> Default for Starts<K> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<K: Eq + Hash> Starts<K> {
    fn add(&self, id: K, at: Instant) {
        self.with(|starts| starts.insert(id, at));
    }

    /// How long each waited, once all have started.
    async fn waits(&self, inserted: &[(K, Instant)]) -> Result<Vec<Duration>, Failure> {
        let deadline = Instant::now() + PATIENCE;
        let started = |starts: &mut HashMap<K, Instant>| {
            let started = inserted.iter().filter(|(id, _)| starts.contains_key(id));
            started.count()
        };
        while self.with(started) < inserted.len() {
            if Instant::now() > deadline {
                let started = self.with(started);
                return Err(Failure::new(format!(
                    "{started} of {} jobs started",
                    inserted.len()
                )));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(self.with(|starts| {
            inserted
                .iter()
                .filter_map(|(id, at)| Some(starts.get(id)?.saturating_duration_since(*at)))
                .collect()
        }))
    }

    fn with<R>(&self, change: impl FnOnce(&mut HashMap<K, Instant>) -> R) -> R {
        // The map is whole after each change, whoever panicked.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The kind `noop`, timed.
struct Timed(Arc<Starts<JobId>>);

impl Handler for Timed {
    const KIND: &'static str = kind::NOOP;
    type Args = AnyArgs;

    async fn run(&self, _args: AnyArgs, context: HandlerContext) -> Outcome {
        self.0.add(context.job, Instant::now());
        Outcome::Done
    }
}
