//! What a plan makes as small as it can, and what one refresh is worth for it.
//!
//! Reads come at any time, so a read sees the average over an interval. For an interval `T`
//! and `mu` reads per unit of time, each objective has a cost per unit of time, and the
//! *index* `W(T)`: what is gained by one more refresh when the copy is `T` old, which is
//! minus the derivative of the cost by the refresh rate. The best plan is the one in which
//! every item's index, divided by what its refresh costs, is the same.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::inverse::{gain, lag_gain_over_square};

/// What a plan minimises, averaged over reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// Time since the copy was fetched.
    Age,
    /// Share of reads that are served a copy which has changed at the provider.
    ///
    /// Gives up on what changes faster than the budget can follow: such an item is never
    /// refreshed.
    Fresh,
    /// Time for which the copy served has been wrong. For what always changes it is the
    /// age; what rarely changes is refreshed rarely.
    #[default]
    Lag,
}

impl Objective {
    /// The objective as it is written on the command line and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Fresh => "fresh",
            Self::Lag => "lag",
        }
    }

    /// What one refresh is worth when the copy is `age` old: the index W.
    ///
    /// `reads` and `changes` are rates per unit of time, and `age` is in that unit.
    pub fn index(self, reads: f64, changes: f64, age: f64) -> f64 {
        let x = changes * age;
        match self {
            // Even where the age is without end.
            _ if reads <= 0.0 => 0.0,
            Self::Age => reads * age * age / 2.0,
            _ if changes <= 0.0 => 0.0,
            Self::Fresh => reads / changes * gain(x),
            Self::Lag => reads * age * age * lag_gain_over_square(x),
        }
    }

    /// Mean penalty of a read when an item is refreshed every `interval`: time for age and
    /// lag, a share for fresh. Without any refresh it is what time without end comes to.
    pub fn cost_per_read(self, changes: f64, interval: f64) -> f64 {
        let x = changes * interval;
        match self {
            Self::Age => interval / 2.0,
            _ if changes <= 0.0 => 0.0,
            Self::Fresh if !x.is_finite() => 1.0,
            Self::Fresh => 1.0 + (-x).exp_m1() / x,
            Self::Lag if !x.is_finite() => f64::INFINITY,
            Self::Lag if x < 1e-3 => interval * (x / 6.0 - x * x / 24.0),
            Self::Lag => interval * (0.5 - 1.0 / x - (-x).exp_m1() / (x * x)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_is_minus_the_slope_of_the_cost() {
        for objective in [Objective::Age, Objective::Fresh, Objective::Lag] {
            for (reads, changes, rate) in [(3.0, 0.7, 0.9), (0.1, 12.0, 2.0), (5.0, 0.01, 0.3)] {
                let cost = |rate: f64| reads * objective.cost_per_read(changes, 1.0 / rate);
                let step = rate * 1e-4;
                let slope = (cost(rate + step) - cost(rate - step)) / (2.0 * step);
                let index = objective.index(reads, changes, 1.0 / rate);
                assert!(
                    (index / -slope - 1.0).abs() < 1e-4,
                    "{objective:?} {changes}: {index} {slope}"
                );
            }
        }
    }

    #[test]
    fn what_never_changes_is_worth_nothing_unless_age_counts() {
        assert_eq!(Objective::Fresh.index(5.0, 0.0, 60.0), 0.0);
        assert_eq!(Objective::Lag.index(5.0, 0.0, 60.0), 0.0);
        assert_eq!(Objective::Lag.cost_per_read(0.0, f64::INFINITY), 0.0);
        assert_eq!(Objective::Age.index(5.0, 0.0, 60.0), 9_000.0);
    }
}
