//! What is known of a provider's resources, made into rates.

use std::time::Duration;

use super::changes::Changes;
use super::measure::measure;
use super::reads::{ReadCounts, effective, long_memory};

/// Reads per second of each resource while nobody has read any: all alike, so that the plan
/// is a uniform sweep, and little, so that the first real reads outweigh it.
const NO_DEMAND: f64 = 1.0 / 86_400.0;

/// What a resource's row says of its demand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observed {
    /// Its reads, decayed up to now.
    pub counts: ReadCounts,
    /// Seconds since it is known.
    pub known_for: f64,
    /// How much a read of it counts.
    pub weight: f64,
    /// What its refreshes have found.
    pub changes: Changes,
    /// Whether the provider dates its data.
    pub is_dated: bool,
}

/// What a resource's demand comes to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Reads per second, as they are.
    pub reads: f64,
    /// The same times the weight, which is what is planned for.
    pub weighted: f64,
    /// Changes per second.
    pub changes: f64,
}

/// Rates of all resources of a provider.
#[derive(Debug, Clone, PartialEq)]
pub struct Demand {
    /// In the order of what was observed.
    pub rates: Vec<Rates>,
    /// Over which time the long counts should forget from now on.
    pub memory: Duration,
}

impl Demand {
    /// Estimates. `memory` is over which time the long counts have forgotten so far;
    /// `usual` is the interval in seconds at which all are refreshed if the budget is
    /// spread evenly.
    pub fn of(observed: &[Observed], memory: Duration, usual: f64) -> Self {
        let tau = memory.as_secs_f64();
        let sum = |of: &dyn Fn(&Observed) -> f64| -> f64 {
            observed.iter().map(|one| measure(of(one))).sum()
        };
        let seen = sum(&|one| one.counts.long);
        let time = sum(&|one| effective(one.known_for, tau));
        let mean = match seen > 0.0 && time > 0.0 {
            true => seen / time,
            false => NO_DEMAND,
        };
        let rates = |one: &Observed| {
            let reads = one.counts.rate(one.known_for, mean, memory);
            let weight = one.weight.clamp(0.0, 1e12);
            Rates {
                reads,
                weighted: reads * if weight.is_nan() { 1.0 } else { weight },
                changes: match one.is_dated {
                    true => one.changes.dated_rate(usual),
                    false => one.changes.rate(usual),
                },
            }
        };
        Self {
            rates: observed.iter().map(rates).collect(),
            memory: match seen > 0.0 {
                true => long_memory(observed.len(), mean * observed.len() as f64),
                false => memory,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::reads::LONG;

    fn observed(long: f64) -> Observed {
        Observed {
            counts: ReadCounts { long, short: 0.0 },
            known_for: 30.0 * 86_400.0,
            weight: 1.0,
            changes: Changes::default(),
            is_dated: false,
        }
    }

    #[test]
    fn without_any_reads_all_are_alike() {
        let demand = Demand::of(
            &[observed(0.0), observed(f64::NAN), observed(-1.0)],
            LONG,
            3_600.0,
        );
        let reads: Vec<f64> = demand.rates.iter().map(|rates| rates.weighted).collect();
        assert!(
            reads[0] > 0.0 && reads.iter().all(|read| *read == reads[0]),
            "{reads:?}"
        );
        assert_eq!(demand.memory, LONG);
    }

    #[test]
    fn a_weight_counts_reads_several_times() {
        let heavy = Observed {
            weight: 4.0,
            ..observed(10.0)
        };
        let demand = Demand::of(&[heavy, observed(10.0)], LONG, 3_600.0);
        assert!((demand.rates[0].weighted / demand.rates[1].weighted - 4.0).abs() < 1e-9);
        assert_eq!(demand.rates[0].reads, demand.rates[1].reads);
    }
}
