//! `larder bench closed`: what jobs that wait for a closed lane cost those of another one.
//!
//! A worker calls the sandbox for single jobs while all is idle, in turns without and with
//! many jobs in a closed lane beside it. From the insert to the start of the call, by the
//! database's clock.

use std::time::Duration;

use serde::Serialize;
use shared::store::Notifier;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use worker::{Handlers, Worker};

use super::place::Place;
use super::report::{Report, Times, median};
use super::upstream::{CLOSED, OPEN, Upstream, page, refresh};
use crate::cli::Failure;
use crate::commands::connect::failure;

/// Longest wait for the calls of one turn.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Jobs that wait in the closed lane
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    jobs: u32,
    /// Jobs to time in each turn
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    samples: u32,
    /// Inserts a second
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rate: u32,
    /// Turns of either kind; the median of their medians counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// Print JSON lines
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Serialize)]
struct Turn {
    bench: &'static str,
    of: &'static str,
    run: u32,
    jobs: u64,
    samples: u32,
    #[serde(flatten)]
    times: Times,
}

#[derive(Serialize)]
struct Summary {
    bench: &'static str,
    of: &'static str,
    without_p50_ms: f64,
    with_p50_ms: f64,
    ratio: f64,
}

/// Measures both kinds of turns.
pub(super) async fn run(
    arguments: &Arguments,
    place: &Place,
    report: &mut Report,
) -> Result<(), Failure> {
    let upstream = Upstream::start(place).await?;
    report.doing("filling the closed lane");
    let lane = CLOSED
        .parse()
        .map_err(|_| Failure::new("the lane's name is none"))?;
    let closed = upstream.store.close_lane(&lane, "bench", None).await;
    closed.map_err(|error| failure(&error))?;
    upstream
        .fill(CLOSED, (0..arguments.jobs).map(beside))
        .await?;

    let worker = place.worker_of(&upstream.setup, Handlers::shipped())?;
    let stop = CancellationToken::new();
    let notifier = Notifier::start(&upstream.store, &stop);
    let turns = take_turns(arguments, place, &upstream, &worker, &notifier, report).await;
    stop.cancel();
    worker.stop().await;
    upstream.sandbox.stop().await;
    let (without, with) = turns?;
    let (without_p50_ms, with_p50_ms) = (median(without), median(with));
    let summary = Summary {
        bench: "closed",
        of: "ratio",
        without_p50_ms,
        with_p50_ms,
        ratio: with_p50_ms / without_p50_ms,
    };
    report.add(
        "ratio",
        &format!("{:.3}", summary.ratio),
        &format!("median start {with_p50_ms:.2} ms with, {without_p50_ms:.2} ms without"),
        &summary,
    )
}

/// The medians of the turns without and with the waiting jobs.
async fn take_turns(
    arguments: &Arguments,
    place: &Place,
    upstream: &Upstream,
    worker: &Worker,
    notifier: &Notifier,
    report: &mut Report,
) -> Result<(Vec<f64>, Vec<f64>), Failure> {
    let database = place.database();
    let (mut without, mut with) = (Vec::new(), Vec::new());
    // The first calls of a worker open connections.
    turn(arguments, place, upstream, worker, notifier).await?;
    for run in 1..=arguments.runs {
        let aside = database.put_aside(CLOSED).await;
        aside.map_err(|error| failure(&error))?;
        report.run(run, arguments.runs);
        let waits = turn(arguments, place, upstream, worker, notifier).await?;
        without.push(add(arguments, ("without", run, 0), &waits, report)?);
        let back = database.put_back().await.map_err(|error| failure(&error))?;
        if back != u64::from(arguments.jobs) {
            return Err(Failure::new(format!(
                "{back} of {} jobs waited in the closed lane",
                arguments.jobs
            )));
        }
        let waits = turn(arguments, place, upstream, worker, notifier).await?;
        with.push(add(arguments, ("with", run, back), &waits, report)?);
    }
    Ok((without, with))
}

fn add(
    arguments: &Arguments,
    (of, run, jobs): (&'static str, u32, u64),
    waits: &[f64],
    report: &mut Report,
) -> Result<f64, Failure> {
    let turn = Turn {
        bench: "closed",
        of,
        run,
        jobs,
        samples: arguments.samples,
        times: Times::of_ms(waits.to_vec()),
    };
    let (shown, note) = turn.times.shown();
    report.add(&format!("run {run}, {of}"), &shown, &note, &turn)?;
    Ok(turn.times.p50_ms)
}

/// Lets the worker make single calls; answers how long their jobs waited, in milliseconds.
async fn turn(
    arguments: &Arguments,
    place: &Place,
    upstream: &Upstream,
    worker: &Worker,
    notifier: &Notifier,
) -> Result<Vec<f64>, Failure> {
    let handle = upstream.sandbox.handle();
    let before = handle.total().requests;
    let mut pace = tokio::time::interval(Duration::from_secs(1) / arguments.rate);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for nth in 0..arguments.samples {
        pace.tick().await;
        let request = refresh(upstream.resource(OPEN, &page(nth))?);
        upstream.enqueue(&[request]).await?;
        notifier.jobs();
    }
    let all = before + u64::from(arguments.samples);
    let arrived = tokio::time::timeout(PATIENCE, handle.arrived(all)).await;
    worker.recorded().await;
    let waits = place.database().take_waits(OPEN).await;
    let waits = waits.map_err(|error| failure(&error))?;
    match arrived.is_ok() && waits.len() == arguments.samples as usize {
        true => Ok(waits),
        false => Err(Failure::new(format!(
            "{} of {} jobs were done",
            waits.len(),
            arguments.samples
        ))),
    }
}

/// A resource of the closed lane: 250 of them could share a call.
fn beside(nth: u32) -> String {
    let (convert, id) = (nth / 250, nth % 250 + 1);
    format!("/v3/cryptocurrency/quotes/latest?id={id}&convert=X{convert}")
}
