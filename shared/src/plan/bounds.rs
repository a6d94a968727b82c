//! Hard bounds on the age: kept ahead of need, or by the read that meets an old copy.
//!
//! A bounded resource can be refreshed so often that it never gets too old, which shares
//! calls with others; or the read that finds it too old waits for a refresh, which takes a
//! call of its own. What is read rarely costs less the second way. So those with the fewest
//! expected misses are left to their readers, as long as such calls stay within a tenth of
//! the budget, and the others get a least rate.
//!
//! Least rates may take at most [`MOST`] of the budget, or what has no bound would starve.
//! Beyond that all are multiplied by one factor φ, and what is kept instead is said.

use super::Question;
use super::pace::PATIENCE_OF_BOUNDED;

/// Share of the budget that least rates may take.
pub const MOST: f64 = 0.7;

/// Share of the budget that refreshes by readers may take.
const ON_READ: f64 = 0.1;

/// Time in seconds that a planned refresh may take, from being due to being recorded.
const UNDER_WAY: f64 = 30.0;

/// What has become of a bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bound {
    /// Age in seconds that was asked for.
    pub asked: f64,
    /// Age in seconds that is kept, at least the one asked for.
    pub kept: f64,
    /// Whether reads keep it, by waiting; the plan does otherwise.
    pub on_read: bool,
}

/// What is planned as one, as far as bounds are concerned.
pub(super) struct Unit {
    /// Indices of its bounded resources, each with its bound in seconds.
    pub(super) bounded: Vec<(usize, f64)>,
    pub(super) reads: f64,
    /// Credits for one planned refresh.
    pub(super) credits: f64,
    /// Credits for a refresh by a read.
    pub(super) call: f64,
    pub(super) max_rate: f64,
}

/// What was decided.
pub(super) struct Decided {
    /// Least rate of each unit; 0 for those without a bound or with readers who keep it.
    pub(super) min_rates: Vec<f64>,
    /// For each resource.
    pub(super) bounds: Vec<Option<Bound>>,
    /// What least rates were multiplied by.
    pub(super) scale: f64,
}

/// The rate at which a bound is kept ahead of need, whatever lateness and jitter do.
fn rate(bound: f64) -> f64 {
    (1.0 + PATIENCE_OF_BOUNDED) / (bound - UNDER_WAY.min(bound / 4.0))
}

/// The age that a rate keeps.
fn kept(rate: f64) -> f64 {
    (1.0 + PATIENCE_OF_BOUNDED) / rate + UNDER_WAY
}

/// Decides who keeps which bound.
pub(super) fn decide(question: &Question<'_>, units: &[Unit]) -> Decided {
    let tightest = |unit: &Unit| {
        let bounds = unit.bounded.iter().map(|(_, bound)| *bound);
        bounds.filter(|bound| *bound > 0.0).reduce(f64::min)
    };
    let on_read = left_to_readers(question, units, &tightest);
    let wanted = |(unit, on_read): (&Unit, &bool)| match tightest(unit) {
        Some(bound) if !on_read => rate(bound).min(unit.max_rate),
        _ => 0.0,
    };
    let mut min_rates: Vec<f64> = units.iter().zip(&on_read).map(wanted).collect();
    let needed: f64 = units
        .iter()
        .zip(&min_rates)
        .map(|(unit, rate)| unit.credits * rate)
        .sum();
    let allowed = MOST * question.means.credits;
    let scale = match needed > allowed {
        true => allowed / needed,
        false => 1.0,
    };
    let mut bounds = vec![None; question.resources.len()];
    for ((unit, rate_of), on_read) in units.iter().zip(&mut min_rates).zip(&on_read) {
        *rate_of *= scale;
        for (index, asked) in &unit.bounded {
            let is_kept = *on_read || *rate_of >= rate(*asked) * (1.0 - 1e-9);
            bounds[*index] = Some(Bound {
                asked: *asked,
                kept: match is_kept {
                    true => *asked,
                    false => asked.max(kept(*rate_of)),
                },
                on_read: *on_read,
            });
        }
    }
    Decided {
        min_rates,
        bounds,
        scale,
    }
}

/// Which units are left to their readers: those with the fewest misses, each a call.
fn left_to_readers(
    question: &Question<'_>,
    units: &[Unit],
    tightest: &dyn Fn(&Unit) -> Option<f64>,
) -> Vec<bool> {
    let misses = |(nth, unit): (usize, &Unit)| {
        let bound = tightest(unit)?;
        let misses = unit.reads / (1.0 + unit.reads * bound);
        Some((nth, misses, misses * unit.call))
    };
    let mut bounded: Vec<(usize, f64, f64)> = units.iter().enumerate().filter_map(misses).collect();
    bounded.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut on_read = vec![false; units.len()];
    let mut left = ON_READ * question.means.credits;
    for (nth, _, cost) in bounded {
        left -= cost;
        if left < 0.0 {
            break;
        }
        on_read[nth] = true;
    }
    on_read
}
