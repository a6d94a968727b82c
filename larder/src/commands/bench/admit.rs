//! `larder bench admit`: what the transaction costs that admits one call.
//!
//! Ten limits, a long queue, a ledger with a past, and statistics that are up to date.
//! Each admission is recorded before the next one, so that only one call is ever in
//! flight; and after each a row is committed durably, beside which the admission is held:
//! how long a commit takes differs from disk to disk by a factor of a hundred.

use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::value::RawValue;
use shared::store::bench::BareCommit;
use shared::store::{
    AdmitRequest, AdmittedCall, CallRecord, JobResult, JobVerdict, NewEntry, Settlement,
};

use super::place::Place;
use super::report::{Report, Times};
use super::upstream::{OPEN, Upstream};
use crate::cli::Failure;
use crate::commands::connect::failure;

/// Admissions that are not measured: Postgres plans a statement anew a few times on each
/// connection, and a worker's connections live long.
const WARM_UP: u32 = 10;

/// Over how long the calls in the ledger are spread.
const PAST: Duration = Duration::from_secs(86_400);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Jobs that wait
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    jobs: u32,
    /// Jobs that can share a call, and so are claimed together
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=250))]
    per_call: u32,
    /// Calls of the last day in the ledger
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    ledger: u32,
    /// Admissions to measure
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    runs: u32,
    /// Print JSON lines
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Serialize)]
struct Took {
    bench: &'static str,
    of: &'static str,
    jobs: u32,
    per_call: u32,
    ledger: u32,
    limits: usize,
    runs: u32,
    #[serde(flatten)]
    times: Times,
}

#[derive(Serialize)]
struct Summary {
    bench: &'static str,
    of: &'static str,
    admit_to_commit: f64,
    record_to_commit: f64,
}

/// Measures admissions, their records, and durable commits in turns.
pub(super) async fn run(
    arguments: &Arguments,
    place: &Place,
    report: &mut Report,
) -> Result<(), Failure> {
    let upstream = Upstream::start(place).await?;
    report.doing("filling the queue and the ledger");
    fill(arguments, place, &upstream).await?;
    report.doing("admitting");
    let bare = BareCommit::connect(place.database().url()).await;
    let mut bare = bare.map_err(|error| failure(&error))?;
    let (mut admits, mut records, mut commits) = (Vec::new(), Vec::new(), Vec::new());
    for nth in 0..WARM_UP + arguments.runs {
        let (admit, record) = admit(&upstream, nth).await?;
        let began = Instant::now();
        bare.commit().await.map_err(|error| failure(&error))?;
        if nth >= WARM_UP {
            admits.push(admit);
            records.push(record);
            commits.push(began.elapsed());
        }
    }
    bare.close().await;
    let limits = upstream.provider()?.limits().len();
    upstream.sandbox.stop().await;
    let mut add = |of: &'static str, took: Vec<Duration>| -> Result<f64, Failure> {
        let times = Times::of(&took);
        let p50_ms = times.p50_ms;
        let took = Took {
            bench: "admit",
            of,
            jobs: arguments.jobs,
            per_call: arguments.per_call,
            ledger: arguments.ledger,
            limits,
            runs: arguments.runs,
            times,
        };
        let (shown, note) = took.times.shown();
        report.add(&of.replace('_', " "), &shown, &note, &took)?;
        Ok(p50_ms)
    };
    let admit = add("admit", admits)?;
    let record = add("record", records)?;
    let commit = add("durable_commit", commits)?;
    let summary = Summary {
        bench: "admit",
        of: "ratio",
        admit_to_commit: admit / commit,
        record_to_commit: record / commit,
    };
    let shown = format!("{:.1} commits", summary.admit_to_commit);
    let note = format!("an admission; a record {:.1}", summary.record_to_commit);
    report.add("ratio", &shown, &note, &summary)
}

async fn fill(arguments: &Arguments, place: &Place, upstream: &Upstream) -> Result<(), Failure> {
    // A conversion to each call: jobs with different ones cannot share it.
    let quotes = (0..arguments.jobs).map(|nth| {
        let (convert, id) = (nth / arguments.per_call, nth % arguments.per_call + 1);
        format!("/v3/cryptocurrency/quotes/latest?id={id}&convert=X{convert}")
    });
    upstream.fill(OPEN, quotes).await?;
    let database = place.database();
    let endpoint = "quotes_latest"
        .parse()
        .map_err(|_| Failure::new("the endpoint's name is none"))?;
    database
        .add_history(&Upstream::name(OPEN)?, &endpoint, arguments.ledger, PAST)
        .await
        .map_err(|error| failure(&error))?;
    database.settle_all().await.map_err(|error| failure(&error))
}

/// Admits one call and records it; answers how long either took.
async fn admit(upstream: &Upstream, nth: u32) -> Result<(Duration, Duration), Failure> {
    let provider = Upstream::name(OPEN)?;
    let setup = &upstream.setup;
    let key_id = setup.catalog.key_id(&provider, &setup.secrets);
    let request = AdmitRequest {
        provider: &provider,
        worker: "bench",
        key_id: key_id.as_deref(),
        lease: Duration::from_secs(30),
        max_calls: 1,
        // As a worker does.
        by_age: nth.is_multiple_of(10),
    };
    let pricing = upstream.provider()?.as_ref();
    let began = Instant::now();
    let admission = upstream.store.admit(&request, pricing).await;
    let took = began.elapsed();
    let mut admission = admission.map_err(|error| failure(&error))?;
    let Some(call) = admission.calls.pop() else {
        return Err(Failure::new(
            "no call was admitted; let more jobs wait: --jobs",
        ));
    };
    let record = answered(call)?;
    let began = Instant::now();
    let recorded = upstream.store.record(&record).await;
    recorded.map_err(|error| failure(&error))?;
    Ok((took, began.elapsed()))
}

/// The record of a reply that has an answer for each job.
fn answered(call: AdmittedCall) -> Result<CallRecord, Failure> {
    let body = serde_json::json!({ "quote": [{ "symbol": "USD", "price": 1.0 }] });
    let body = RawValue::from_string(body.to_string()).map_err(|error| Failure::from(&error))?;
    let jobs = call.jobs.iter();
    Ok(CallRecord {
        entries: (jobs.clone())
            .map(|job| NewEntry {
                resource_key: job.resource_key.clone(),
                body: body.clone(),
                envelope: None,
                provider_time: None,
                content_hash: None,
            })
            .collect(),
        jobs: jobs
            .map(|job| JobResult {
                id: job.id,
                resource_key: job.resource_key.clone(),
                verdict: JobVerdict::Done,
            })
            .collect(),
        call: call.id,
        provider: Upstream::name(OPEN)?,
        endpoint: call.endpoint,
        lease_token: call.lease_token,
        settlement: Settlement::Answered {
            credits: call.reserved_credits,
        },
        outcome: "ok",
        http_status: Some(200),
        duration: Duration::from_millis(20),
        validator: None,
        unchanged: Vec::new(),
        fresh_for: Duration::from_secs(60),
        negative_ttl: Duration::from_secs(600),
        close: None,
    })
}
