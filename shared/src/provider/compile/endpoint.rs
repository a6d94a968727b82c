//! Checking one endpoint.

use std::collections::BTreeMap;

use super::pointer;
use crate::config::provider::{
    CostConfig, EndpointConfig, ItemsConfig, ParameterKind, SplitConfig, SplitKind,
};
use crate::provider::cost::{CostRule, CreditRule, MOST_CREDITS};
use crate::provider::endpoint::{Endpoint, PathTemplate};
use crate::provider::items::Items;
use crate::provider::parameter::Parameter;
use crate::provider::problem::Problems;
use crate::provider::read::MAX_ITEMS;
use crate::provider::split::Split;

/// Checks an endpoint; `None` when it broke a rule that leaves nothing to build.
pub(super) fn compile(
    key: &str,
    name: &str,
    config: &EndpointConfig,
    problems: &mut Problems,
) -> Option<Endpoint> {
    let parsed = name.parse();
    if let Err(error) = &parsed {
        problems.add(key, name, "must be a name", format!("{error}"));
    }
    let path = PathTemplate::parse(&config.path);
    if path.is_none() {
        problems.add(
            format!("{key}.path"),
            &config.path,
            "must be a path with a leading slash, such as /v1/coins/{id}",
            "it follows the base URL",
        );
    }
    let parameters = parameters(key, config, problems);
    check_groups(key, config, path.as_ref(), problems);
    let splits = splits(key, config, problems);
    let cost = cost(key, &config.cost, config, problems);
    let updated = pointer(format!("{key}.updated"), config.updated.as_ref(), problems);
    let items = config
        .items
        .as_ref()
        .and_then(|items| list_of_items(key, items, problems));
    Some(Endpoint {
        name: parsed.ok()?,
        path: path?,
        parameters,
        one_of: config.one_of.clone(),
        at_most_one: config.at_most_one.clone(),
        batch_max: config.batch.as_ref().map_or(1, |batch| batch.max),
        splits,
        cost,
        items,
        updated,
        update_frequency: config.update_frequency,
        local: config.local,
    })
}

fn list_of_items(key: &str, items: &ItemsConfig, problems: &mut Problems) -> Option<Items> {
    let at = pointer(format!("{key}.items.at"), Some(&items.at), problems);
    let by = pointer(format!("{key}.items.by"), Some(&items.by), problems);
    Some(Items {
        at: at?,
        by: by?,
        parameter: items.parameter.clone(),
    })
}

fn parameters(
    key: &str,
    config: &EndpointConfig,
    problems: &mut Problems,
) -> BTreeMap<String, Parameter> {
    let mut parameters = BTreeMap::new();
    for (name, parameter) in &config.parameters {
        let key = format!("{key}.parameters.{name}");
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.[]".contains(&byte);
        if name.is_empty() || name.len() > 64 || !name.bytes().all(good) {
            problems.add(
                &key,
                name,
                "must be a name of letters, digits, _, -, . and brackets",
                "it stands in resource keys as it is",
            );
        }
        if parameter.required && (parameter.default.is_some() || parameter.fixed.is_some()) {
            problems.add(
                format!("{key}.required"),
                "true",
                "must not stand beside default or fixed",
                "nothing would be missing",
            );
        }
        match Parameter::compile(parameter) {
            Ok(parameter) => {
                parameters.insert(name.clone(), parameter);
            }
            Err((value, reason)) => problems.add(
                key,
                value,
                reason,
                "values, default and fixed are of the parameter's own type",
            ),
        }
    }
    parameters
}

fn check_groups(
    key: &str,
    config: &EndpointConfig,
    path: Option<&PathTemplate>,
    problems: &mut Problems,
) {
    let mut need = |place: String, name: &str| {
        if !config.parameters.contains_key(name) {
            problems.add(
                place,
                name,
                "must be one of the endpoint's parameters",
                "a request could never give it",
            );
        }
    };
    for name in config.one_of.iter() {
        need(format!("{key}.one_of"), name);
    }
    for name in config.at_most_one.iter().flatten() {
        need(format!("{key}.at_most_one"), name);
    }
    for name in config
        .batch
        .iter()
        .flat_map(|batch| batch.parameters.keys())
    {
        need(format!("{key}.batch.parameters"), name);
    }
    for name in config.cost.extra.iter().chain(&config.cost.of) {
        need(format!("{key}.cost"), name);
    }
    for name in path.iter().flat_map(|path| path.parameters()) {
        need(format!("{key}.path"), name);
    }
    for name in path.iter().flat_map(|path| path.parameters()) {
        if let Some(parameter) = config.parameters.get(name)
            && !parameter.required
            && parameter.default.is_none()
        {
            problems.add(
                format!("{key}.parameters.{name}"),
                name,
                "must be required or have a default",
                "it is a part of the path",
            );
        }
    }
}

fn splits(key: &str, config: &EndpointConfig, problems: &mut Problems) -> BTreeMap<String, Split> {
    let Some(batch) = &config.batch else {
        return BTreeMap::new();
    };
    if batch.max == 0 || batch.max as usize > MAX_ITEMS || batch.parameters.is_empty() {
        problems.add(
            format!("{key}.batch"),
            batch.max,
            format!("must have a max from 1 to {MAX_ITEMS} and at least one parameter"),
            "a call carries at least one item",
        );
    }
    let mut splits = BTreeMap::new();
    for (name, split) in &batch.parameters {
        let key = format!("{key}.batch.parameters.{name}");
        let parameter = config.parameters.get(name);
        if parameter.is_some_and(|parameter| {
            !parameter.list || parameter.fixed.is_some() || parameter.default.is_some()
        }) {
            problems.add(
                &key,
                name,
                "must be a parameter with list = true, without default and fixed",
                "its values are the items of a call",
            );
        }
        check_split(&key, split, problems);
        let by = pointer(format!("{key}.by"), split.by.as_ref(), problems);
        let element_key = pointer(format!("{key}.key"), split.key.as_ref(), problems);
        splits.insert(
            name.clone(),
            Split {
                kind: split.split,
                by,
                key: element_key,
                many: split.many,
            },
        );
    }
    splits
}

fn check_split(key: &str, split: &SplitConfig, problems: &mut Problems) {
    let is_list = split.split == SplitKind::ListBy;
    if is_list && split.by.is_none() {
        problems.add(
            format!("{key}.by"),
            "",
            "must be given for list_by",
            "an element of a list says itself which item it is",
        );
    }
    if split.key.is_some() && (split.split != SplitKind::MapBy || split.by.is_none()) {
        problems.add(
            format!("{key}.key"),
            split.key.as_deref().unwrap_or_default(),
            "must stand beside by, for map_by only",
            "it says which key an element has when that is not the item",
        );
    }
    if split.many && !is_list {
        problems.add(
            format!("{key}.many"),
            "true",
            "must be for list_by only",
            "a map has one value for each key; lists in it are map_of_lists_by",
        );
    }
}

fn cost(
    key: &str,
    cost: &CostConfig,
    config: &EndpointConfig,
    problems: &mut Problems,
) -> CostRule {
    let key = format!("{key}.cost");
    let is_flat = cost.per_items.is_none() && cost.per.is_none();
    let rule = CreditRule {
        credits: cost.credits.unwrap_or(u32::from(is_flat)),
        items_per_credit: cost.per_items,
        amount_per_credit: cost.per,
    };
    if rule.credits > MOST_CREDITS || cost.per_items == Some(0) || cost.per == Some(0) {
        problems.add(
            &key,
            rule.credits,
            format!(
                "must have credits of at most {MOST_CREDITS}, and per and per_items of at least 1"
            ),
            "it bounds what a call can cost",
        );
    }
    if cost.per_items.is_some() && config.batch.is_none() {
        problems.add(
            format!("{key}.per_items"),
            cost.per_items.unwrap_or_default(),
            "must be for an endpoint with batch",
            "only a batch has items; use per and of for a parameter such as limit",
        );
    }
    if cost.per.is_some() != cost.of.is_some() {
        problems.add(
            &key,
            cost.of.as_deref().unwrap_or_default(),
            "must have both per and of, or neither",
            "one credit is paid for so many of what the parameter asks for",
        );
    }
    for name in &cost.extra {
        if config
            .parameters
            .get(name)
            .is_some_and(|parameter| !parameter.list)
        {
            problems.add(
                format!("{key}.extra"),
                name,
                "must be a parameter with list = true",
                "its values beyond the first cost a credit each",
            );
        }
    }
    CostRule {
        rule,
        amount: amount(&key, cost, config, problems),
        extra: cost.extra.clone(),
    }
}

fn amount(
    key: &str,
    cost: &CostConfig,
    config: &EndpointConfig,
    problems: &mut Problems,
) -> Option<(String, u32)> {
    let of = cost.of.as_ref()?;
    let parameter = config.parameters.get(of)?;
    let default = cost
        .default
        .or_else(|| parameter.default.as_ref()?.as_str().parse().ok());
    if parameter.kind != ParameterKind::Integer || parameter.list || default.is_none() {
        problems.add(
            format!("{key}.of"),
            of,
            "must be a single integer with a default here or at the parameter",
            "without a figure the cost of a call is unknown",
        );
    }
    Some((of.clone(), default?))
}
