//! `larder bench drain`: how fast workers get through a backlog.
//!
//! The clock runs from the start of the workers, which have to connect first, as the bare SQL has,
//! to the commit of the last outcome, with history kept. The measurement counts what was
//! recorded, so that a queue which loses jobs cannot look fast.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::json;
use shared::model::kind::{self, AnyArgs};
use shared::store::bench::BareQueue;
use shared::store::{JobRequest, Store};
use tokio::sync::Notify;
use worker::{Handler, HandlerContext, Handlers, Outcome};

use super::place::Place;
use super::report::{Report, median};
use crate::cli::Failure;
use crate::commands::connect::failure;

/// Jobs in one statement that enqueues.
const CHUNK: usize = 5_000;

/// Longest silence of the workers before the measurement is given up.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Jobs in the backlog
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    jobs: u32,
    /// Workers, each with connections of its own, in this process
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    workers: u32,
    /// Jobs that a worker runs at once
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    concurrency: u32,
    /// How often to measure; the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// Print JSON lines
    #[arg(long)]
    pub(super) json: bool,
}

/// One run of one of the two.
#[derive(Serialize)]
struct Run {
    bench: &'static str,
    of: &'static str,
    run: u32,
    jobs: u32,
    workers: u32,
    seconds: f64,
    jobs_per_second: f64,
}

/// Both medians.
#[derive(Serialize)]
struct Summary {
    bench: &'static str,
    of: &'static str,
    jobs: u32,
    workers: u32,
    runs: u32,
    queue_jobs_per_second: f64,
    bare_sql_jobs_per_second: f64,
    ratio: f64,
}

/// Measures queue and bare SQL in turns.
pub(super) async fn run(
    arguments: &Arguments,
    place: &Place,
    report: &mut Report,
) -> Result<(), Failure> {
    let url = place.database().url();
    let bare = BareQueue::connect(url).await;
    let mut bare = bare.map_err(|error| failure(&error))?;
    let (mut of_bare, mut of_queue) = (Vec::new(), Vec::new());
    for run in 1..=arguments.runs {
        report.run(run, arguments.runs);
        let took = drain_bare(arguments, &mut bare).await?;
        of_bare.push(result(arguments, run, "bare_sql", took, report)?);
        let took = drain_queue(arguments, place).await?;
        of_queue.push(result(arguments, run, "queue", took, report)?);
    }
    bare.close().await;
    let (queue, bare) = (median(of_queue), median(of_bare));
    let summary = Summary {
        bench: "drain",
        of: "median",
        jobs: arguments.jobs,
        workers: arguments.workers,
        runs: arguments.runs,
        queue_jobs_per_second: queue,
        bare_sql_jobs_per_second: bare,
        ratio: queue / bare,
    };
    report.add(
        "median",
        &format!("{queue:.0} jobs/s"),
        &format!("{:.2} of bare SQL ({bare:.0} jobs/s)", queue / bare),
        &summary,
    )
}

fn result(
    arguments: &Arguments,
    run: u32,
    of: &'static str,
    took: Duration,
    report: &mut Report,
) -> Result<f64, Failure> {
    let seconds = took.as_secs_f64();
    let jobs_per_second = f64::from(arguments.jobs) / seconds;
    let result = Run {
        bench: "drain",
        of,
        run,
        jobs: arguments.jobs,
        workers: arguments.workers,
        seconds,
        jobs_per_second,
    };
    report.add(
        &format!("run {run}, {}", of.replace('_', " ")),
        &format!("{jobs_per_second:.0} jobs/s"),
        &format!("{} jobs in {seconds:.2} s", arguments.jobs),
        &result,
    )?;
    Ok(jobs_per_second)
}

async fn drain_bare(arguments: &Arguments, bare: &mut BareQueue) -> Result<Duration, Failure> {
    let filled = bare.fill(arguments.jobs).await;
    filled.map_err(|error| failure(&error))?;
    let began = Instant::now();
    let drained = bare.drain().await.map_err(|error| failure(&error))?;
    let took = began.elapsed();
    all_done(arguments, drained)?;
    Ok(took)
}

async fn drain_queue(arguments: &Arguments, place: &Place) -> Result<Duration, Failure> {
    let database = place.database();
    database.empty().await.map_err(|error| failure(&error))?;
    let store = place.store(1)?;
    fill(&store, arguments.jobs).await?;
    database.settle().await.map_err(|error| failure(&error))?;

    let counter = Arc::new(Counter::new(arguments.jobs));
    let began = Instant::now();
    let mut workers = Vec::new();
    for _ in 0..arguments.workers {
        let handlers = Handlers::shipped().with(Counted(Arc::clone(&counter)));
        workers.push(place.worker(handlers, arguments.concurrency)?);
    }
    let ran = counter.all_ran().await;
    for worker in &workers {
        // Until what ran is recorded too.
        worker.recorded().await;
    }
    let took = began.elapsed();
    for worker in workers {
        worker.stop().await;
    }
    let (completed, left) = database.tally().await.map_err(|error| failure(&error))?;
    if !ran {
        return Err(Failure::new(format!(
            "the workers did nothing for {} s; {left} jobs are left",
            PATIENCE.as_secs()
        )));
    }
    all_done(arguments, u64::try_from(completed).unwrap_or(0))?;
    Ok(took)
}

async fn fill(store: &Store, jobs: u32) -> Result<(), Failure> {
    let requests = vec![JobRequest::handler(kind::NOOP, json!({})); CHUNK];
    let mut left = usize::try_from(jobs).unwrap_or(usize::MAX);
    while left > 0 {
        let chunk = &requests[..left.min(CHUNK)];
        let enqueued = store.enqueue(chunk).await;
        enqueued.map_err(|error| failure(&error))?;
        left -= chunk.len();
    }
    Ok(())
}

fn all_done(arguments: &Arguments, done: u64) -> Result<(), Failure> {
    match done == u64::from(arguments.jobs) {
        true => Ok(()),
        false => Err(Failure::new(format!(
            "{done} of {} jobs were recorded as done",
            arguments.jobs
        ))),
    }
}

/// Counts the jobs that ran.
struct Counter {
    left: AtomicU64,
    done: Notify,
}

impl Counter {
    fn new(jobs: u32) -> Self {
        Self {
            left: AtomicU64::new(u64::from(jobs)),
            done: Notify::new(),
        }
    }

    fn one(&self) {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.done.notify_one();
        }
    }

    /// Waits until all have run; answers no if they stop running before that.
    async fn all_ran(&self) -> bool {
        let mut seen = self.left.load(Ordering::Relaxed);
        loop {
            if tokio::time::timeout(PATIENCE, self.done.notified())
                .await
                .is_ok()
            {
                return true;
            }
            let left = self.left.load(Ordering::Relaxed);
            if left == seen {
                return false;
            }
            seen = left;
        }
    }
}

/// The kind `noop`, counted.
struct Counted(Arc<Counter>);

impl Handler for Counted {
    const KIND: &'static str = kind::NOOP;
    type Args = AnyArgs;

    async fn run(&self, _args: AnyArgs, _context: HandlerContext) -> Outcome {
        self.0.one();
        Outcome::Done
    }
}
