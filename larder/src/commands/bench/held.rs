//! `larder bench held`: what claims cost while somebody holds a snapshot for minutes.
//!
//! Then no vacuum removes what was finished since, and a queue whose claims read those rows
//! again grows slower until it stands. Jobs come in and go out at one rate: of three
//! priorities, a tenth of them due later in no order, and one in fifty fails once and is
//! tried again. Claims are those of a worker ([`shared::store::Claimer`]).

use std::collections::HashSet;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::json;
use shared::model::{JobId, Priority, kind};
use shared::store::bench::HeldSnapshot;
use shared::store::{ClaimedJob, JobEnd, JobOutcome, JobRequest, Store, StoreError};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::place::Place;
use super::report::{Report, Times};
use crate::cli::Failure;
use crate::commands::connect::failure;

/// Time between two statements that put jobs in.
const BEAT: Duration = Duration::from_millis(20);

/// Most jobs in one claim.
const BATCH: usize = 500;

/// Time between two claims that found everything taken.
const REST: Duration = Duration::from_millis(4);

/// Longest delay of a job that is due later.
const LATER: u64 = 10_000;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Minutes to run; the first is compared with the last
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(2..=1_440))]
    minutes: u32,
    /// Jobs in and out a second
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(50..=100_000))]
    rate: u32,
    /// Hold no snapshot, to compare with
    #[arg(long)]
    free: bool,
    /// Print JSON lines
    #[arg(long)]
    pub(super) json: bool,
}

/// What one minute was like.
#[derive(Serialize)]
struct Minute {
    bench: &'static str,
    minute: u32,
    claims: usize,
    claim: Times,
    /// From when a job was due to its start.
    wait: Times,
}

#[derive(Serialize)]
struct Summary {
    bench: &'static str,
    of: &'static str,
    p50_ratio: f64,
    p99_ratio: f64,
    /// How much longer the longest wait of the last minute was than that of the first, in seconds.
    longer_wait_secs: f64,
}

/// What was seen in a minute.
#[derive(Default)]
struct Seen {
    claims_ms: Vec<f64>,
    waits_ms: Vec<f64>,
}

/// Measures.
pub(super) async fn run(
    arguments: &Arguments,
    place: &Place,
    report: &mut Report,
) -> Result<(), Failure> {
    let held = match arguments.free {
        true => None,
        false => Some(HeldSnapshot::take(place.database().url()).await),
    };
    let held = held.transpose().map_err(|error| failure(&error))?;
    let stop = CancellationToken::new();
    let store = place.store(4)?;
    let (ended, outcomes) = mpsc::channel(64);
    let minutes = async {
        let minutes = claim(arguments, &store, ended).await;
        stop.cancel();
        minutes
    };
    let measured = tokio::try_join!(
        minutes,
        put_in(arguments, &store, &stop),
        finish(&store, outcomes)
    );
    let (minutes, ..) = measured.map_err(|error| failure(&error))?;
    if let Some(held) = held {
        held.release().await.map_err(|error| failure(&error))?;
    }
    show(minutes, report)
}

fn show(minutes: Vec<Seen>, report: &mut Report) -> Result<(), Failure> {
    let mut shown = Vec::new();
    for (nth, seen) in (1..).zip(minutes) {
        let minute = Minute {
            bench: "held",
            minute: nth,
            claims: seen.claims_ms.len(),
            claim: Times::of_ms(seen.claims_ms),
            wait: Times::of_ms(seen.waits_ms),
        };
        let (p50, claim) = minute.claim.shown();
        let note = format!(
            "{claim}; waits p99 {:.0}, max {:.0} ms",
            minute.wait.p99_ms, minute.wait.max_ms
        );
        report.add(&format!("claims in minute {nth}"), &p50, &note, &minute)?;
        shown.push(minute);
    }
    let (Some(first), Some(last)) = (shown.first(), shown.last()) else {
        return Ok(());
    };
    let summary = Summary {
        bench: "held",
        of: "last to first",
        p50_ratio: last.claim.p50_ms / first.claim.p50_ms,
        p99_ratio: last.claim.p99_ms / first.claim.p99_ms,
        longer_wait_secs: (last.wait.max_ms - first.wait.max_ms) / 1e3,
    };
    let shown = format!("p50 {:.2} times", summary.p50_ratio);
    let note = format!(
        "p99 {:.2} times; longest wait {:+.2} s",
        summary.p99_ratio, summary.longer_wait_secs
    );
    report.add("last minute to first", &shown, &note, &summary)
}

/// Puts jobs in at the rate, until told to stop.
async fn put_in(
    arguments: &Arguments,
    store: &Store,
    stop: &CancellationToken,
) -> Result<(), StoreError> {
    let mut beat = tokio::time::interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let each = arguments.rate * u32::try_from(BEAT.as_millis()).unwrap_or(1) / 1_000;
    let mut nth: u64 = 0;
    while stop.run_until_cancelled(beat.tick()).await.is_some() {
        let requests: Vec<JobRequest> = (0..each)
            .map(|_| {
                nth += 1;
                request(nth)
            })
            .collect();
        store.enqueue(&requests).await?;
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "when what is put in is due, not a decision"
)]
fn request(nth: u64) -> JobRequest {
    let later = Duration::from_millis(nth.wrapping_mul(7_919) % LATER);
    JobRequest {
        priority: Priority([10, 20, 30][usize::try_from(nth % 3).unwrap_or_default()]),
        run_at: (nth.is_multiple_of(10)).then(|| chrono::Utc::now() + later),
        ..JobRequest::handler(kind::NOOP, json!({}))
    }
}

/// Claims for as long as it was asked to, and times it.
async fn claim(
    arguments: &Arguments,
    store: &Store,
    ended: mpsc::Sender<Vec<JobOutcome>>,
) -> Result<Vec<Seen>, StoreError> {
    let lease = Duration::from_secs(600);
    let mut claimer = store.claimer("bench", vec![kind::NOOP.to_owned()], lease);
    let begin = Instant::now();
    let mut minutes: Vec<Seen> = (0..arguments.minutes).map(|_| Seen::default()).collect();
    let mut failed = HashSet::new();
    while let Some(seen) = minutes.get_mut(minute(begin)) {
        let began = Instant::now();
        let claim = claimer.claim(BATCH).await?;
        seen.claims_ms.push(began.elapsed().as_secs_f64() * 1e3);
        let waits = claim.jobs.iter().map(|job| job.started_at - job.run_at);
        seen.waits_ms
            .extend(waits.map(|wait| wait.as_seconds_f64() * 1e3));
        let outcomes: Vec<JobOutcome> =
            claim.jobs.iter().map(|job| end(job, &mut failed)).collect();
        if !outcomes.is_empty() && ended.send(outcomes).await.is_err() {
            break;
        }
        if !claim.more && !claimer.look_back().await {
            tokio::time::sleep(REST).await;
        }
    }
    Ok(minutes)
}

fn minute(begin: Instant) -> usize {
    usize::try_from(begin.elapsed().as_secs() / 60).unwrap_or(usize::MAX)
}

/// One job in fifty fails the first time.
fn end(job: &ClaimedJob, failed: &mut HashSet<JobId>) -> JobOutcome {
    let fails = job.id.0.as_u128().is_multiple_of(50) && failed.insert(job.id);
    JobOutcome {
        id: job.id,
        lease_token: job.lease_token,
        end: match fails {
            true => JobEnd::Retry {
                after: Duration::from_secs(2),
                error: "tried again".to_owned(),
            },
            false => JobEnd::Done,
        },
    }
}

async fn finish(
    store: &Store,
    mut outcomes: mpsc::Receiver<Vec<JobOutcome>>,
) -> Result<(), StoreError> {
    while let Some(mut ended) = outcomes.recv().await {
        while let Ok(more) = outcomes.try_recv() {
            ended.extend(more);
        }
        store.finish(&ended).await?;
    }
    Ok(())
}
