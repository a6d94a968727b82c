//! `larder lane`: lists lanes, opens and closes them by hand.

use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;
use shared::model::LaneName;
use shared::store::Store;

use super::budget::state;
use super::connect::{failure, store};
use super::table::{print_json, print_table, print_text};
use crate::cli::{Failure, Outcome};

/// Longest reason, in characters, as over HTTP.
const LONGEST_REASON: usize = 200;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the lanes: which are open, and why others are not
    List {
        /// Print what GET /api/lanes answers
        #[arg(long)]
        json: bool,
    },
    /// Let a lane take calls again; it starts slowly
    Open {
        /// A provider's name, or local
        lane: LaneName,
        /// Print what the API answers
        #[arg(long)]
        json: bool,
    },
    /// Keep a lane from taking calls; those in flight end as they would
    Close {
        /// A provider's name, or local
        lane: LaneName,
        /// For how long, such as 10m; without it until it is opened
        #[arg(long = "for", value_parser = time)]
        time: Option<Duration>,
        /// Why, for whoever looks
        #[arg(long, default_value = "operator", value_parser = reason)]
        reason: String,
        /// Print what the API answers
        #[arg(long)]
        json: bool,
    },
}

fn reason(given: &str) -> Result<String, String> {
    match given.chars().count() {
        1..=LONGEST_REASON => Ok(given.to_owned()),
        _ => Err(format!("it must have 1 to {LONGEST_REASON} characters")),
    }
}

/// Reads `--for`: at most a year, as over HTTP.
fn time(given: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(given).map_err(|error| error.to_string())?;
    match time <= Duration::from_secs(366 * 86_400) {
        true => Ok(time),
        false => Err("it must be at most a year; leave it out for no end".to_owned()),
    }
}

/// Runs the action.
pub(crate) async fn run(arguments: Arguments) -> Outcome {
    let store = store().await?;
    match arguments.action {
        Action::List { json } => list(&store, json).await?,
        Action::Open { lane, json } => {
            let known = store.open_lane(&lane).await;
            if !known.map_err(|error| failure(&error))? {
                return Err(unknown(&store, &lane).await);
            }
            let announced = store.announce_jobs().await;
            announced.map_err(|error| failure(&error))?;
            done(&lane, true, json, &format!("lane {lane} is open"))?;
        }
        Action::Close {
            lane,
            time,
            reason,
            json,
        } => {
            let known = store.close_lane(&lane, &reason, time).await;
            if !known.map_err(|error| failure(&error))? {
                return Err(unknown(&store, &lane).await);
            }
            let until = match time {
                Some(time) => format!("for {}", humantime::format_duration(time)),
                None => format!("until: larder lane open {lane}"),
            };
            done(
                &lane,
                false,
                json,
                &format!("lane {lane} is closed {until}"),
            )?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(store: &Store, json: bool) -> Result<(), Failure> {
    let lanes = store.lanes().await.map_err(|error| failure(&error))?;
    if json {
        return print_json(&serde_json::json!({ "lanes": lanes }));
    }
    print_table(
        ["lane", "state"],
        &[],
        lanes.into_iter().map(|lane| {
            let state = state(lane.open, lane.closed_until, lane.reason.as_deref());
            [lane.lane, state]
        }),
    );
    Ok(())
}

fn done(lane: &LaneName, open: bool, json: bool, text: &str) -> Result<(), Failure> {
    match json {
        true => print_json(&serde_json::json!({ "lane": lane.as_str(), "open": open })),
        false => {
            print_text(text);
            Ok(())
        }
    }
}

async fn unknown(store: &Store, lane: &LaneName) -> Failure {
    let failure = Failure::new(format!("there is no lane {lane}"));
    match store.lanes_now().await {
        Ok(lanes) => {
            let lanes: Vec<String> = lanes.into_iter().map(|state| state.lane).collect();
            failure.with_help(format!("there is: {}", lanes.join(", ")))
        }
        Err(_) => failure,
    }
}
