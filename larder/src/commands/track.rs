//! `larder track` and `larder untrack`: what is refreshed ahead of need, by hand.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use shared::catalog::Catalog;
use shared::config::{Source, environment};
use shared::model::{Pace, Tracking};
use shared::schedule;

use super::connect::{failure, store};
use super::table::{print_json, print_text};
use crate::cli::{Failure, Outcome};

#[derive(Debug, clap::Args)]
pub(crate) struct TrackArguments {
    /// The resource, such as coinmarketcap:/v3/cryptocurrency/quotes/latest?id=1
    key: String,
    /// Time from one refresh to the next; without it and --schedule the planner decides
    #[arg(long, value_parser = every, conflicts_with = "schedule")]
    every: Option<Duration>,
    /// Cron expression of five fields to refresh it by, instead
    #[arg(long, value_parser = expression)]
    schedule: Option<String>,
    /// IANA time zone of the expression
    #[arg(long, default_value = "UTC", value_parser = zone)]
    zone: String,
    /// The configuration file; without it LARDER_CONFIG, else ./larder.toml
    #[arg(long)]
    config: Option<PathBuf>,
    /// Print what came of it as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct UntrackArguments {
    /// The resource, as for larder track
    key: String,
    /// The configuration file; without it LARDER_CONFIG, else ./larder.toml
    #[arg(long)]
    config: Option<PathBuf>,
    /// Print what came of it as JSON
    #[arg(long)]
    json: bool,
}

/// Reads `--every`: from 1 s to 366 days, as over HTTP.
fn every(given: &str) -> Result<Duration, String> {
    let every = humantime::parse_duration(given).map_err(|error| error.to_string())?;
    match every.as_secs() {
        1..=31_622_400 => Ok(every),
        _ => Err("it must be from 1s to 366 days".to_owned()),
    }
}

fn expression(given: &str) -> Result<String, String> {
    match schedule::read(given) {
        Some(_) => Ok(given.to_owned()),
        None => Err("it must be a cron expression of five fields".to_owned()),
    }
}

fn zone(given: &str) -> Result<String, String> {
    match schedule::is_zone(given) {
        true => Ok(given.to_owned()),
        false => Err("it must be an IANA time zone, such as Europe/Berlin".to_owned()),
    }
}

/// Tracks a resource; it is due at once if it has no answer that is young enough.
pub(crate) async fn track(arguments: TrackArguments) -> Outcome {
    let resource = catalog(arguments.config)?
        .resource(&arguments.key)
        .map_err(|error| Failure::from(&error))?;
    let (pace, words) = match (arguments.schedule, arguments.every) {
        (None, None) => (Pace::Planned, "as the planner decides".to_owned()),
        (None, Some(every)) => (
            Pace::Every(every),
            format!("every {}", humantime::format_duration(every)),
        ),
        (Some(expression), _) => (
            Pace::Schedule {
                expression: expression.clone(),
                zone: arguments.zone.clone(),
            },
            format!("by {expression} in {}", arguments.zone),
        ),
    };
    let tracking = Tracking {
        pace,
        ..Tracking::planned()
    };
    let tracked = store().await?.track(&resource, &tracking).await;
    tracked.map_err(|error| match error.is_missing_reference() {
        true => Failure::new(format!(
            "the database does not know the provider {}",
            resource.provider
        ))
        .with_help("larder init brings the configuration into the database"),
        false => failure(&error),
    })?;
    let key = resource.key.as_str();
    done(
        key,
        true,
        arguments.json,
        &format!("{key} is tracked {words}"),
    )
}

/// Stops tracking a resource; its entry stays.
pub(crate) async fn untrack(arguments: UntrackArguments) -> Outcome {
    let known = catalog(arguments.config)?.resource(&arguments.key);
    // A resource of a provider that has left the configuration has no other spelling.
    let key = known.map_or(arguments.key, |resource| resource.key.0);
    let was = store().await?.untrack(&key).await;
    if !was.map_err(|error| failure(&error))? {
        return Err(Failure::new(format!("{key} is not tracked")));
    }
    let text = format!(
        "{key} is not tracked any more; what the configuration tracks comes back at the next start"
    );
    done(&key, false, arguments.json, &text)
}

fn done(key: &str, tracked: bool, json: bool, text: &str) -> Outcome {
    match json {
        true => print_json(&serde_json::json!({ "resource": key, "tracked": tracked }))?,
        false => print_text(text),
    }
    Ok(ExitCode::SUCCESS)
}

fn catalog(path: Option<PathBuf>) -> Result<Catalog, Failure> {
    let directory = std::env::current_dir().map_err(|error| Failure::from(&error))?;
    let environment = environment(&directory).map_err(|error| Failure::from(&error))?;
    let source = Source {
        path,
        directory,
        environment,
    };
    let (catalog, _) = Catalog::load(&source).map_err(|error| Failure::from(&error))?;
    Ok(catalog)
}
