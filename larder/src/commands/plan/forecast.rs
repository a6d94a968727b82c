//! `larder plan`: what the budget buys, from the configuration or from measured demand.

use std::path::PathBuf;
use std::process::ExitCode;

use shared::catalog::Catalog;
use shared::model::ProviderName;
use shared::plan::reads::LONG;
use shared::setup::Setup;

use super::super::connect::{failure, store};
use super::super::table::{NONE, print_json, print_table, print_text};
use crate::chart::{Bar, bars};
use crate::cli::{Failure, Outcome, say};
use crate::forecast::{Forecast, Subject, forecast, subjects, time};

#[derive(Debug, clap::Args)]
#[group(id = "forecast")]
pub(crate) struct Arguments {
    /// Forecast from the demand that the database has measured, in place of an assumed one
    #[arg(long)]
    measured: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Also draw what other budgets would buy into this file, as SVG
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// The configuration file; without it LARDER_CONFIG, else ./larder.toml, else the example
    #[arg(long)]
    config: Option<PathBuf>,
}

/// Forecasts for every provider of which something is tracked.
pub(crate) async fn run(arguments: Arguments) -> Outcome {
    let directory = std::env::current_dir().map_err(|error| Failure::from(&error))?;
    let setup = Setup::read(&directory, arguments.config).map_err(|error| Failure::from(&error))?;
    let catalog = &setup.catalog;
    let mut forecasts = Vec::new();
    for provider in catalog.providers() {
        let subjects = match arguments.measured {
            true => measured(catalog, provider.name()).await?,
            false => subjects(catalog, provider.name()),
        };
        let made = forecast(catalog, provider, &subjects).map_err(|error| Failure::from(&error))?;
        forecasts.extend(made);
    }
    if let Some(file) = &arguments.svg {
        let picture: String = forecasts.first().map(picture).unwrap_or_default();
        std::fs::write(file, picture).map_err(|error| {
            Failure::new(format!("{} cannot be written: {error}", file.display()))
        })?;
    }
    if arguments.json {
        print_json(&serde_json::json!({"measured": arguments.measured, "providers": forecasts}))?;
    } else {
        let demand = match arguments.measured {
            true => "measured reads and changes",
            false => "equal reads, times weight, and a change at every renewal",
        };
        say(&format!("A month of 30 days: {demand}.\n"));
        forecasts.iter().for_each(show);
        if forecasts.is_empty() {
            say("nothing is tracked\n");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What the database knows of a provider's tracked resources.
async fn measured(catalog: &Catalog, provider: &ProviderName) -> Result<Vec<Subject>, Failure> {
    let rows = store().await?.plan_rows(provider.as_str(), LONG).await;
    let rows = rows.map_err(|error| failure(&error))?;
    let group = |key: &str, batch_key: &str| {
        let named = catalog
            .tracked()
            .iter()
            .find(|track| track.resource.key.as_str() == key);
        let listed = || {
            let mut followed = catalog.followed().iter();
            followed.find(|follow| follow.batch_key.as_str() == batch_key)
        };
        let name = named.map(|track| track.group.clone());
        name.or_else(|| listed().map(|follow| follow.group.clone()))
            .unwrap_or_else(|| "(api)".to_owned())
    };
    Ok(rows
        .into_iter()
        .map(|row| Subject {
            group: group(&row.key, &row.batch_key),
            batch_key: row.batch_key,
            fixed_secs: (!row.planned).then_some(row.every_secs),
            max_age_secs: row.max_age_secs,
            observed: row.observed,
        })
        .collect())
}

fn show(forecast: &Forecast) {
    let budget = forecast.budget_credits.map_or_else(
        || "without a limit of credits".to_owned(),
        |credits| format!("{credits:.0} credits for planned calls"),
    );
    say("\n");
    print_text(&format!(
        "{}: {budget}, {:.0} spent; objective {}",
        forecast.provider,
        forecast.credits_a_month,
        forecast.objective.as_str(),
    ));
    say("\n");
    print_table(
        [
            "group",
            "resources",
            "credits",
            "refreshed every",
            "age",
            "fresh",
            "bound",
        ],
        &["resources", "credits", "age", "fresh"],
        forecast.groups.iter().map(|group| {
            let (shortest, longest) = group.interval_secs;
            let every = match longest > shortest * 1.05 {
                true => format!("{} to {}", time(shortest), time(longest)),
                false => time(shortest),
            };
            [
                group.group.clone(),
                group.resources.to_string(),
                format!("{:.0}", group.credits_a_month),
                if group.planned {
                    format!("{every} (planned)")
                } else {
                    every
                },
                time(group.mean_age_secs),
                format!("{:.0} %", group.fresh * 100.0),
                group.kept_age_secs.map_or_else(|| NONE.to_owned(), time),
            ]
        }),
    );
    say("\nWhat other budgets would buy if the planner paced all of it:\n\n");
    print_table(
        ["budget", "credits", "age", "wrong for", "fresh"],
        &["credits", "age", "wrong for", "fresh"],
        forecast.budgets.iter().map(|other| {
            [
                format!("{} times", other.times),
                format!("{:.0}", other.credits_a_month),
                time(other.mean_age_secs),
                time(other.mean_lag_secs),
                format!("{:.0} %", other.fresh * 100.0),
            ]
        }),
    );
    for warning in &forecast.warnings {
        say("\n");
        print_text(&format!("warning: {warning}"));
    }
}

fn picture(forecast: &Forecast) -> String {
    let bar = |other: &crate::forecast::OtherBudget| Bar {
        name: format!("{} times the budget", other.times),
        value: other.mean_age_secs,
        text: time(other.mean_age_secs),
    };
    let title = format!("{}: mean age that readers get", forecast.provider);
    bars(
        &title,
        &forecast.budgets.iter().map(bar).collect::<Vec<_>>(),
    )
}
