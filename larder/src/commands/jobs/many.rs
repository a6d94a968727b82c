//! `larder jobs retry` and `cancel` for all jobs that fit.

use std::process::ExitCode;

use chrono::{DateTime, Datelike, Utc};
use clap::ArgGroup;
use serde::Serialize;
use shared::model::JobStatus;
use shared::store::{JobFilter, JobSelection, Store};
use uuid::Uuid;

use super::Status;
use crate::cli::{Failure, Outcome, say};
use crate::commands::connect::failure;
use crate::commands::table::print_json;

/// One job by its id, or all that fit every filter.
#[derive(Debug, clap::Args)]
#[command(group(
    ArgGroup::new("which")
        .required(true)
        .multiple(true)
        .args(["id", "status", "lane", "kind", "created_before", "all"])
))]
pub(super) struct Arguments {
    /// The job's id
    #[arg(conflicts_with_all = ["status", "lane", "kind", "created_before", "all", "limit"])]
    pub(super) id: Option<Uuid>,
    /// All jobs in this status
    #[arg(long)]
    status: Option<Status>,
    /// All jobs in this lane: a provider's name, or local
    #[arg(long)]
    lane: Option<String>,
    /// All jobs of this kind, such as refresh
    #[arg(long)]
    kind: Option<String>,
    /// All jobs that were asked for before this moment, such as 2027-01-31T08:00:00Z
    #[arg(long, value_parser = moment)]
    created_before: Option<DateTime<Utc>>,
    /// All jobs
    #[arg(long, conflicts_with_all = ["status", "lane", "kind", "created_before"])]
    all: bool,
    /// At most so many of them
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Print what the API answers
    #[arg(long)]
    pub(super) json: bool,
}

/// Retries the jobs that fit.
pub(super) async fn retry(store: &Store, arguments: Arguments) -> Outcome {
    let json = arguments.json;
    let selection = arguments.selection([JobStatus::Failed, JobStatus::Cancelled])?;
    let retried = store.retry_many(&selection).await;
    let retried = retried.map_err(|error| failure(&error))?;
    if retried.retried > 0 {
        let announced = store.announce_jobs().await;
        announced.map_err(|error| failure(&error))?;
    }
    let (again, waiting) = (retried.retried, retried.already_waiting);
    done(
        &retried,
        json,
        &format!("{again} jobs wait again, {waiting} resources had a live job already\n"),
    )
}

/// Cancels the jobs that fit.
pub(super) async fn cancel(store: &Store, arguments: Arguments) -> Outcome {
    let json = arguments.json;
    let selection = arguments.selection([JobStatus::Pending, JobStatus::Running])?;
    let cancelled = store.cancel_many(&selection).await;
    let cancelled = cancelled.map_err(|error| failure(&error))?;
    let (ended, asked) = (cancelled.cancelled, cancelled.cancel_requested);
    done(
        &cancelled,
        json,
        &format!("{ended} jobs are cancelled, {asked} running ones were asked to stop\n"),
    )
}

impl Arguments {
    fn selection(self, possible: [JobStatus; 2]) -> Result<JobSelection, Failure> {
        let status = self.status.map(JobStatus::from);
        if let Some(status) = status
            && !possible.contains(&status)
        {
            let [one, other] = possible.map(JobStatus::as_str);
            let given = status.as_str();
            return Err(Failure::new(format!("--status {given} fits no such job"))
                .with_help(format!("give --status {one} or --status {other}")));
        }
        Ok(JobSelection {
            filter: JobFilter {
                status,
                lane: self.lane,
                kind: self.kind,
            },
            created_before: self.created_before,
            limit: self.limit,
            behind: None,
        })
    }
}

/// A moment that Postgres keeps and everybody can read.
fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    let at = text.parse::<DateTime<Utc>>();
    let at = at.map_err(|error| error.to_string())?;
    match at.year() {
        1..=9_999 => Ok(at),
        _ => Err("its year must have four digits".to_owned()),
    }
}

fn done(counts: &impl Serialize, json: bool, text: &str) -> Outcome {
    match json {
        true => print_json(counts)?,
        false => say(text),
    }
    Ok(ExitCode::SUCCESS)
}
