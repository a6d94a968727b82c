//! `larder jobs`: list, show, retry and cancel.

mod many;
mod show;

use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use shared::model::{JobId, JobStatus};
use shared::store::{JobFilter, JobRow, Store, StoreError};
use uuid::Uuid;

use super::connect::{failure, store};
use super::table::{moment, print_json, print_table};
use crate::cli::{Failure, Outcome, say};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List jobs, newest first
    List(ListArguments),
    /// Show one job, with the errors of all its attempts
    Show(OneArguments),
    /// Let a failed or cancelled job wait again, with all its attempts; or all that fit
    #[command(override_usage = "larder jobs retry [--json] <ID>\n       \
                                larder jobs retry <--all|FILTERS> [OPTIONS]")]
    Retry(many::Arguments),
    /// Cancel a pending job, ask a running one to stop; or all that fit
    #[command(override_usage = "larder jobs cancel [--json] <ID>\n       \
                                larder jobs cancel <--all|FILTERS> [OPTIONS]")]
    Cancel(many::Arguments),
}

#[derive(Debug, clap::Args)]
struct ListArguments {
    /// In this status only
    #[arg(long)]
    status: Option<Status>,
    /// In this lane only: a provider's name, or local
    #[arg(long)]
    lane: Option<String>,
    /// Of this kind only, such as refresh
    #[arg(long)]
    kind: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=1000))]
    limit: i64,
    /// After the job with this id: the next page
    #[arg(long)]
    after: Option<Uuid>,
    /// Print the jobs as GET /api/jobs shows them
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct OneArguments {
    /// The job's id
    id: Uuid,
    /// Print the job as the API shows it
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Status {
    Pending,
    Running,
    Completed,
    Failed,
    Cancelled,
}

/// Runs the action.
pub(crate) async fn run(arguments: Arguments) -> Outcome {
    let store = store().await?;
    match arguments.action {
        Action::List(arguments) => list(&store, arguments).await,
        Action::Show(arguments) => {
            let job = store.job(JobId(arguments.id)).await;
            let job = job.map_err(|error| refused(&error))?;
            match arguments.json {
                true => print_json(&job)?,
                false => say(&show::text(&job)),
            }
            Ok(ExitCode::SUCCESS)
        }
        Action::Retry(arguments) => match arguments.id {
            Some(id) => retry(&store, JobId(id), arguments.json).await,
            None => many::retry(&store, arguments).await,
        },
        Action::Cancel(arguments) => match arguments.id {
            Some(id) => cancel(&store, JobId(id), arguments.json).await,
            None => many::cancel(&store, arguments).await,
        },
    }
}

async fn retry(store: &Store, id: JobId, json: bool) -> Outcome {
    let job = store.retry(id).await.map_err(|error| {
        refused(&error).with_help(
            "only failed and cancelled jobs can be retried, \
             and no refresh beside another live one of its resource",
        )
    })?;
    store
        .announce_jobs()
        .await
        .map_err(|error| failure(&error))?;
    done(&job, json, "waits again")
}

async fn cancel(store: &Store, id: JobId, json: bool) -> Outcome {
    let job = store.cancel(id).await.map_err(|error| {
        refused(&error).with_help("only pending and running jobs can be cancelled")
    })?;
    let what = match job.status {
        JobStatus::Running => "was asked to stop",
        _ => "is cancelled",
    };
    done(&job, json, what)
}

async fn list(store: &Store, arguments: ListArguments) -> Outcome {
    let filter = JobFilter {
        status: arguments.status.map(JobStatus::from),
        lane: arguments.lane,
        kind: arguments.kind,
    };
    let after = arguments.after.map(JobId);
    let page = store.jobs(&filter, after, arguments.limit).await;
    let page = page.map_err(|error| failure(&error))?;
    if arguments.json {
        print_json(&page)?;
        return Ok(ExitCode::SUCCESS);
    }
    print_table(
        ["id", "status", "job", "created (UTC)"],
        &[],
        page.jobs.iter().map(|job| {
            [
                job.id.to_string(),
                status(job),
                kind(job),
                moment(job.created_at),
            ]
        }),
    );
    if let Some(last) = page.next {
        say(&format!("more: larder jobs list --after {last}\n"));
    }
    Ok(ExitCode::SUCCESS)
}

/// The status, with why a pending job waits for something.
fn status(job: &JobRow) -> String {
    match job.waiting.as_deref() {
        None | Some("due") => job.status.as_str().to_owned(),
        Some(why) => format!("{} {why}", job.status.as_str()),
    }
}

/// What kind of work it is. A refresh's lane goes first, on a line of its own.
fn kind(job: &JobRow) -> String {
    match &job.endpoint {
        Some(endpoint) => format!("{}\n{endpoint}", job.lane),
        None => job.kind.clone(),
    }
}

fn done(job: &JobRow, json: bool, what: &str) -> Outcome {
    match json {
        true => print_json(job)?,
        false => say(&format!("job {} {what}\n", job.id)),
    }
    Ok(ExitCode::SUCCESS)
}

fn refused(error: &StoreError) -> Failure {
    match error {
        StoreError::NoJob(_) => failure(error)
            .with_help("larder jobs list shows the jobs there are; ended ones are kept for days"),
        _ => failure(error),
    }
}

impl From<Status> for JobStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Pending => Self::Pending,
            Status::Running => Self::Running,
            Status::Completed => Self::Completed,
            Status::Failed => Self::Failed,
            Status::Cancelled => Self::Cancelled,
        }
    }
}
