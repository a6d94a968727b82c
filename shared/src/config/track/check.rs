//! The rules of `[[track]]`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use croner::parser::{CronParser, Seconds, Year};

use super::TrackGroup;
use crate::config::problems::{Problems, closest};

/// What a resource key looks like.
const RESOURCE_KEY: &str =
    "must be a resource key such as \"coinmarketcap:/v1/global-metrics/quotes/latest\"";

/// Longest time that a group can ask for.
const YEAR: Duration = Duration::from_secs(366 * 86_400);

/// Adds to `problems` every rule that the groups break.
///
/// Each comes with its path, such as `track[0]`; `providers` are the providers
/// that the configuration declares.
pub(in crate::config) fn check(
    groups: &[(String, TrackGroup)],
    providers: &BTreeSet<String>,
    problems: &mut Problems,
) {
    let mut names = BTreeMap::new();
    let mut keys = BTreeMap::new();
    for (path, group) in groups {
        if let Some(first) = names.insert(&group.name, path) {
            let rule = format!("must differ from {first}.name");
            let reason = "a group is found by its name, also when the file changes";
            problems.refuse(&format!("{path}.name"), &rule, reason);
        }
        let group = Group {
            path,
            group,
            providers,
        };
        group.check_what(problems);
        group.check_resources(&mut keys, problems);
        group.check_first(problems);
        group.check_when(problems);
        group.check_bounds(problems);
    }
}

struct Group<'a> {
    path: &'a str,
    group: &'a TrackGroup,
    providers: &'a BTreeSet<String>,
}

impl<'a> Group<'a> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.path)
    }

    /// Which resources are meant must be said in one way.
    fn check_what(&self, problems: &mut Problems) {
        let group = self.group;
        let question = group.provider.is_some()
            || group.endpoint.is_some()
            || !group.parameters.is_empty()
            || group.first.is_some()
            || group.of.is_some();
        if group.resources.is_empty() && !question {
            // A list that could not be read has been reported already.
            if !problems.has_below(&self.key("resources")) {
                let rule = "must say what it tracks: resources, or provider and endpoint";
                problems.refuse(
                    self.path,
                    rule,
                    "a group without resources refreshes nothing",
                );
            }
            return;
        }
        if !group.resources.is_empty() {
            if question {
                let rule = "must stand alone, without provider, endpoint, parameters, first and of";
                let reason = "a resource key already says all of these";
                problems.refuse(&self.key("resources"), rule, reason);
            }
            return;
        }
        for (name, missing) in [
            ("provider", group.provider.is_none()),
            ("endpoint", group.endpoint.is_none()),
        ] {
            if missing {
                let reason = "provider and endpoint together say which question is asked";
                problems.refuse(&self.key(name), "must be given", reason);
            }
        }
        if let Some(provider) = &group.provider {
            self.check_provider(&self.key("provider"), provider.as_str(), problems);
        }
        for (name, value) in &group.parameters {
            if value.texts().is_empty() {
                let reason = "an empty list asks for nothing";
                let key = self.key(&format!("parameters.{name}"));
                problems.refuse(&key, "must have at least one value", reason);
            }
        }
    }

    fn check_resources(&self, seen: &mut BTreeMap<&'a str, String>, problems: &mut Problems) {
        for (index, resource) in self.group.resources.iter().enumerate() {
            let key = self.key(&format!("resources[{index}]"));
            let Some((provider, path)) = resource.as_str().split_once(':') else {
                problems.refuse(
                    &key,
                    RESOURCE_KEY,
                    "it begins with the provider and a colon",
                );
                continue;
            };
            if !path.starts_with('/') {
                problems.refuse(
                    &key,
                    RESOURCE_KEY,
                    "after the colon comes a path from the root",
                );
            } else {
                self.check_provider(&key, provider, problems);
            }
            if let Some(first) = seen.insert(resource.as_str(), key.clone()) {
                let rule = format!("must differ from {first}");
                problems.refuse(&key, &rule, "a resource has one pace, that of one group");
            }
        }
    }

    fn check_provider(&self, key: &str, provider: &str, problems: &mut Problems) {
        if self.providers.contains(provider) {
            return;
        }
        let known: Vec<_> = self.providers.iter().map(String::as_str).collect();
        let reason = match known.as_slice() {
            [] => "there is no [providers.NAME] in the configuration".to_owned(),
            _ => format!("the providers are {}", known.join(", ")),
        };
        let meant = closest(provider, known).map(|name| format!("{name:?}"));
        problems.refuse_suggesting(
            key,
            "must name a provider of the configuration",
            &reason,
            meant,
        );
    }

    /// `first` and `of` belong together.
    fn check_first(&self, problems: &mut Problems) {
        match (self.group.first, &self.group.of) {
            (Some(_), None) => {
                let reason = "`first` counts the items of another endpoint's answer";
                problems.refuse(&self.key("of"), "must be given with first", reason);
            }
            (None, Some(_)) => {
                let reason = "without it nobody knows how many items are meant";
                problems.refuse(&self.key("first"), "must be given with of", reason);
            }
            _ => {}
        }
        if let Some(first) = self.group.first {
            let reason = "each is a resource of its own";
            problems.within(&self.key("first"), first, 1..=5_000, reason);
        }
        if self.group.of.is_some() && self.group.of == self.group.endpoint {
            let reason = "its items would have to be known before they can be asked for";
            problems.refuse(
                &self.key("of"),
                "must be another endpoint than endpoint",
                reason,
            );
        }
    }

    /// When to refresh must be said in one way.
    fn check_when(&self, problems: &mut Problems) {
        let group = self.group;
        let (every, schedule) = (self.key("every"), self.key("schedule"));
        if group.every.is_some() && !group.schedule.is_empty() {
            let reason = "two paces for one resource contradict each other";
            problems.refuse(&every, "must not be given with schedule", reason);
        }
        if !group.schedule.is_empty() {
            let parser = CronParser::builder()
                .seconds(Seconds::Disallowed)
                .year(Year::Disallowed)
                .build();
            if let Err(error) = parser.parse(&group.schedule) {
                let rule =
                    "must be a cron expression of five fields, such as \"*/15 9-17 * * 1-5\"";
                problems.refuse(&schedule, rule, &error.to_string());
            }
        } else if group.zone != chrono_tz::UTC && !problems.has(&schedule) {
            let reason = "`every` counts time, which is the same in every zone";
            problems.refuse(
                &self.key("zone"),
                "must be given with schedule only",
                reason,
            );
        }
    }

    fn check_bounds(&self, problems: &mut Problems) {
        let group = self.group;
        let second = Duration::from_secs(1);
        let times = [
            (
                "every",
                group.every,
                "a shorter pace would spend a budget in minutes",
            ),
            (
                "max_age",
                group.max_age,
                "with less every reader would wait for a call",
            ),
            (
                "fresh_for",
                group.fresh_for,
                "with less no answer would ever count as fresh",
            ),
        ];
        for (name, time, reason) in times {
            if let Some(time) = time {
                problems.within(&self.key(name), time, second..=YEAR, reason);
            }
        }
        if let (Some(every), Some(max_age)) = (group.every, group.max_age)
            && max_age < every
        {
            problems.contradiction(
                &self.key("max_age"),
                max_age,
                "must be at least",
                (&self.key("every"), every),
                "readers would wait for a refresh before each planned one",
            );
        }
        if let (Some(fresh_for), Some(max_age)) = (group.fresh_for, group.max_age)
            && max_age < fresh_for
        {
            problems.contradiction(
                &self.key("max_age"),
                max_age,
                "must be at least",
                (&self.key("fresh_for"), fresh_for),
                "an answer would be refused while it is still fresh",
            );
        }
        let reason = "with 0 its readers would count for nothing";
        problems.within(&self.key("weight"), group.weight, 0.001..=1_000.0, reason);
    }
}
