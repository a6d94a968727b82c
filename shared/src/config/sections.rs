//! The sections of the configuration, read one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::problems::{Problem, Problems};
use super::tree::{Item, Node};
use super::{Config, ProviderSection, TrackGroup, WebhookTarget, track, typed, wording};
use crate::model::{ProviderName, WebhookName};

/// The sections there are.
const SECTIONS: &[&str] = &[
    "worker",
    "enqueuer",
    "queue",
    "database",
    "providers",
    "webhooks",
    "track",
];

/// Reads every section of `root`, and checks it.
pub(super) fn read(root: Item, problems: &mut Problems) -> Config {
    let Node::Table(mut sections) = root.node else {
        return Config::default();
    };
    let config = Config {
        worker: section(&mut sections, "worker", problems),
        enqueuer: section(&mut sections, "enqueuer", problems),
        queue: section(&mut sections, "queue", problems),
        database: section(&mut sections, "database", problems),
        ..Config::default()
    };
    config.worker.check(problems);
    config.enqueuer.check(problems);
    config.queue.check(problems);
    config.database.check(problems);
    let (providers, declared) = providers(sections.remove("providers"), problems);
    let handler_timeout = config.worker.handler_timeout;
    let webhooks = webhooks(sections.remove("webhooks"), handler_timeout, problems);
    let track = groups(sections.remove("track"), &declared, problems);
    for (name, item) in sections {
        let mut problem = wrong(&item, "");
        typed::unknown_key(&mut problem, &name, SECTIONS);
        problems.push(problem);
    }
    Config {
        providers,
        webhooks,
        track,
        ..config
    }
}

fn section<T: DeserializeOwned + Default>(
    sections: &mut BTreeMap<String, Item>,
    name: &str,
    problems: &mut Problems,
) -> T {
    let item = sections.remove(name);
    item.and_then(|item| typed::read(item, &[], problems))
        .unwrap_or_default()
}

/// The providers that could be read, and the names of all that were declared:
/// what tracks a broken provider is not wrong for that.
fn providers(
    item: Option<Item>,
    problems: &mut Problems,
) -> (BTreeMap<ProviderName, ProviderSection>, BTreeSet<String>) {
    let mut read = BTreeMap::new();
    let mut declared = BTreeSet::new();
    let Some(item) = item else {
        return (read, declared);
    };
    let Node::Table(table) = item.node else {
        problems.push(wrong(
            &item,
            "must be a table of providers: [providers.NAME]",
        ));
        return (read, declared);
    };
    for (name, item) in table {
        declared.insert(name.clone());
        let Ok(name) = provider_name(&name, &item, problems) else {
            continue;
        };
        if let Some(section) = provider(item, problems) {
            read.insert(name, section);
        }
    }
    (read, declared)
}

fn provider_name(given: &str, item: &Item, problems: &mut Problems) -> Result<ProviderName, ()> {
    let refuse = |rule: &str, reason: &str| Problem {
        reason: reason.to_owned(),
        ..wrong(item, rule)
    };
    match given.parse::<ProviderName>() {
        Ok(name) if name.as_str() != "local" => Ok(name),
        Ok(_) => {
            let reason = "the lane of that name is for jobs that call no priced API";
            problems.push(refuse("must have another name than local", reason));
            Err(())
        }
        Err(error) => {
            problems.push(refuse(&wording::rule(&error.to_string()), ""));
            Err(())
        }
    }
}

/// Reads one provider: `budget` and `cache` are ours, the rest is the engine's.
fn provider(mut item: Item, problems: &mut Problems) -> Option<ProviderSection> {
    let path = item.label.clone();
    // The preset is broken, so most of what the provider needs is not there.
    if problems.has(&format!("{path}.preset")) {
        return None;
    }
    let (mut budget, mut cache) = (None, None);
    if let Some(table) = item.table_mut() {
        budget = table.remove("budget");
        cache = table.remove("cache");
    }
    let budget = read_or_default(budget, problems);
    let cache = read_or_default(cache, problems);
    let section = ProviderSection {
        provider: typed::read(item, &["budget", "cache", "preset"], problems)?,
        budget,
        cache,
    };
    section.budget.check(&format!("{path}.budget"), problems);
    section.cache.check(&format!("{path}.cache"), problems);
    Some(section)
}

fn read_or_default<T: DeserializeOwned + Default>(
    item: Option<Item>,
    problems: &mut Problems,
) -> T {
    item.and_then(|item| typed::read(item, &[], problems))
        .unwrap_or_default()
}

/// The addresses that could be read.
fn webhooks(
    item: Option<Item>,
    handler_timeout: Duration,
    problems: &mut Problems,
) -> BTreeMap<WebhookName, WebhookTarget> {
    let mut read = BTreeMap::new();
    let Some(item) = item else {
        return read;
    };
    let Node::Table(table) = item.node else {
        problems.push(wrong(
            &item,
            "must be a table of addresses: [webhooks.NAME]",
        ));
        return read;
    };
    for (name, item) in table {
        let name = match name.parse::<WebhookName>() {
            Ok(name) => name,
            Err(error) => {
                problems.push(wrong(&item, &wording::rule(&error.to_string())));
                continue;
            }
        };
        let path = item.label.clone();
        if let Some(target) = typed::read::<WebhookTarget>(item, &[], problems) {
            target.check(&path, handler_timeout, problems);
            read.insert(name, target);
        }
    }
    read
}

/// The groups that could be read.
fn groups(
    item: Option<Item>,
    declared: &BTreeSet<String>,
    problems: &mut Problems,
) -> Vec<TrackGroup> {
    let Some(item) = item else {
        return Vec::new();
    };
    let Node::List(items) = item.node else {
        problems.push(wrong(&item, "must be a list of groups: [[track]]"));
        return Vec::new();
    };
    let groups: Vec<(String, TrackGroup)> = items
        .into_iter()
        .filter_map(|item| Some((item.label.clone(), typed::read(item, &[], problems)?)))
        .collect();
    track::check(&groups, declared, problems);
    groups.into_iter().map(|(_, group)| group).collect()
}

fn wrong(item: &Item, rule: &str) -> Problem {
    Problem {
        key: item.label.clone(),
        value: super::shown::value(item),
        origin: item.origin.clone(),
        rule: rule.to_owned(),
        reason: String::new(),
        suggestion: None,
    }
}
