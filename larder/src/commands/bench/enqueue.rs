//! `larder bench enqueue`: how fast jobs are put in.
//!
//! Many in one statement; one at a time on one connection, beside the least insert there
//! is; and one at a time on eight connections, with and without announcing them, since a
//! NOTIFY in the inserting transaction would cost more than half of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::json;
use shared::model::kind;
use shared::store::bench::{BareInserter, BareQueue};
use shared::store::{JobRequest, Notifier, Store, StoreError};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::place::Place;
use super::report::{Report, median};
use crate::cli::Failure;
use crate::commands::connect::failure;

/// Jobs in one statement.
const CHUNK: usize = 5_000;

/// Single inserts before the other way has its turn.
const TURN: u32 = 400;

/// Connections that put jobs in at once.
const CONNECTIONS: u32 = 8;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Jobs that are put in by large statements
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    bulk: u32,
    /// Jobs that are put in one at a time
    #[arg(long, default_value_t = 4_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    single: u32,
    /// How often to measure; the median counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// Print JSON lines
    #[arg(long)]
    pub(super) json: bool,
}

/// One rate, as a median, and what it is held against.
#[derive(Serialize)]
struct Rate {
    bench: &'static str,
    of: &'static str,
    runs: u32,
    jobs_per_second: f64,
    beside_jobs_per_second: Option<f64>,
    ratio: Option<f64>,
}

/// Measures all of them in turns.
pub(super) async fn run(
    arguments: &Arguments,
    place: &Place,
    report: &mut Report,
) -> Result<(), Failure> {
    let url = place.database().url();
    let bare = BareQueue::connect(url).await;
    bare.map_err(|error| failure(&error))?.close().await;
    let bare = BareInserter::connect(url).await;
    let mut bare = bare.map_err(|error| failure(&error))?;
    let (one, eight) = (place.store(1)?, place.store(CONNECTIONS)?);
    let mut rates: [Vec<f64>; 5] = Default::default();
    for run in 1..=arguments.runs {
        report.run(run, arguments.runs);
        place
            .database()
            .empty()
            .await
            .map_err(|error| failure(&error))?;
        rates[0].push(rate(arguments.bulk, bulk(&one, arguments.bulk)).await?);
        let singles = [Way::Bare(&mut bare), Way::Ours(&one)];
        let [bare_single, single] = in_turns(arguments.single, singles).await?;
        rates[1].push(bare_single);
        rates[2].push(single);
        let spreads = [Way::Silent(&eight), Way::Announced(&eight)];
        let [silent, announced] = in_turns(arguments.single, spreads).await?;
        rates[3].push(silent);
        rates[4].push(announced);
    }
    let [bulk, bare_single, single, eight, eight_announced] = rates.map(median);
    let mut show = |of, jobs_per_second: f64, beside: Option<(&str, f64)>| {
        let rate = Rate {
            bench: "enqueue",
            of,
            runs: arguments.runs,
            jobs_per_second,
            beside_jobs_per_second: beside.map(|(_, rate)| rate),
            ratio: beside.map(|(_, rate)| jobs_per_second / rate),
        };
        let note = match beside {
            Some((what, beside)) => {
                let ratio = jobs_per_second / beside;
                format!("{ratio:.2} of {what} ({beside:.0} jobs/s)")
            }
            None => format!("{CHUNK} in a statement"),
        };
        report.add(of, &format!("{jobs_per_second:.0} jobs/s"), &note, &rate)
    };
    show("many at once", bulk, None)?;
    show(
        "one at a time",
        single,
        Some(("a bare insert", bare_single)),
    )?;
    show(
        "8 connections, announced",
        eight_announced,
        Some(("unannounced", eight)),
    )
}

async fn rate(
    jobs: u32,
    putting_in: impl Future<Output = Result<(), StoreError>>,
) -> Result<f64, Failure> {
    let began = Instant::now();
    putting_in.await.map_err(|error| failure(&error))?;
    Ok(f64::from(jobs) / began.elapsed().as_secs_f64())
}

/// A way to put jobs in, one at a time.
enum Way<'a> {
    Bare(&'a mut BareInserter),
    Ours(&'a Store),
    /// On all connections at once.
    Silent(&'a Store),
    /// The same, and whoever waits is woken.
    Announced(&'a Store),
}

impl Way<'_> {
    async fn put_in(&mut self, jobs: u32) -> Result<(), StoreError> {
        match self {
            Self::Bare(bare) => bare_singles(bare, jobs).await,
            Self::Ours(store) => singles(store, jobs, None).await,
            Self::Silent(store) => spread(store, jobs, false).await,
            Self::Announced(store) => spread(store, jobs, true).await,
        }
    }
}

/// The rates of two ways, in short turns: a machine that others use changes its pace within a
/// second.
async fn in_turns(jobs: u32, mut ways: [Way<'_>; 2]) -> Result<[f64; 2], Failure> {
    let mut took = [Duration::ZERO; 2];
    let mut left = jobs;
    while left > 0 {
        let turn = left.min(TURN);
        for (way, took) in ways.iter_mut().zip(&mut took) {
            let began = Instant::now();
            let put_in = way.put_in(turn).await;
            put_in.map_err(|error| failure(&error))?;
            *took += began.elapsed();
        }
        left -= turn;
    }
    Ok(took.map(|took| f64::from(jobs) / took.as_secs_f64()))
}

fn noops(jobs: usize) -> Vec<JobRequest> {
    vec![JobRequest::handler(kind::NOOP, json!({})); jobs]
}

async fn bulk(store: &Store, jobs: u32) -> Result<(), StoreError> {
    let requests = noops(CHUNK);
    let mut left = usize::try_from(jobs).unwrap_or(usize::MAX);
    while left > 0 {
        let chunk = &requests[..left.min(CHUNK)];
        store.enqueue(chunk).await?;
        left -= chunk.len();
    }
    Ok(())
}

async fn bare_singles(bare: &mut BareInserter, jobs: u32) -> Result<(), StoreError> {
    for _ in 0..jobs {
        bare.insert().await?;
    }
    Ok(())
}

async fn singles(store: &Store, jobs: u32, notifier: Option<&Notifier>) -> Result<(), StoreError> {
    let request = noops(1);
    for _ in 0..jobs {
        match notifier {
            Some(notifier) => store.enqueue_announced(&request, notifier).await?,
            None => store.enqueue(&request).await?,
        };
    }
    Ok(())
}

/// On all connections of the store at once.
async fn spread(store: &Store, jobs: u32, announced: bool) -> Result<(), StoreError> {
    let stop = CancellationToken::new();
    let notifier = announced.then(|| Arc::new(Notifier::start(store, &stop)));
    let each = jobs.div_ceil(CONNECTIONS);
    let mut tasks = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (store, notifier) = (store.clone(), notifier.clone());
        tasks.spawn(async move { singles(&store, each, notifier.as_deref()).await });
    }
    let done: Vec<Result<(), StoreError>> = tasks.join_all().await;
    stop.cancel();
    done.into_iter().collect()
}
