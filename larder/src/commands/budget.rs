//! `larder budget`: what stands against each limit.

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use shared::store::LaneState;

use super::connect::{failure, store};
use super::table::{moment, moment_or_none, print_json, print_table, print_text};
use crate::cli::{Outcome, say};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Print what GET /api/budget answers
    #[arg(long)]
    json: bool,
}

/// Shows every provider's limits, as of one moment.
pub(crate) async fn run(arguments: Arguments) -> Outcome {
    let store = store().await?;
    let lanes = store.budget().await.map_err(|error| failure(&error))?;
    if arguments.json {
        print_json(&serde_json::json!({ "providers": lanes }))?;
        return Ok(ExitCode::SUCCESS);
    }
    if lanes.is_empty() {
        say("no providers: larder init brings the configuration into the database\n");
    }
    for (index, lane) in lanes.iter().enumerate() {
        if index > 0 {
            say("\n");
        }
        show(lane);
    }
    Ok(ExitCode::SUCCESS)
}

fn show(lane: &LaneState) {
    let state = state(lane.open, lane.closed_until, lane.reason.as_deref());
    print_text(&format!("{}: {state}", lane.provider));
    print_table(
        [
            "limit",
            "unit",
            "cap",
            "spent",
            "reserved",
            "foreign",
            "left",
            "resets (UTC)",
        ],
        &["cap", "spent", "reserved", "foreign", "left"],
        lane.limits.iter().map(|limit| {
            [
                limit.name.clone(),
                limit.unit.clone(),
                limit.cap.to_string(),
                limit.spent.to_string(),
                limit.reserved.to_string(),
                limit.foreign.to_string(),
                limit.remaining.to_string(),
                match limit.kind.as_str() {
                    "calendar" => moment_or_none(limit.resets_at),
                    "discovered" => match limit.resets_at {
                        Some(at) => moment(at),
                        None => "not told yet".to_owned(),
                    },
                    kind => kind.to_owned(),
                },
            ]
        }),
    );
    remarks(lane);
}

/// What does not fit into the table: a line for each thing worth knowing.
fn remarks(lane: &LaneState) {
    for limit in &lane.limits {
        let name = &limit.name;
        if let Some(remote) = &limit.remote
            && let Some(used) = remote.used
        {
            let drift = remote.drift.unwrap_or(0);
            let cap = remote.cap.map_or(String::new(), |cap| format!(" of {cap}"));
            let read = moment(remote.read_at);
            print_text(&format!(
                "{name}: the provider counted {used}{cap} at {read} UTC; its count less ours: {drift:+}"
            ));
        }
        if let Some(at) = limit.exhausted_at {
            say(&format!(
                "{name}: at this pace exhausted on {} UTC\n",
                moment(at)
            ));
        }
        let kept = limit.kept.min(limit.remaining);
        if kept > 0 {
            print_text(&format!(
                "{name}: {kept} of what is left are kept for readers"
            ));
        }
        if limit.soft {
            say(&format!("{name}: only counted, never blocks\n"));
        }
    }
}

/// Whether a lane takes calls, and why not.
pub(super) fn state(open: bool, until: Option<DateTime<Utc>>, reason: Option<&str>) -> String {
    let reason = reason.unwrap_or("no reason given");
    match (open, until) {
        (true, _) => "open".to_owned(),
        (false, Some(until)) => format!("closed until {} UTC ({reason})", moment(until)),
        (false, None) => format!("closed until it is opened ({reason})"),
    }
}
