//! In which order resources are listed, as `sort` says it.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error;
use shared::store::ResourceOrder;

use crate::problem::Problem;
use crate::query::{Query, invalid};

/// How a list can be sorted: what needs a look comes first.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Sort {
    /// By key.
    Key,
    /// Oldest answer first.
    Age,
    /// Nearest to its bound, or furthest past it, first.
    Bound,
    /// Most often refreshed first.
    Interval,
    /// Most read first.
    Reads,
    /// Dearest first.
    Cost,
    /// Soonest refresh first.
    Next,
}

/// The order that a query asks for; by key if it asks for none.
pub(super) fn read(query: &Query) -> Result<ResourceOrder, Problem> {
    let Some(text) = query.text("sort") else {
        return Ok(ResourceOrder::Key);
    };
    let known: Result<Sort, Error> = Sort::deserialize(text.into_deserializer());
    let sort = known.map_err(|_| {
        invalid("sort must be key, age, bound, interval, reads, cost or next".to_owned())
    })?;
    Ok(match sort {
        Sort::Key => ResourceOrder::Key,
        Sort::Age => ResourceOrder::Age,
        Sort::Bound => ResourceOrder::Bound,
        Sort::Interval => ResourceOrder::Interval,
        Sort::Reads => ResourceOrder::Reads,
        Sort::Cost => ResourceOrder::Cost,
        Sort::Next => ResourceOrder::Next,
    })
}
