//! One path of a provider, checked.

use std::collections::BTreeMap;
use std::time::Duration;

use super::cost::CostRule;
use super::items::Items;
use super::parameter::Parameter;
use super::pointer::Pointer;
use super::split::Split;
use crate::model::EndpointName;

/// One path of a provider, with what may be asked of it.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub(super) name: EndpointName,
    pub(super) path: PathTemplate,
    pub(super) parameters: BTreeMap<String, Parameter>,
    pub(super) one_of: Vec<String>,
    pub(super) at_most_one: Vec<Vec<String>>,
    pub(super) batch_max: u32,
    /// The parameters that name items; empty where one call answers one question.
    pub(super) splits: BTreeMap<String, Split>,
    pub(super) cost: CostRule,
    /// For an endpoint whose answer lists items of others.
    pub(super) items: Option<Items>,
    pub(super) updated: Option<Pointer>,
    pub(super) update_frequency: Duration,
    pub(super) local: bool,
}

impl Endpoint {
    /// The endpoint's name.
    pub fn name(&self) -> &EndpointName {
        &self.name
    }

    /// Its path below the base URL, with braces where a parameter stands.
    pub fn path(&self) -> &str {
        &self.path.text
    }

    /// How often the provider renews the data; asking more often buys nothing.
    pub fn update_frequency(&self) -> Duration {
        self.update_frequency
    }

    /// Most items in one call; 1 where one call answers one question.
    pub fn max_items(&self) -> usize {
        self.batch_max as usize
    }

    /// Credits of the cheapest call there is to this endpoint.
    pub fn cheapest(&self) -> u32 {
        let items = u32::from(self.is_batched());
        self.cost.rule.worst_case(super::cost::Asked {
            items,
            amount: 1,
            extra: 0,
        })
    }

    /// Whether one call can answer several resources.
    pub fn is_batched(&self) -> bool {
        !self.splits.is_empty()
    }

    /// The batch parameter of other endpoints that takes the items of this one's answer;
    /// `None` where the answer is not known to list any.
    pub fn lists_items_for(&self) -> Option<&str> {
        self.items.as_ref().map(|items| items.parameter.as_str())
    }

    /// Whether `name` is a parameter that names the items of a call.
    pub fn batches_by(&self, name: &str) -> bool {
        self.splits.contains_key(name)
    }

    /// Whether it tells of the key itself: answered from the ledger, never cached.
    pub fn is_local(&self) -> bool {
        self.local
    }

    /// The names of its parameters, sorted.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.parameters.keys().map(String::as_str)
    }
}

/// A path, some of whose segments are parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PathTemplate {
    text: String,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Parameter(String),
}

impl PathTemplate {
    /// Reads a path as the configuration gives it; `None` if it has no leading
    /// slash, or something that does not belong in a path.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let segments = text
            .strip_prefix('/')?
            .split('/')
            .map(|segment| {
                let inner = segment
                    .strip_prefix('{')
                    .and_then(|rest| rest.strip_suffix('}'));
                match inner {
                    Some(name) if !name.is_empty() => Some(Segment::Parameter(name.to_owned())),
                    _ if is_literal(segment) => Some(Segment::Literal(segment.to_owned())),
                    _ => None,
                }
            })
            .collect::<Option<Vec<_>>>()?;
        Some(Self {
            text: text.to_owned(),
            segments,
        })
    }

    /// The names of the parameters in it.
    pub(super) fn parameters(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Parameter(name) => Some(name.as_str()),
            Segment::Literal(_) => None,
        })
    }

    /// How many segments are literal: of two templates that match, the one with
    /// more is meant.
    pub(super) fn literals(&self) -> usize {
        self.segments.len() - self.parameters().count()
    }

    /// The parameters' values, still percent-encoded, if this path matches.
    pub(super) fn matches<'a>(&'a self, path: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
        let path = path.strip_prefix('/').unwrap_or(path);
        let mut given = path.split('/');
        let mut values = Vec::new();
        for segment in &self.segments {
            let found = given.next()?;
            match segment {
                Segment::Literal(literal) if literal == found => {}
                Segment::Literal(_) => return None,
                Segment::Parameter(name) => values.push((name.as_str(), found)),
            }
        }
        given.next().is_none().then_some(values)
    }

    /// The path with each parameter replaced by what `value` says of it.
    pub(super) fn fill(&self, mut value: impl FnMut(&str) -> String) -> String {
        let mut path = String::new();
        for segment in &self.segments {
            path.push('/');
            match segment {
                Segment::Literal(literal) => path.push_str(literal),
                Segment::Parameter(name) => path.push_str(&value(name)),
            }
        }
        path
    }
}

/// Whether a segment stands for itself. Dots alone would climb the tree.
fn is_literal(segment: &str) -> bool {
    !segment.is_empty()
        && segment != "."
        && segment != ".."
        && segment
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~@:".contains(&byte))
}
