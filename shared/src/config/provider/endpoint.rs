//! `[providers.x.endpoints.y]`: one path of a provider.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Scalar;

/// One path, with its parameters, its cost and how its reply is taken apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EndpointConfig {
    /// Path below the base URL, with a leading slash. A segment in braces
    /// (`/coins/{id}`) is a parameter.
    pub path: String,

    /// Every parameter that may be asked for, by name. Others are refused, so
    /// that nobody fills the cache or spends credits with made-up queries.
    pub parameters: BTreeMap<String, ParameterConfig>,

    /// Parameters of which exactly one must be given.
    pub one_of: Vec<String>,

    /// Groups of parameters of which at most one may be given.
    pub at_most_one: Vec<Vec<String>>,

    /// How many items one call may carry, and how the reply gives them back;
    /// without it one call answers one question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchConfig>,

    /// Where the answer lists items that another endpoint can be asked for: a
    /// group can follow the first of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<ItemsConfig>,

    /// The most that a call can cost.
    pub cost: CostConfig,

    /// JSON pointer inside an item (or inside the data, where there is no batch)
    /// to the time of the provider's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated: Option<String>,

    /// How often the provider renews the data: asking more often buys nothing.
    #[serde(with = "humantime_serde")]
    pub update_frequency: Duration,

    /// Whether it tells of the key itself. It is answered from the ledger and
    /// never cached.
    pub local: bool,
}

impl Default for EndpointConfig {
    fn default() -> Self {
        Self {
            path: String::new(),
            parameters: BTreeMap::new(),
            one_of: Vec::new(),
            at_most_one: Vec::new(),
            batch: None,
            items: None,
            cost: CostConfig::default(),
            updated: None,
            update_frequency: Duration::from_secs(60),
            local: false,
        }
    }
}

/// One query or path parameter.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ParameterConfig {
    /// What a value may look like.
    #[serde(rename = "type")]
    pub kind: ParameterKind,

    /// Whether it takes several values, separated by commas; their order and
    /// repetitions mean nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub list: bool,

    /// Whether the case of letters means anything, and which one is canonical.
    pub case: LetterCase,

    /// What the provider takes when the parameter is missing. A request that
    /// states it is the same as one that does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Scalar>,

    /// The only values that it takes; any that fit the type unless given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Scalar>,

    /// Least value of an integer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<i64>,

    /// Greatest value of an integer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<i64>,

    /// Whether a request without it is refused.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,

    /// Sent with every call, whatever a reader says: readers may give any value
    /// of the type, and it makes no other resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fixed: Option<Scalar>,
}

/// What a parameter's value may look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParameterKind {
    /// Text without control characters, at most 256 bytes.
    #[default]
    Text,
    /// A name: letters, digits and a few signs, no spaces, at most 64 bytes.
    Word,
    /// A whole number; at least 1 unless `min` says otherwise.
    Integer,
    /// A decimal number, such as `0.5` or `-3`.
    Number,
    /// `true` or `false`, also written `1` and `0`, in any case.
    Boolean,
}

/// Whether the case of letters means anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LetterCase {
    /// It does: values are kept as they are.
    #[default]
    Keep,
    /// It does not; upper case is canonical.
    Upper,
    /// It does not; lower case is canonical.
    Lower,
}

/// Several resources in one call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchConfig {
    /// Most items in one call.
    pub max: u32,

    /// The list parameters that name items, and how a reply to each is taken
    /// apart. A request gives exactly one of them.
    pub parameters: BTreeMap<String, SplitConfig>,
}

/// An answer that lists items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemsConfig {
    /// JSON pointer inside the data to the list; the data is the list unless given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub at: String,

    /// JSON pointer inside an element to the item's name.
    pub by: String,

    /// The batch parameter of other endpoints that takes such names.
    pub parameter: String,
}

/// How the reply to a batch is taken apart, and put together again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitConfig {
    /// The shape of the data.
    pub split: SplitKind,

    /// JSON pointer inside an element to the value of the parameter. A map
    /// without it is keyed by that value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,

    /// JSON pointer inside an element to its key, for a map that is keyed by
    /// something else than the parameter asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,

    /// Whether several elements of a list may belong to one item, such as coins
    /// that share a symbol. The item's answer is then the list of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub many: bool,
}

/// The shape of a batch reply's data: a closed set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitKind {
    /// A list of objects, each saying which item it is.
    ListBy,
    /// An object with one value for each item.
    MapBy,
    /// An object with a list of values for each item.
    MapOfListsBy,
}

/// The most that a call can cost: the sum of what is given, in credits.
///
/// `credits` alone is a flat price. Without any key a call costs 1.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CostConfig {
    /// Credits for every call; 0 if `per_items` or `per` is given, else 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credits: Option<u32>,

    /// One credit for each so many items of the batch, rounded up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_items: Option<u32>,

    /// One credit for each so many of the value of the parameter `of`, rounded up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per: Option<u32>,

    /// The integer parameter that says how much is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,

    /// What `of` counts as when a request does not give it; its default unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<u32>,

    /// List parameters whose values together cost one credit each beyond the first.
    pub extra: Vec<String>,
}
