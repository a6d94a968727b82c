//! What `larder plan` tells before anything has run.

use larder::forecast::{Forecast, forecast, subjects};
use shared::catalog::Catalog;
use shared::config::Source;

const LISTINGS: &str = "coinmarketcap:/v3/cryptocurrency/listings/latest?limit=250";
const GLOBAL: &str = "coinmarketcap:/v1/global-metrics/quotes/latest";

fn of(groups: &str) -> Forecast {
    let dir = tempfile::tempdir().unwrap();
    let file = format!("[providers.coinmarketcap]\n{groups}");
    std::fs::write(dir.path().join("larder.toml"), file).unwrap();
    let source = Source {
        path: Some(dir.path().join("larder.toml")),
        ..Source::default()
    };
    let (catalog, _) = Catalog::load(&source).unwrap();
    let provider = catalog.provider("coinmarketcap").unwrap();
    let subjects = subjects(&catalog, provider.name());
    forecast(&catalog, provider, &subjects).unwrap().unwrap()
}

fn group(name: &str, key: &str, rest: &str) -> String {
    format!("[[track]]\nname = \"{name}\"\nresources = [\"{key}\"]\n{rest}\n")
}

#[test]
fn a_pace_costs_what_it_costs_and_the_planner_spends_the_rest() {
    let forecast = of(&(group("a", LISTINGS, "every = \"15m\"") + &group("b", GLOBAL, "")));
    assert!((forecast.groups[0].credits_a_month - 2_880.0).abs() < 1.0);
    assert!(!forecast.groups[0].planned && forecast.groups[1].planned);
    let budget = forecast.budget_credits.unwrap();
    assert!(forecast.credits_a_month <= budget * 1.001);
    let ages = forecast.budgets.iter().map(|other| other.mean_age_secs);
    let ages: Vec<f64> = ages.collect();
    assert!(
        ages.windows(2).all(|pair| pair[1] <= pair[0] + 1e-9),
        "{ages:?}"
    );
}

#[test]
fn a_pace_that_costs_more_than_there_is_is_said_in_words() {
    let forecast = of(&group("top", LISTINGS, "every = \"60s\""));
    let warning = &forecast.warnings[0];
    assert!(
        warning.starts_with("`top` every 1m needs 43,200 credits a month"),
        "{warning}"
    );
    assert!(warning.contains("the best possible mean age"), "{warning}");
}

#[test]
fn a_bound_that_does_not_fit_is_said_in_words() {
    let forecast = of(&(group("top", LISTINGS, "max_age = \"1m\"") + &group("b", GLOBAL, "")));
    assert!(forecast.bounds_scale < 1.0);
    let top = &forecast.groups[0];
    assert!(top.kept_age_secs.unwrap() > 60.0);
    assert!(
        forecast
            .warnings
            .iter()
            .any(|said| said.contains("no older than 1m"))
    );
}
