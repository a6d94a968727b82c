//! How often a resource changes, from what its refreshes found.
//!
//! A refresh tells whether the answer differs from the last one, and how long ago that was
//! fetched. Changes are taken as a Poisson process. Where the provider says when its data
//! was last changed, that is worth more: it is seen also behind another change.
//!
//! Each observation makes the older ones count 1 % less, so that a resource which has
//! become lively is seen to be.

use super::measure::measure;

/// What an older observation counts after one more.
const DECAY: f64 = 0.99;

/// Changes that the guess before any observation counts for.
const PRIOR: f64 = 0.5;

/// What the refreshes of one resource have found, decayed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Changes {
    /// Refreshes that found a change.
    pub changed: f64,
    /// Seconds: of the intervals that ended with a change; or, where the provider says when
    /// its data changed, seconds without a change.
    pub changed_secs: f64,
    /// Seconds of the intervals without a change.
    pub same_secs: f64,
}

impl Changes {
    /// After a refresh, `interval` seconds after the one before.
    #[must_use]
    pub fn after(self, interval: f64, has_changed: bool) -> Self {
        let older = self.older();
        let interval = measure(interval);
        match has_changed {
            true => Self {
                changed: older.changed + 1.0,
                changed_secs: older.changed_secs + interval,
                ..older
            },
            false => Self {
                same_secs: older.same_secs + interval,
                ..older
            },
        }
    }

    /// After a refresh whose answer says that its data changed `last` seconds ago.
    ///
    /// A change before the last refresh is none: the whole interval went by without one.
    #[must_use]
    pub fn after_dated(self, interval: f64, last: f64) -> Self {
        let older = self.older();
        let interval = measure(interval);
        let last = if last.is_nan() {
            interval
        } else {
            last.clamp(0.0, interval)
        };
        Self {
            changed: older.changed + f64::from(u8::from(last < interval)),
            same_secs: older.same_secs + last,
            ..older
        }
    }

    fn older(self) -> Self {
        Self {
            changed: measure(self.changed) * DECAY,
            changed_secs: measure(self.changed_secs) * DECAY,
            same_secs: measure(self.same_secs) * DECAY,
        }
    }

    /// Changes per second, if answers were compared. Before any observation it is as if
    /// `PRIOR` changes had been seen in intervals of `usual` seconds.
    pub fn rate(self, usual: f64) -> f64 {
        let prior = PRIOR * usual;
        compared(
            measure(self.changed) + PRIOR,
            measure(self.changed_secs) + prior,
            measure(self.same_secs) + prior,
        )
    }

    /// Changes per second, if the provider dates its data. `usual` as above.
    pub fn dated_rate(self, usual: f64) -> f64 {
        (measure(self.changed) + PRIOR) / (measure(self.same_secs) + PRIOR * usual)
    }
}

/// Changes per unit of time, from the number of intervals with a change, their time and the
/// time of those without.
///
/// For equal intervals, with half of one added to the unchanged time, it is the estimator of
/// Cho and Garcia-Molina with reduced bias, `-ln((n - X + ½)/(n + ½))/Δ`; for unequal ones it
/// is within noise of the likeliest rate.
pub fn compared(changed: f64, changed_time: f64, same_time: f64) -> f64 {
    match changed_time > 0.0 {
        true => changed / changed_time * (changed_time / same_time).ln_1p(),
        false => changed / same_time,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_changes_make_a_higher_rate_and_quiet_makes_a_lower_one() {
        let start = Changes::default();
        let usual = start.rate(3_600.0);
        assert!(start.after(3_600.0, true).rate(3_600.0) > usual);
        assert!(start.after(3_600.0, false).rate(3_600.0) < usual);
        let dated = start.dated_rate(3_600.0);
        assert!(start.after_dated(3_600.0, 5.0).dated_rate(3_600.0) > dated);
        assert!(start.after_dated(3_600.0, 9_000.0).dated_rate(3_600.0) < dated);
    }

    #[test]
    fn what_is_no_observation_counts_as_none() {
        let broken = Changes {
            changed: f64::NAN,
            changed_secs: -1.0,
            same_secs: f64::INFINITY,
        };
        assert_eq!(broken.rate(60.0), Changes::default().rate(60.0));
        assert_eq!(broken.after(f64::NAN, true).changed, 1.0);
    }

    #[test]
    fn old_observations_fade() {
        let lively = (0..1_000).fold(Changes::default(), |seen, _| seen.after(60.0, true));
        assert!((lively.changed - 100.0).abs() < 0.1, "{lively:?}");
        let calm = (0..500).fold(lively, |seen, _| seen.after(60.0, false));
        assert!(calm.rate(60.0) < lively.rate(60.0) / 50.0);
    }
}
