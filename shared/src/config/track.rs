//! `[[track]]`: what is refreshed ahead of need, and how often.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::optional;
use crate::model::{EndpointName, ProviderName, ResourceKey};

mod check;

pub(super) use check::check;

/// `[[track]]`: a group of resources that are refreshed at one pace.
///
/// Which resources these are is said in exactly one of three ways:
///
/// - `resources`: their keys;
/// - `provider`, `endpoint` and `parameters`: a list as the value of the
///   endpoint's batch parameter stands for one resource for each of its items;
/// - `provider`, `endpoint`, `first` and `of`: the batch parameter takes the
///   first items of the answer of the endpoint `of`, as it is at run time.
///
/// Keys and parameters are checked for their form here. Whether the provider
/// knows them is the provider engine's to say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrackGroup {
    /// Name of the group, for people and for `LARDER__TRACK__NAME__EVERY`.
    #[schemars(with = "String")]
    pub name: GroupName,

    /// Keys such as `coinmarketcap:/v1/global-metrics/quotes/latest`.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub resources: Vec<ResourceKey>,

    /// Whose answers these are.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub provider: Option<ProviderName>,

    /// Which of the provider's paths gives them.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub endpoint: Option<EndpointName>,

    /// Parameters of the question.
    #[serde(default)]
    pub parameters: BTreeMap<String, ParameterValue>,

    /// How many items of the endpoint `of` to follow.
    #[serde(default)]
    pub first: Option<u32>,

    /// The endpoint whose answer lists the items.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub of: Option<EndpointName>,

    /// Time from one refresh to the next. Empty if there is a `schedule`.
    #[serde(with = "optional", default)]
    #[schemars(with = "String")]
    pub every: Option<Duration>,

    /// Cron expression of five fields, instead of `every`. Empty if there is none.
    #[serde(default)]
    pub schedule: String,

    /// IANA time zone that `schedule` is read in.
    #[serde(default = "utc")]
    #[schemars(with = "String")]
    pub zone: chrono_tz::Tz,

    /// Age past which a reader waits for a refresh instead of getting the old
    /// answer. Empty: as the provider's `cache.max_age` says.
    #[serde(with = "optional", default)]
    #[schemars(with = "String")]
    pub max_age: Option<Duration>,

    /// How long an answer counts as fresh. Empty: until the next refresh is overdue.
    #[serde(with = "optional", default)]
    #[schemars(with = "String")]
    pub fresh_for: Option<Duration>,

    /// How much a reader of this group counts against one of another group when
    /// the budget does not suffice for all.
    #[serde(default = "one")]
    pub weight: f64,
}

fn utc() -> chrono_tz::Tz {
    chrono_tz::UTC
}

fn one() -> f64 {
    1.0
}

/// Value of a parameter: one, or a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "must be text, a number, true or false, or a list of texts and numbers"
)]
pub enum ParameterValue {
    /// Several values.
    List(Vec<Scalar>),
    /// One value.
    One(Scalar),
}

impl ParameterValue {
    /// Every value, as it stands in a URL before encoding.
    pub fn texts(&self) -> Vec<String> {
        match self {
            Self::List(values) => values.iter().map(Scalar::to_string).collect(),
            Self::One(value) => vec![value.to_string()],
        }
    }
}

/// One value of a parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "must be text, a number, true or false")]
pub enum Scalar {
    /// Such as `convert_id = 2781`.
    Integer(i64),
    /// Such as `amount = 0.5`.
    Float(f64),
    /// Such as `skip_invalid = true`.
    Bool(bool),
    /// Such as `convert = "EUR"`.
    Text(String),
}

impl fmt::Display for Scalar {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => value.fmt(out),
            Self::Float(value) => value.fmt(out),
            Self::Bool(value) => value.fmt(out),
            Self::Text(value) => value.fmt(out),
        }
    }
}

/// Name of a group of tracked resources: `[a-z][a-z0-9_]*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GroupName(EndpointName);

impl GroupName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}
