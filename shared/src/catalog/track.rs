//! The resources that a configuration's groups stand for.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::{Config, Problems, TrackGroup};
use crate::model::{Pace, ProviderName, ResourceSpec, TrackSpec, Tracking};
use crate::provider::Provider;

/// Every tracked resource, in the order of the groups. What a provider refuses is added to
/// `problems`.
pub(super) fn resolve(
    config: &Config,
    providers: &BTreeMap<ProviderName, Arc<Provider>>,
    problems: &mut Problems,
) -> Vec<TrackSpec> {
    let mut tracked = Vec::new();
    for (index, group) in config.track.iter().enumerate() {
        let path = format!("track[{index}]");
        let mut resources = keys(group, &path, providers, problems);
        resources.extend(question(group, &path, providers, problems));
        if group.first.is_some() && !problems.has(&format!("{path}.first")) {
            problems.refuse(
                &format!("{path}.first"),
                "must be left out, and the items be named",
                "this release follows no list whose items change",
            );
        }
        let Some(pace) = pace(group) else {
            // A group with neither has been reported already.
            continue;
        };
        tracked.extend(resources.into_iter().map(|resource| TrackSpec {
            resource,
            group: group.name.to_string(),
            tracking: Tracking {
                pace: pace.clone(),
                max_age: group.max_age,
                fresh_for: group.fresh_for,
                weight: group.weight,
            },
        }));
    }
    tracked
}

/// When a group is refreshed; `None` if it does not say.
fn pace(group: &TrackGroup) -> Option<Pace> {
    match group.every {
        Some(every) => Some(Pace::Every(every)),
        None if group.schedule.is_empty() => None,
        None => Some(Pace::Schedule {
            expression: group.schedule.clone(),
            zone: group.zone.name().to_owned(),
        }),
    }
}

/// The resources that a group names by key.
fn keys(
    group: &TrackGroup,
    path: &str,
    providers: &BTreeMap<ProviderName, Arc<Provider>>,
    problems: &mut Problems,
) -> Vec<ResourceSpec> {
    let mut resources = Vec::new();
    for (index, key) in group.resources.iter().enumerate() {
        let name = key.as_str().split([':', '.']).next().unwrap_or_default();
        let provider = providers.iter().find(|(known, _)| known.as_str() == name);
        // A provider that is unknown or broken has been reported already.
        let Some((_, provider)) = provider else {
            continue;
        };
        match provider.resource(key.as_str()) {
            Ok(resource) => resources.push(resource),
            Err(error) => problems.refuse(
                &format!("{path}.resources[{index}]"),
                "must name one resource of the provider",
                &error.to_string(),
            ),
        }
    }
    resources
}

/// The resources that a group asks for with an endpoint and parameters.
fn question(
    group: &TrackGroup,
    path: &str,
    providers: &BTreeMap<ProviderName, Arc<Provider>>,
    problems: &mut Problems,
) -> Vec<ResourceSpec> {
    let (Some(provider), Some(endpoint)) = (&group.provider, &group.endpoint) else {
        return Vec::new();
    };
    let Some(provider) = providers.get(provider) else {
        return Vec::new();
    };
    let Some(known) = provider.endpoint(endpoint) else {
        let names: Vec<&str> = provider
            .endpoints()
            .map(|known| known.name().as_str())
            .collect();
        problems.refuse(
            &format!("{path}.endpoint"),
            "must be an endpoint of the provider",
            &format!("there are {}", names.join(", ")),
        );
        return Vec::new();
    };
    let query: Vec<(String, String)> = group
        .parameters
        .iter()
        .map(|(name, value)| (name.clone(), value.texts().join(",")))
        .collect();
    match provider.read(known.path(), &query) {
        Ok(read) => read.resources,
        Err(error) => {
            problems.refuse(
                &format!("{path}.parameters"),
                "must be what the endpoint can be asked",
                &error.to_string(),
            );
            Vec::new()
        }
    }
}
