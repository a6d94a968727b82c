//! `larder tick`: makes due resources into jobs, as cron does over HTTP.

use std::process::ExitCode;

use shared::schedule;

use super::connect::{failure, store};
use super::table::{moment_or_none, print_json, print_text};
use crate::cli::{Outcome, say};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Print what POST /api/jobs/process-pending answers
    #[arg(long)]
    json: bool,
}

/// Ticks once; safe to repeat, and beside any other ticker.
pub(crate) async fn run(arguments: Arguments) -> Outcome {
    let store = store().await?;
    schedule::make_due_ticks(&store)
        .await
        .map_err(|error| failure(&error))?;
    let ticked = store.tick(false).await.map_err(|error| failure(&error))?;
    if ticked.enqueued > 0 {
        store
            .announce_jobs()
            .await
            .map_err(|error| failure(&error))?;
    }
    if arguments.json {
        print_json(&ticked)?;
        return Ok(ExitCode::SUCCESS);
    }
    say(&format!(
        "{} due: {} enqueued, {} already waiting\n",
        ticked.due, ticked.enqueued, ticked.already_waiting
    ));
    for lane in &ticked.closed_lanes {
        let until = match lane.until {
            None => "until it is opened".to_owned(),
            until => format!("until {} UTC", moment_or_none(until)),
        };
        print_text(&format!(
            "lane {} is closed {until}: {}",
            lane.lane, lane.reason
        ));
    }
    Ok(ExitCode::SUCCESS)
}
