//! In which order resources are listed, as `sort` and `reverse` say it, and where a page begins.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error;
use shared::store::ResourceOrder;

use super::cursor;
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

/// The order that a query asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sorting {
    pub(super) order: ResourceOrder,
    pub(super) is_reversed: bool,
}

/// Where a page begins.
///
/// By key the last key says it. In another order rows move meanwhile, and the number of
/// those that were shown must do.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) after: Option<String>,
    pub(super) skip: u32,
}

impl Sorting {
    /// By key, from A to Z, if the query asks for nothing else.
    pub(super) fn read(query: &Query) -> Result<Self, Problem> {
        let order = match query.text("sort") {
            None => ResourceOrder::Key,
            Some(text) => order(text)?,
        };
        let is_reversed = query.parsed("reverse", "true or false")?.unwrap_or(false);
        Ok(Self { order, is_reversed })
    }

    /// Where the page begins that a query asks for.
    ///
    /// # Errors
    ///
    /// 422 if the cursor is of a list in another order.
    pub(super) fn start(self, query: &Query) -> Result<Start, Problem> {
        let Some(text) = cursor::read(query)? else {
            return Ok(Start::default());
        };
        let last = text.strip_prefix(&self.mark()).ok_or_else(cursor::wrong)?;
        match self.order {
            ResourceOrder::Key => Ok(Start {
                after: Some(last.to_owned()),
                skip: 0,
            }),
            _ => Ok(Start {
                after: None,
                skip: last.parse().map_err(|_| cursor::wrong())?,
            }),
        }
    }

    /// The cursor of the page behind one that began at `start` and ends with the key `last`.
    pub(super) fn next(self, start: &Start, limit: i64, last: &str) -> String {
        let mark = self.mark();
        match self.order {
            ResourceOrder::Key => cursor::after(&format!("{mark}{last}")),
            _ => cursor::after(&format!("{mark}{}", i64::from(start.skip) + limit)),
        }
    }

    /// What the cursors of this order begin with.
    fn mark(self) -> String {
        let way = if self.is_reversed { "-" } else { "" };
        format!("{way}{}:", self.order.as_str())
    }
}

fn order(text: &str) -> Result<ResourceOrder, Problem> {
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
