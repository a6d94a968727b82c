//! The shipped `larder.toml`: what it says is so, and it says everything.

use std::collections::BTreeSet;
use std::time::Duration;

use shared::config::{
    Config, DatabaseConfig, EXAMPLE, EXAMPLE_ORIGIN, EnqueuerConfig, ProviderBudget, ProviderCache,
    QueueConfig, WorkerConfig, schema,
};

use super::loaded;

/// The file with every key that is commented out put in.
fn uncommented() -> String {
    let commented = |line: &&str| {
        let first = line.strip_prefix('#').and_then(|rest| rest.chars().next());
        first.is_some_and(|first| first.is_ascii_lowercase())
    };
    let lines = EXAMPLE
        .lines()
        .map(|line| if commented(&line) { &line[1..] } else { line });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_default_that_is_put_in_changes_nothing() {
    let without = loaded(None, &[]).unwrap();
    let with = loaded(Some(&uncommented()), &[]).unwrap();

    assert_eq!(without.origin, EXAMPLE_ORIGIN);
    assert_eq!(with.config, without.config);
}

#[test]
fn what_the_file_calls_defaults_are_the_defaults() {
    let config = loaded(Some(&uncommented()), &[]).unwrap().config;

    assert_eq!(config.worker, WorkerConfig::default());
    assert_eq!(config.enqueuer, EnqueuerConfig::default());
    assert_eq!(config.queue, QueueConfig::default());
    assert_eq!(config.database, DatabaseConfig::default());
    let provider = config.providers.values().next().unwrap();
    assert_eq!(provider.budget, ProviderBudget::default());
    assert_eq!(provider.cache, ProviderCache::default());
}

/// Paths of the keys of a table, those of tables within it included.
fn paths(at: &str, value: &toml::Value, found: &mut BTreeSet<String>) {
    match value.as_table() {
        Some(table) => table
            .iter()
            .for_each(|(name, value)| paths(&format!("{at}.{name}"), value, found)),
        None => {
            found.insert(at.to_owned());
        }
    }
}

#[test]
fn no_key_is_left_out() {
    let mut expected = BTreeSet::new();
    let defaults = toml::Value::try_from(Config::default()).unwrap();
    paths("", &defaults, &mut expected);
    let provider = ".providers.coinmarketcap";
    let budget = toml::Value::try_from(ProviderBudget::default()).unwrap();
    let cache = toml::Value::try_from(ProviderCache::default()).unwrap();
    paths(&format!("{provider}.budget"), &budget, &mut expected);
    paths(&format!("{provider}.cache"), &cache, &mut expected);
    expected.remove(".providers");

    let mut stated = BTreeSet::new();
    paths(
        "",
        &uncommented().parse::<toml::Table>().unwrap().into(),
        &mut stated,
    );

    let left_out: Vec<_> = expected.difference(&stated).collect();
    assert!(left_out.is_empty(), "not in larder.toml: {left_out:?}");
    let group = schema()["$defs"]["TrackGroup"]["properties"].clone();
    for key in group.as_object().unwrap().keys() {
        assert!(
            EXAMPLE.contains(&format!("{key} = ")),
            "not in larder.toml: track.{key}"
        );
    }
}

/// A webhook has no default to write down, so its keys stand in a comment.
#[test]
fn the_webhook_in_the_comment_can_be_put_in() {
    let lines = EXAMPLE
        .lines()
        .skip_while(|line| *line != "# [webhooks.app]");
    let section: Vec<_> = lines.map_while(|line| line.strip_prefix("# ")).collect();

    let config = loaded(Some(&section.join("\n")), &[]).unwrap().config;

    let (name, target) = config.webhooks.first_key_value().unwrap();
    assert_eq!((name.as_str(), config.webhooks.len()), ("app", 1));
    let keys = schema()["$defs"]["WebhookTarget"]["properties"].clone();
    assert_eq!(section.len() - 1, keys.as_object().unwrap().len());
    let without = section[..section.len() - 1].join("\n");
    let usual = loaded(Some(&without), &[]).unwrap().config;
    assert_eq!(usual.webhooks.values().next(), Some(target));
}

/// 31 days, so that no month is longer; 100 ids cost one credit, as 250 would
/// (CoinMarketCap SDK 5.0.0, 2026-11-23).
#[test]
fn the_example_keeps_within_the_free_plan_and_the_readers_share() {
    let config = loaded(None, &[]).unwrap().config;
    let month = Duration::from_secs(31 * 86_400);

    let calls = config.track.iter().map(|group| {
        assert!(
            group.resources.len() <= 1,
            "premise: one call for each group"
        );
        month.as_secs() / group.every.unwrap().as_secs()
    });
    let credits: u64 = calls.sum();

    assert_eq!(credits, 13_392);
    let share = config
        .providers
        .values()
        .next()
        .unwrap()
        .budget
        .readers_share;
    assert!((credits as f64) <= 15_000.0 * (1.0 - share));
}

#[test]
fn the_example_follows_a_hundred_coins() {
    let config = loaded(None, &[]).unwrap().config;
    let ids: BTreeSet<_> = config.track[0].parameters["id"]
        .texts()
        .into_iter()
        .collect();
    assert_eq!(ids.len(), 100);
}

/// `LARDER_BLESS=1 cargo test -p shared` writes the file anew.
#[test]
fn the_published_schema_is_the_real_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/larder.schema.json");
    let real = format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap());
    if std::env::var_os("LARDER_BLESS").is_some() {
        std::fs::create_dir_all(std::path::Path::new(path).parent().unwrap()).unwrap();
        std::fs::write(path, &real).unwrap();
    }
    let published = std::fs::read_to_string(path).unwrap_or_default();
    assert!(published == real, "docs/larder.schema.json is out of date");
}
