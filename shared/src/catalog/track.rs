//! The resources that a configuration's groups stand for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{Config, Problems, TrackGroup};
use crate::model::{EndpointName, Pace, ProviderName, ResourceSpec, TrackSpec, Tracking};
use crate::provider::{Endpoint, Provider};

/// Every resource that is named, in the order of the groups; the members of a list are
/// known at run time only. What a provider refuses is added to
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
        let tracking = tracking(group);
        check_bound(config, group, &path, &resources, providers, problems);
        tracked.extend(resources.into_iter().map(|resource| TrackSpec {
            resource,
            group: group.name.to_string(),
            tracking: tracking.clone(),
        }));
    }
    tracked
}

/// A planned group whose bound is shorter than what its provider can answer anew has none
/// that a plan could keep.
fn check_bound(
    config: &Config,
    group: &TrackGroup,
    path: &str,
    resources: &[ResourceSpec],
    providers: &BTreeMap<ProviderName, Arc<Provider>>,
    problems: &mut Problems,
) {
    let (Some(bound), Pace::Planned) = (group.max_age, pace(group)) else {
        return;
    };
    let least = resources.iter().find_map(|resource| {
        let provider = providers.get(&resource.provider)?;
        let least = super::plan::least_interval(config, provider, &resource.batch_key);
        (bound.as_secs_f64() < least).then(|| Duration::from_secs_f64(least))
    });
    if let Some(least) = least {
        let rule = format!(
            "must be at least {}, its provider's min_interval or its endpoint's update frequency",
            humantime::format_duration(least)
        );
        let reason = "the provider has nothing newer before that";
        problems.refuse(&format!("{path}.max_age"), &rule, reason);
    }
}

/// How the members of a group are tracked.
pub(super) fn tracking(group: &TrackGroup) -> Tracking {
    Tracking {
        pace: pace(group),
        max_age: group.max_age,
        fresh_for: group.fresh_for,
        weight: group.weight,
    }
}

/// When a group is refreshed; as the planner decides if it does not say.
fn pace(group: &TrackGroup) -> Pace {
    match group.every {
        Some(every) => Pace::Every(every),
        None if group.schedule.is_empty() => Pace::Planned,
        None => Pace::Schedule {
            expression: group.schedule.clone(),
            zone: group.zone.name().to_owned(),
        },
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
    let (Some(provider), Some(name)) = (&group.provider, &group.endpoint) else {
        return Vec::new();
    };
    let Some(provider) = providers.get(provider) else {
        return Vec::new();
    };
    let Some(known) = endpoint(provider, name, &format!("{path}.endpoint"), problems) else {
        return Vec::new();
    };
    if group.first.is_some() || group.of.is_some() {
        return Vec::new();
    }
    match provider.read(known.path(), &query(group)) {
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

/// The endpoint of this name, or a problem.
pub(super) fn endpoint<'p>(
    provider: &'p Provider,
    name: &EndpointName,
    key: &str,
    problems: &mut Problems,
) -> Option<&'p Endpoint> {
    let known = provider.endpoint(name);
    if known.is_none() {
        let names: Vec<&str> = provider
            .endpoints()
            .map(|known| known.name().as_str())
            .collect();
        problems.refuse(
            key,
            "must be an endpoint of the provider",
            &format!("there are {}", names.join(", ")),
        );
    }
    known
}

/// What a group asks of its endpoint.
pub(super) fn query(group: &TrackGroup) -> Vec<(String, String)> {
    group
        .parameters
        .iter()
        .map(|(name, value)| (name.clone(), value.texts().join(",")))
        .collect()
}
