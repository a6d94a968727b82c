//! `larder bench read`: how fast readers are answered, side by side with nginx.
//!
//! The sandbox is the upstream of both. Larder's cache is filled by a worker, nginx's
//! (`proxy_cache`) by reading everything once. Then each serves the same questions in turns,
//! pinned to one core, while `wrk` asks from another one; of the turns the median counts.
//! Both have to be installed: `scripts/bench-read` does that, and runs this.
//!
//! | questions                   | Larder                    | nginx              |
//! |-----------------------------|---------------------------|--------------------|
//! | one entry                   | from memory               | from its cache     |
//! | 10,000 entries, by Zipf     | from memory               | from its cache     |
//! | ten ids at once             | composed of ten entries   | one answer, cached |
//! | each of 1,000 for the first time | from Postgres        |                    |

mod servers;
mod wrk;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;
use shared::store::Store;
use worker::Handlers;

use super::place::Place;
use super::report::{Report, Times};
use super::upstream::{OPEN, Upstream};
use crate::cli::{Failure, Outcome};
use crate::commands::connect::failure;
use crate::commands::signals::Signals;

use servers::{Larder, Nginx};
use wrk::Load;

/// Where quotes are read: in three currencies, which makes 2 KB of one.
const QUOTES: &str = "/v3/cryptocurrency/quotes/latest?convert=EUR,GBP,USD&id=";

/// Entries that are read for the first time, one after the other.
const FIRST_READS: usize = 1_000;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Entries
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1_000..=100_000))]
    entries: u32,
    /// Turns of each server for each kind of question
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    turns: u32,
    /// Seconds of one turn
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// Connections of wrk
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: u32,
    /// Core that the servers run on
    #[arg(long, default_value_t = 0)]
    server_core: u32,
    /// Core that wrk runs on
    #[arg(long, default_value_t = 1)]
    wrk_core: u32,
    /// Print JSON lines
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Serialize)]
struct Took {
    bench: &'static str,
    of: &'static str,
    server: &'static str,
    requests_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    turns: u32,
}

#[derive(Serialize)]
struct First {
    bench: &'static str,
    of: &'static str,
    reads: usize,
    #[serde(flatten)]
    times: Times,
}

/// Measures both servers in turns.
pub(super) async fn run(
    arguments: &Arguments,
    place: &Place,
    report: &mut Report,
) -> Result<(), Failure> {
    servers::need(&["wrk", "nginx", "taskset"])?;
    let coins = usize::try_from(arguments.entries).unwrap_or(usize::MAX);
    let upstream = Upstream::start_with(place, coins).await?;
    report.doing("filling Larder's cache");
    let ids = ids(&upstream, arguments.entries).await?;
    fill(place, &upstream, &ids).await?;
    let directory = tempfile::tempdir().map_err(|error| Failure::from(&error))?;
    let url = upstream.sandbox.url();
    let measured = async {
        report.doing("reading each of some entries for the first time");
        let larder = Larder::start(place, &url, directory.path(), arguments.server_core).await?;
        first_reads(&larder, &ids, report).await?;
        report.doing("filling nginx's cache");
        let nginx = Nginx::start(&url, directory.path(), arguments.server_core).await?;
        let client = client()?;
        for server in [&nginx.base, &larder.base] {
            for id in &ids {
                read(&client, &format!("{server}{QUOTES}{id}")).await?;
            }
        }
        let loads = [
            Load::one("one entry", format!("{QUOTES}{}", ids[0])),
            Load::zipf("entries by Zipf", QUOTES, &ids),
            Load::one("ten ids", format!("{QUOTES}{}", ids[..10].join(","))),
        ];
        for load in loads {
            report.doing(load.of);
            compare(arguments, &load, &larder, &nginx, report).await?;
        }
        Ok(())
    };
    let measured = measured.await;
    upstream.sandbox.stop().await;
    measured
}

/// Runs a server for readers until its standard input or a signal ends it.
pub(super) async fn serve(signals: &mut Signals) -> Outcome {
    servers::serve(signals).await?;
    Ok(ExitCode::SUCCESS)
}

/// The coins that the sandbox knows.
async fn ids(upstream: &Upstream, most: u32) -> Result<Vec<String>, Failure> {
    let client = client()?;
    let mut ids = Vec::new();
    while ids.len() < most as usize {
        let url = format!(
            "{}/v1/cryptocurrency/map?limit=5000&start={}",
            upstream.sandbox.url(),
            ids.len() + 1
        );
        let request = client.get(url).header("X-CMC_PRO_API_KEY", "sandbox-key");
        let answer = request
            .send()
            .await
            .map_err(|error| Failure::from(&error))?;
        let body = answer.text().await.map_err(|error| Failure::from(&error))?;
        let map: Value = serde_json::from_str(&body).map_err(|error| Failure::from(&error))?;
        let found = map["data"].as_array().cloned().unwrap_or_default();
        if found.is_empty() {
            return Err(Failure::new("the sandbox knows too few coins"));
        }
        ids.extend(found.iter().map(|coin| coin["id"].to_string()));
    }
    ids.truncate(most as usize);
    Ok(ids)
}

/// Has a worker fetch every quote.
async fn fill(place: &Place, upstream: &Upstream, ids: &[String]) -> Result<(), Failure> {
    let quotes = ids.iter().map(|id| format!("{QUOTES}{id}"));
    upstream.fill(OPEN, quotes).await?;
    let worker = place.worker_of(&upstream.setup, Handlers::default())?;
    let waited = Instant::now();
    while live(&upstream.store).await? {
        if waited.elapsed() > Duration::from_secs(300) {
            return Err(Failure::new(
                "the worker did not fetch everything in 5 minutes",
            ));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    worker.stop().await;
    Ok(())
}

fn client() -> Result<reqwest::Client, Failure> {
    // Fails when another part of the process was first, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build();
    client.map_err(|error| Failure::from(&error))
}

async fn live(store: &Store) -> Result<bool, Failure> {
    let waiting = store.waiting_counts().await;
    let lanes = store.lanes_now().await.map_err(|error| failure(&error))?;
    let waiting = waiting.map_err(|error| failure(&error))?;
    // The first, so that a claim between the two is in one of them.
    Ok(!waiting.is_empty() || lanes.iter().any(|lane| lane.running > 0))
}

async fn read(client: &reqwest::Client, url: &str) -> Result<(), Failure> {
    let answer = client.get(url).send().await;
    let answer = answer.map_err(|error| Failure::from(&error))?;
    if !answer.status().is_success() {
        return Err(Failure::new(format!(
            "a read was answered with {}",
            answer.status()
        )));
    }
    let body = answer
        .bytes()
        .await
        .map_err(|error| Failure::from(&error))?;
    drop(body);
    Ok(())
}

async fn first_reads(larder: &Larder, ids: &[String], report: &mut Report) -> Result<(), Failure> {
    let client = client()?;
    let mut took = Vec::with_capacity(FIRST_READS);
    // From the end: the first ids are those that a server may have met before.
    for id in ids.iter().rev().take(FIRST_READS) {
        let url = format!("{}{QUOTES}{id}", larder.base);
        let began = Instant::now();
        read(&client, &url).await?;
        took.push(began.elapsed());
    }
    let first = First {
        bench: "read",
        of: "first_read",
        reads: took.len(),
        times: Times::of(&took),
    };
    let (shown, note) = first.times.shown();
    report.add("first read", &shown, &note, &first)
}

/// Lets both servers take turns, and reports the medians.
async fn compare(
    arguments: &Arguments,
    load: &Load,
    larder: &Larder,
    nginx: &Nginx,
    report: &mut Report,
) -> Result<(), Failure> {
    let (mut by_larder, mut by_nginx) = (Vec::new(), Vec::new());
    for _ in 0..arguments.turns {
        for (base, turns) in [(&nginx.base, &mut by_nginx), (&larder.base, &mut by_larder)] {
            let turn = load.run(
                base,
                arguments.wrk_core,
                arguments.connections,
                arguments.seconds,
            );
            turns.push(turn.await?);
        }
    }
    let mut rates = Vec::new();
    for (server, turns) in [("nginx", by_nginx), ("larder", by_larder)] {
        let median = |of: fn(&wrk::Turn) -> f64| {
            let mut all: Vec<f64> = turns.iter().map(of).collect();
            all.sort_by(f64::total_cmp);
            all[all.len() / 2]
        };
        let took = Took {
            bench: "read",
            of: load.of,
            server,
            requests_per_second: median(|turn| turn.requests_per_second),
            p50_ms: median(|turn| turn.p50_ms),
            p99_ms: median(|turn| turn.p99_ms),
            turns: arguments.turns,
        };
        let shown = format!("{:.0} requests/s", took.requests_per_second);
        let note = format!("p50 {:.2} ms, p99 {:.2} ms", took.p50_ms, took.p99_ms);
        report.add(&format!("{}, {server}", load.of), &shown, &note, &took)?;
        rates.push(took.requests_per_second);
    }
    #[derive(Serialize)]
    struct Ratio {
        bench: &'static str,
        of: &'static str,
        larder_to_nginx: f64,
    }
    let ratio = Ratio {
        bench: "read",
        of: load.of,
        larder_to_nginx: rates[1] / rates[0],
    };
    let shown = format!("{:.2} times", ratio.larder_to_nginx);
    report.add(&format!("{}, Larder to nginx", load.of), &shown, "", &ratio)
}
