//! `larder check`: the configuration alone, with all its problems at once.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use shared::budget::Pricing;
use shared::catalog::Catalog;
use shared::config::ConfigErrors;
use shared::model::{BatchKey, Pace, ProviderName};
use shared::schedule;
use shared::setup::Setup;

use super::table::{print_json, print_text};
use crate::cli::{Failure, Outcome};
use crate::forecast::{forecast, subjects};

/// The longest month.
const MONTH: Duration = Duration::from_secs(31 * 86_400);

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The configuration file; without it LARDER_CONFIG, else ./larder.toml, else the example
    #[arg(long)]
    config: Option<PathBuf>,

    /// Print what it comes to, or every problem, as JSON
    #[arg(long)]
    json: bool,
}

/// Reads file, environment and presets as a process would at its start.
pub(crate) fn run(arguments: Arguments) -> Outcome {
    let directory = std::env::current_dir().map_err(|error| Failure::from(&error))?;
    let setup = match Setup::read(&directory, arguments.config) {
        Ok(setup) => setup,
        Err(errors) if arguments.json => return problems(&errors),
        Err(errors) => return Err(Failure::from(&errors)),
    };
    let catalog = &setup.catalog;
    let limits: usize = catalog.providers().map(|known| known.limits().len()).sum();
    let (tracked, credits) = (tracked(catalog), credits_a_month(catalog));
    let mut warnings = Vec::new();
    for provider in catalog.providers() {
        let subjects = subjects(catalog, provider.name());
        let forecast =
            forecast(catalog, provider, &subjects).map_err(|error| Failure::from(&error))?;
        warnings.extend(forecast.into_iter().flat_map(|forecast| forecast.warnings));
    }
    if arguments.json {
        print_json(&serde_json::json!({
            "in_order": true, "configuration": setup.origin.to_string(),
            "providers": catalog.providers().count(), "limits": limits, "tracked": tracked,
            "credits_a_month": credits, "warnings": warnings,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    print_text(&format!(
        "{} is in order: {}, {}, {}, at most {} in a month",
        setup.origin,
        counted(catalog.providers().count() as u64, "provider"),
        counted(limits as u64, "limit"),
        counted(tracked, "tracked resource"),
        counted(credits, "credit"),
    ));
    for warning in warnings {
        print_text(&format!("warning: {warning}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// What is wrong, for programs.
fn problems(errors: &ConfigErrors) -> Outcome {
    let problems = errors.problems().iter().map(|problem| {
        serde_json::json!({
            "key": problem.key, "value": problem.value, "origin": problem.origin.to_string(),
            "rule": problem.rule, "reason": problem.reason, "suggestion": problem.suggestion,
        })
    });
    print_json(
        &serde_json::json!({ "in_order": false, "problems": problems.collect::<Vec<_>>() }),
    )?;
    Ok(ExitCode::FAILURE)
}

fn counted(number: u64, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}

/// How many resources are tracked, when every list that is followed has enough items.
fn tracked(catalog: &Catalog) -> u64 {
    let followed = catalog.followed().iter().map(|follow| follow.first as u64);
    catalog.tracked().len() as u64 + followed.sum::<u64>()
}

/// Most credits that the tracked resources cost in a month of 31 days, over all
/// providers: what can share a call at the same pace does.
fn credits_a_month(catalog: &Catalog) -> u64 {
    let mut items: BTreeMap<(&ProviderName, &BatchKey, u64), usize> = BTreeMap::new();
    for tracked in catalog.tracked() {
        let resource = &tracked.resource;
        let times = times_a_month(&tracked.tracking.pace);
        let shared = (&resource.provider, &resource.batch_key, times);
        *items.entry(shared).or_default() += 1;
    }
    for follow in catalog.followed() {
        let times = times_a_month(&follow.tracking.pace);
        let shared = (&follow.provider, &follow.batch_key, times);
        *items.entry(shared).or_default() += follow.first;
    }
    items
        .into_iter()
        .filter_map(|((provider, batch, times), items)| {
            let provider = catalog.provider(provider.as_str())?;
            let most = Pricing::max_items(provider.as_ref(), batch).max(1);
            let price = |items| Pricing::worst_case(provider.as_ref(), batch, items);
            let full = u64::from(price(most.min(items))?) * (items / most) as u64;
            let rest = match items % most {
                0 => 0,
                rest => u64::from(price(rest)?),
            };
            Some((full + rest).saturating_mul(times))
        })
        .sum()
}

/// How often a pace refreshes in a month of 31 days.
fn times_a_month(pace: &Pace) -> u64 {
    match pace {
        Pace::Every(every) => {
            let times = MONTH.as_millis().div_ceil(every.as_millis().max(1));
            u64::try_from(times).unwrap_or(u64::MAX)
        }
        // The planner never takes more than what is left: `larder plan` tells how much.
        Pace::Planned => 0,
        Pace::Schedule { expression, zone } => schedule::ticks_in_january(expression, zone),
    }
}

#[cfg(test)]
mod tests {
    use shared::config::Source;

    use super::*;

    #[test]
    fn the_example_costs_what_its_comment_says() {
        let (catalog, _) = Catalog::load(&Source::default()).unwrap();
        assert_eq!(credits_a_month(&catalog), 13_392);
    }
}
