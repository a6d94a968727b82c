//! The most that a call can cost, known before it is made.
//!
//! An upper bound, for reservations. What a call did cost is read from its reply
//! (`charge`), and the difference shows as drift.

use crate::model::BatchKey;

use super::question::Question;
use super::{Provider, RequestError};

/// Most credits that any call is believed to cost. A larger figure, from a rule or
/// from a reply, is a mistake rather than a price.
pub(super) const MOST_CREDITS: u32 = 1_000_000;

/// How a call's credits grow with what is asked.
///
/// The sum of `credits`, one credit for each `items_per_credit` items, one for
/// each `amount_per_credit` of the amount asked for (both rounded up), and one for
/// each extra value, such as a currency beyond the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CreditRule {
    /// Credits for every call.
    pub credits: u32,
    /// Items that one credit buys; `None` if items cost nothing by themselves.
    pub items_per_credit: Option<u32>,
    /// How much of the amount, such as `limit`, one credit buys; `None` if it
    /// costs nothing by itself.
    pub amount_per_credit: Option<u32>,
}

/// How much one call asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asked {
    /// Items of the batch parameter.
    pub items: u32,
    /// Value of the parameter that says how much is wanted.
    pub amount: u32,
    /// Values beyond the first of the parameters that cost extra.
    pub extra: u32,
}

impl CreditRule {
    /// Most credits that a call can cost.
    ///
    /// An upper bound, because a provider does not charge for ids that it does not
    /// know: right for a reservation, wrong for settling. Settle with
    /// [`Reading::charged`](super::Reading::charged), which is read from the reply.
    /// A sum beyond `u32` is `u32::MAX`, which no cap admits.
    ///
    /// # Source
    ///
    /// CoinMarketCap SDK 5.0.0 (2026-10), `GET /v3/cryptocurrency/quotes/latest`:
    /// 250 items for a credit, and one more for each `convert` beyond the first.
    /// CoinMarketCap's academy page says 200 and its guide 100; settling corrects
    /// whichever is wrong today.
    ///
    /// # Examples
    ///
    /// ```
    /// # use shared::provider::{Asked, CreditRule};
    /// let rule = CreditRule { items_per_credit: Some(250), ..CreditRule::default() };
    /// let asked = |items, extra| Asked { items, extra, ..Asked::default() };
    /// assert_eq!(rule.worst_case(asked(250, 0)), 1);
    /// assert_eq!(rule.worst_case(asked(251, 2)), 4);
    /// ```
    pub fn worst_case(&self, asked: Asked) -> u32 {
        // A divisor of 0 is refused when the rule is compiled; here it costs the
        // most, so that a rule made by hand cannot overspend.
        let part = |asked: u32, each: Option<u32>| match each {
            None => 0,
            Some(0) => u32::MAX,
            Some(each) => asked.div_ceil(each),
        };
        self.credits
            .saturating_add(part(asked.items, self.items_per_credit))
            .saturating_add(part(asked.amount, self.amount_per_credit))
            .saturating_add(asked.extra)
    }

    /// How many items may go along without costing more than `items` do.
    ///
    /// # Examples
    ///
    /// ```
    /// # use shared::provider::CreditRule;
    /// let rule = CreditRule { items_per_credit: Some(250), ..CreditRule::default() };
    /// assert_eq!(rule.items_for_same_cost(1), 250);
    /// assert_eq!(rule.items_for_same_cost(251), 500);
    /// ```
    pub fn items_for_same_cost(&self, items: u32) -> u32 {
        match self.items_per_credit {
            Some(each) if each > 0 => items.max(1).div_ceil(each).saturating_mul(each),
            Some(_) => items,
            None => u32::MAX,
        }
    }
}

/// Why the cost of a call cannot be bounded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CostError {
    /// A batch without items: it would use up a request for an error.
    #[error("{endpoint} needs at least one item in a call")]
    NoItems {
        /// The endpoint's name.
        endpoint: String,
    },

    /// More items than one call takes.
    #[error("{endpoint} takes at most {max} items in a call, not {given}")]
    TooManyItems {
        /// The endpoint's name.
        endpoint: String,
        /// Items given.
        given: usize,
        /// Most items.
        max: usize,
    },

    /// The batch key is not one of this configuration.
    #[error("the batch key does not fit the configuration")]
    BadBatchKey(#[source] RequestError),
}

/// A rule and the parameters that it looks at.
#[derive(Debug, Clone, Default)]
pub(super) struct CostRule {
    pub(super) rule: CreditRule,
    /// The parameter whose value is the amount, and what it counts as when absent.
    pub(super) amount: Option<(String, u32)>,
    pub(super) extra: Vec<String>,
}

impl CostRule {
    fn asked(&self, question: &Question<'_>, items: usize) -> Asked {
        let amount = self.amount.as_ref().map_or(0, |(parameter, default)| {
            question
                .values
                .get(parameter)
                .and_then(|values| values.first())
                .map_or(*default, |value| value.parse().unwrap_or(u32::MAX))
        });
        let values: usize = self
            .extra
            .iter()
            .filter_map(|parameter| question.values.get(parameter))
            .map(Vec::len)
            .sum();
        Asked {
            items: u32::try_from(items).unwrap_or(u32::MAX),
            amount,
            extra: u32::try_from(values.saturating_sub(1)).unwrap_or(u32::MAX),
        }
    }
}

impl Provider {
    /// Most credits that a call for this many items of a batch can cost.
    ///
    /// `items` is 0 or 1 for an endpoint without a batch parameter.
    ///
    /// # Errors
    ///
    /// [`CostError::NoItems`] or [`CostError::TooManyItems`] if no call may carry
    /// so many; [`CostError::BadBatchKey`] if the configuration has changed since
    /// the key was made.
    pub fn worst_case(&self, batch_key: &BatchKey, items: usize) -> Result<u32, CostError> {
        let question = self.batch(batch_key).map_err(CostError::BadBatchKey)?;
        let endpoint = question.endpoint;
        if endpoint.is_batched() && items == 0 {
            return Err(CostError::NoItems {
                endpoint: endpoint.name().to_string(),
            });
        }
        if items > endpoint.max_items() {
            return Err(CostError::TooManyItems {
                endpoint: endpoint.name().to_string(),
                given: items,
                max: endpoint.max_items(),
            });
        }
        let asked = endpoint.cost.asked(&question, items);
        Ok(endpoint.cost.rule.worst_case(asked))
    }

    /// How many items a call may carry without costing more than `items` alone do.
    ///
    /// Never more than [`Provider::max_items`], and 1 for a batch key that the
    /// configuration does not know.
    pub fn items_for_same_cost(&self, batch_key: &BatchKey, items: usize) -> usize {
        let Ok(question) = self.batch(batch_key) else {
            return 1;
        };
        let items = u32::try_from(items).unwrap_or(u32::MAX);
        let rule = question.endpoint.cost.rule;
        (rule.items_for_same_cost(items) as usize).min(question.endpoint.max_items())
    }

    /// Most items in one call of this batch; 1 where one call answers one question,
    /// and for a batch key that the configuration does not know.
    pub fn max_items(&self, batch_key: &BatchKey) -> usize {
        self.batch(batch_key)
            .map_or(1, |question| question.endpoint.max_items())
    }
}
