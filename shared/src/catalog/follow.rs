//! The groups that follow a list.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::track::{endpoint, query, tracking};
use crate::config::{Config, Problems, TrackGroup};
use crate::model::{BatchKey, EndpointName, FollowSpec, ProviderName, ResourceKey, TrackSpec};
use crate::provider::{Endpoint, Provider};

/// Stands for an item where the question is checked: a number and a word.
const ANY_ITEM: &str = "1";

/// Every group that follows a list, in order. What is wrong is added to `problems`.
pub(super) fn resolve(
    config: &Config,
    providers: &BTreeMap<ProviderName, Arc<Provider>>,
    tracked: &[TrackSpec],
    problems: &mut Problems,
) -> Vec<FollowSpec> {
    let groups = config.track.iter().enumerate();
    groups
        .filter_map(|(index, group)| {
            let path = format!("track[{index}]");
            let provider = providers.get(group.provider.as_ref()?)?;
            follow(group, &path, provider, tracked, problems)
        })
        .collect()
}

fn follow(
    group: &TrackGroup,
    path: &str,
    provider: &Provider,
    tracked: &[TrackSpec],
    problems: &mut Problems,
) -> Option<FollowSpec> {
    // One without the other, or the same endpoint twice, has been reported already.
    let (Some(name), Some(of), Some(first)) = (&group.endpoint, &group.of, group.first) else {
        return None;
    };
    if name == of {
        return None;
    }
    let of_key = format!("{path}.of");
    let list_endpoint = endpoint(provider, of, &of_key, problems)?;
    // An unknown one has been reported already.
    let asked = provider.endpoint(name)?;
    let item = list_endpoint.lists_items_for();
    if item.is_none() {
        let lists = names(provider, |known| known.lists_items_for().is_some());
        problems.refuse(
            &of_key,
            "must be an endpoint whose answer lists items",
            &format!("those that are known to are {lists}"),
        );
    }
    let item = item?;
    if !asked.batches_by(item) {
        let takes = names(provider, |known| known.batches_by(item));
        problems.refuse(
            &format!("{path}.endpoint"),
            &format!("must be one whose batch parameter is {item}"),
            &format!("the items of {of} go there; those that take them are {takes}"),
        );
        return None;
    }
    let (list, batch_key) = (
        list(of, &of_key, provider, tracked, problems),
        batch_key(group, path, item, asked, provider, problems),
    );
    Some(FollowSpec {
        group: group.name.to_string(),
        provider: provider.name().clone(),
        list: list?,
        list_endpoint: of.clone(),
        endpoint: name.clone(),
        parameters: query(group),
        batch_key: batch_key?,
        first: first as usize,
        tracking: tracking(group),
    })
}

/// The one tracked resource of the endpoint: its entry is what is followed.
fn list(
    of: &EndpointName,
    key: &str,
    provider: &Provider,
    tracked: &[TrackSpec],
    problems: &mut Problems,
) -> Option<ResourceKey> {
    let mut lists: Vec<&ResourceKey> = tracked
        .iter()
        .map(|track| &track.resource)
        .filter(|resource| resource.provider == *provider.name() && resource.endpoint == *of)
        .map(|resource| &resource.key)
        .collect();
    lists.sort();
    lists.dedup();
    match lists.as_slice() {
        [one] => return Some((*one).clone()),
        [] => problems.refuse(
            key,
            "must be tracked by a group of its own",
            "its items are read from the cache, and nobody would put it there",
        ),
        several => {
            let keys: Vec<&str> = several.iter().map(|key| key.as_str()).collect();
            problems.refuse(
                key,
                "must be tracked as one resource",
                &format!("which of them is meant: {}", keys.join(", ")),
            );
        }
    }
    None
}

/// Checks what is asked beside the items, with one in their place.
fn batch_key(
    group: &TrackGroup,
    path: &str,
    item: &str,
    asked: &Endpoint,
    provider: &Provider,
    problems: &mut Problems,
) -> Option<BatchKey> {
    if group.parameters.contains_key(item) {
        problems.refuse(
            &format!("{path}.parameters.{item}"),
            "must be left out beside first and of",
            "the items of the list go there",
        );
        return None;
    }
    let mut asking = query(group);
    asking.push((item.to_owned(), ANY_ITEM.to_owned()));
    match provider.read(asked.path(), &asking) {
        Ok(read) => Some(read.batch_key),
        Err(error) => {
            problems.refuse(
                &format!("{path}.parameters"),
                "must be what the endpoint can be asked",
                &error.to_string(),
            );
            None
        }
    }
}

fn names(provider: &Provider, which: impl Fn(&Endpoint) -> bool) -> String {
    let known = provider.endpoints().filter(|known| which(known));
    let names: Vec<&str> = known.map(|known| known.name().as_str()).collect();
    names.join(", ")
}
