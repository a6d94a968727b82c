//! `larder bench calls`: how many calls a second workers make of one provider.
//!
//! Every call answers one job and none can be shared, so that each costs an admission, a
//! request to the sandbox and a record. The clock runs from the start of the workers to
//! the commit of the last outcome; what counts is what was recorded.

use std::time::{Duration, Instant};

use serde::Serialize;
use worker::Handlers;

use super::place::Place;
use super::report::{Report, median};
use super::upstream::{OPEN, Upstream, page};
use crate::cli::Failure;
use crate::commands::connect::failure;

/// Longest time for one run.
const PATIENCE: Duration = Duration::from_secs(600);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Calls to make
    #[arg(long, default_value_t = 3_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    calls: u32,
    /// Workers, each with connections of its own, in this process
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    workers: u32,
    /// How often to measure; the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// Print JSON lines
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Serialize)]
struct Run {
    bench: &'static str,
    of: &'static str,
    run: u32,
    calls: u32,
    workers: u32,
    seconds: f64,
    calls_per_second: f64,
}

#[derive(Serialize)]
struct Summary {
    bench: &'static str,
    of: &'static str,
    calls: u32,
    workers: u32,
    runs: u32,
    calls_per_second: f64,
}

/// Measures, each time with a queue of its own and all calls before still in the ledger.
pub(super) async fn run(
    arguments: &Arguments,
    place: &Place,
    report: &mut Report,
) -> Result<(), Failure> {
    let upstream = Upstream::start(place).await?;
    let mut rates = Vec::new();
    for run in 1..=arguments.runs {
        report.run(run, arguments.runs);
        let seconds = drain(arguments, place, &upstream, run).await?.as_secs_f64();
        let calls_per_second = f64::from(arguments.calls) / seconds;
        let result = Run {
            bench: "calls",
            of: "calls",
            run,
            calls: arguments.calls,
            workers: arguments.workers,
            seconds,
            calls_per_second,
        };
        report.add(
            &format!("run {run}"),
            &format!("{calls_per_second:.0} calls/s"),
            &format!("{} calls in {seconds:.2} s", arguments.calls),
            &result,
        )?;
        rates.push(calls_per_second);
    }
    upstream.sandbox.stop().await;
    let calls_per_second = median(rates);
    let summary = Summary {
        bench: "calls",
        of: "median",
        calls: arguments.calls,
        workers: arguments.workers,
        runs: arguments.runs,
        calls_per_second,
    };
    report.add(
        "median",
        &format!("{calls_per_second:.0} calls/s"),
        &format!("{} workers, one lane", arguments.workers),
        &summary,
    )
}

async fn drain(
    arguments: &Arguments,
    place: &Place,
    upstream: &Upstream,
    run: u32,
) -> Result<Duration, Failure> {
    let database = place.database();
    database.empty().await.map_err(|error| failure(&error))?;
    upstream.fill(OPEN, (0..arguments.calls).map(page)).await?;
    database
        .settle_all()
        .await
        .map_err(|error| failure(&error))?;
    let began = Instant::now();
    let mut workers = Vec::new();
    for _ in 0..arguments.workers {
        workers.push(place.worker_of(&upstream.setup, Handlers::shipped())?);
    }
    let all = u64::from(arguments.calls) * u64::from(run);
    let handle = upstream.sandbox.handle();
    let arrived = tokio::time::timeout(PATIENCE, handle.arrived(all)).await;
    for worker in &workers {
        worker.recorded().await;
    }
    let took = began.elapsed();
    for worker in workers {
        worker.stop().await;
    }
    let (completed, left) = database.tally().await.map_err(|error| failure(&error))?;
    if arrived.is_err() || completed != i64::from(arguments.calls) {
        return Err(Failure::new(format!(
            "{completed} of {} calls were recorded, {left} jobs are left",
            arguments.calls
        )));
    }
    Ok(took)
}
