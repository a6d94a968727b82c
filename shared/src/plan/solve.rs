//! Finds the refresh rates that make the objective least within a budget.
//!
//! Minimise `Σ cost(rate)` subject to `Σ c·rate <= budget` and `lo <= rate <= hi` for each
//! item. At the optimum there is one price λ, in units of the objective per unit of cost: an
//! item's rate is where its index `W(1/rate)` is `λ c`, clamped to its box.
//!
//! What is left beyond the least rates is distributed in [`super::level`]. A budget may be
//! hardly more than they cost, so that difference is taken exactly.

use super::Objective;
use super::level::{Scaled, Search};
use super::sum::{SAME, Sum, sum};

/// One thing to refresh. Rates are per unit of time, whichever it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Item {
    /// Reads per unit of time, at least 0.
    pub reads: f64,
    /// Changes per unit of time, at least 0.
    pub changes: f64,
    /// What one refresh costs, above 0; a share of a call where several share one.
    pub cost: f64,
    /// Least rate, from a hard bound on the age.
    pub min_rate: f64,
    /// Greatest rate; infinite for none.
    pub max_rate: f64,
}

impl Item {
    /// Whether refreshing it more often makes the objective any smaller.
    pub(super) fn is_useful(&self, objective: Objective) -> bool {
        self.reads > 0.0 && (objective == Objective::Age || self.changes > 0.0)
    }
}

/// How the budget compares with what could be spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The budget is spent.
    Ok,
    /// Every useful item is refreshed as often as it may be; the rest of the budget stays.
    Saturated,
    /// The least rates alone cost more than the budget: each is multiplied by φ.
    Infeasible,
}

impl Status {
    /// The status as it stands in answers and rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Saturated => "saturated",
            Self::Infeasible => "infeasible",
        }
    }
}

/// The best rates.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution {
    /// How the budget compares with what could be spent.
    pub status: Status,
    /// Refreshes per unit of time, for each item in order.
    pub rates: Vec<f64>,
    /// The price λ: how much of the objective the last unit of cost has bought. 0 if the
    /// budget is not needed; `None` if there is none, as when it is infeasible.
    pub price: Option<f64>,
    /// What the rates cost per unit of time.
    pub spend: f64,
    /// What the least rates were multiplied by; 1 unless it is infeasible.
    pub scale: f64,
}

/// Why there is no solution.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SolveError {
    /// The budget is no amount.
    #[error("the budget must be a finite number of at least 0, not {0}")]
    Budget(f64),
    /// An item has a value that means nothing.
    #[error("item {index}: {name} must be {rule}, not {value}")]
    Value {
        /// Which item, from 0.
        index: usize,
        /// Which of its values.
        name: &'static str,
        /// What was given.
        value: f64,
        /// What it must be.
        rule: &'static str,
    },
}

/// The best rates for `items` within `budget` per unit of time.
///
/// No items at all are saturated. The sum of the costs is the budget to within 1e-12.
///
/// # Errors
///
/// [`SolveError`] for the first value that is NaN, negative, or against its rule.
pub fn solve(objective: Objective, items: &[Item], budget: f64) -> Result<Solution, SolveError> {
    let exactly = Search {
        near: None,
        tolerance: SAME,
    };
    search(objective, items, budget, exactly)
}

/// The same for a plan that is made again and again: it starts from a price that is likely
/// near, such as the last one, and spends the budget to within a millionth.
///
/// # Errors
///
/// As for [`solve`].
pub fn solve_near(
    objective: Objective,
    items: &[Item],
    budget: f64,
    price: Option<f64>,
) -> Result<Solution, SolveError> {
    let nearly = Search {
        near: price,
        tolerance: 1e-6,
    };
    search(objective, items, budget, nearly)
}

fn search(
    objective: Objective,
    items: &[Item],
    budget: f64,
    search: Search,
) -> Result<Solution, SolveError> {
    check(items, budget)?;
    let mut minimum = Sum::default();
    for item in items.iter().filter(|item| item.min_rate > 0.0) {
        minimum.add_product(item.cost, item.min_rate);
    }
    let least = minimum.total();
    if least * (1.0 - SAME) > budget {
        let scale = budget / least;
        return Ok(Solution {
            status: Status::Infeasible,
            rates: items.iter().map(|item| item.min_rate * scale).collect(),
            price: None,
            spend: budget,
            scale,
        });
    }
    let most = |item: &Item| match item.is_useful(objective) {
        true => item.max_rate,
        false => item.min_rate,
    };
    let wanted = sum(items.iter().map(|item| item.cost * most(item)));
    if wanted * (1.0 - SAME) <= budget {
        return Ok(solution(
            Status::Saturated,
            items,
            items.iter().map(most).collect(),
            Some(0.0),
        ));
    }
    minimum.add(-budget);
    let rest = -minimum.total();
    if rest <= 0.0 {
        // Nothing is left beyond the least rates: the price is what the next refresh is worth.
        let rates = items.iter().map(|item| item.min_rate).collect();
        let price = items
            .iter()
            .filter(|item| item.is_useful(objective) && item.max_rate > item.min_rate)
            .map(|item| objective.index(item.reads, item.changes, 1.0 / item.min_rate) / item.cost)
            .fold(0.0, f64::max);
        let price = price.is_finite().then_some(price);
        return Ok(solution(Status::Ok, items, rates, price));
    }
    let (rates, price) = Scaled::of(objective, items, rest).fill(search);
    Ok(solution(Status::Ok, items, rates, Some(price)))
}

fn solution(status: Status, items: &[Item], rates: Vec<f64>, price: Option<f64>) -> Solution {
    let costs = items.iter().zip(&rates);
    let spend = sum(costs.map(|(item, rate)| item.cost * rate));
    Solution {
        status,
        rates,
        price,
        spend,
        scale: 1.0,
    }
}

fn check(items: &[Item], budget: f64) -> Result<(), SolveError> {
    if !(budget.is_finite() && budget >= 0.0) {
        return Err(SolveError::Budget(budget));
    }
    const RATE: &str = "a finite number of at least 0";
    for (index, item) in items.iter().enumerate() {
        let is_rate = |value: f64| value.is_finite() && value >= 0.0;
        let rules = [
            ("reads", item.reads, is_rate(item.reads), RATE),
            ("changes", item.changes, is_rate(item.changes), RATE),
            (
                "cost",
                item.cost,
                item.cost.is_finite() && item.cost > 0.0,
                "a finite number above 0",
            ),
            (
                "the least rate",
                item.min_rate,
                is_rate(item.min_rate),
                RATE,
            ),
            (
                "the greatest rate",
                item.max_rate,
                item.max_rate >= item.min_rate,
                "at least the least rate",
            ),
        ];
        if let Some((name, value, _, rule)) = rules.into_iter().find(|(_, _, fine, _)| !fine) {
            return Err(SolveError::Value {
                index,
                name,
                value,
                rule,
            });
        }
    }
    Ok(())
}
