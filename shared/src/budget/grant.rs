//! Whether a call fits what is left.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Unit;

/// What stands against one limit, in one of its windows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// Row of the limit.
    pub limit_id: i64,
    /// Name of the limit.
    pub name: String,
    /// What it counts.
    pub unit: Unit,
    /// How much the window may hold.
    pub cap: i64,
    /// Never blocks.
    pub soft: bool,
    /// Length of a rolling window.
    pub rolling: Option<Duration>,
    /// End of a calendar window; `None` for the other kinds.
    pub ends_at: Option<DateTime<Utc>>,
    /// Taken, and not coming back before the window moves.
    pub spent: i64,
    /// Taken by calls in flight, which may cost less or end.
    pub reserved: i64,
}

/// Whether one more call can be admitted now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// Yes.
    Fits,
    /// Not while the calls in flight may still cost what was reserved for them.
    Busy(&'a Usage),
    /// Not before the window moves on.
    Full(&'a Usage),
    /// Never: it costs more than the cap.
    TooExpensive(&'a Usage),
}

/// What is left of every limit, as calls of one admission take from it.
#[derive(Debug, Clone)]
pub struct Grants {
    usages: Vec<Usage>,
}

impl Grants {
    /// Starts from what was counted under the lock. Without limits everything fits.
    pub fn new(usages: Vec<Usage>) -> Self {
        Self { usages }
    }

    /// Whether a call that may cost `credits` fits every limit.
    ///
    /// Of several limits in the way, the one is named that blocks the longest.
    pub fn check(&self, credits: u32) -> Verdict<'_> {
        let mut busy = None;
        let mut full: Option<&Usage> = None;
        for usage in self.usages.iter().filter(|usage| !usage.soft) {
            let amount = usage.unit.amount(credits);
            if amount > usage.cap {
                return Verdict::TooExpensive(usage);
            }
            if amount == 0 || usage.spent + usage.reserved + amount <= usage.cap {
                continue;
            }
            if usage.spent + amount <= usage.cap {
                busy.get_or_insert(usage);
            } else if full.is_none_or(|other| other.ends_at < usage.ends_at) {
                full = Some(usage);
            }
        }
        match (full, busy) {
            (Some(usage), _) => Verdict::Full(usage),
            (None, Some(usage)) => Verdict::Busy(usage),
            (None, None) => Verdict::Fits,
        }
    }

    /// Takes what a call may cost, after [`Grants::check`] said that it fits.
    pub fn reserve(&mut self, credits: u32) {
        for usage in &mut self.usages {
            usage.reserved += usage.unit.amount(credits);
        }
    }

    /// Most credits that a call may cost to fit; `None` where no limit counts credits.
    pub fn credits_left(&self) -> Option<u32> {
        self.usages
            .iter()
            .filter(|usage| !usage.soft && usage.unit == Unit::Credits)
            .map(|usage| (usage.cap - usage.spent - usage.reserved).max(0))
            .min()
            .map(|left| u32::try_from(left).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(unit: Unit, cap: i64, spent: i64, reserved: i64) -> Usage {
        Usage {
            limit_id: 1,
            name: "month".to_owned(),
            unit,
            cap,
            soft: false,
            rolling: None,
            ends_at: None,
            spent,
            reserved,
        }
    }

    #[test]
    fn a_call_fits_up_to_the_cap_and_not_beyond() {
        let mut grants = Grants::new(vec![usage(Unit::Credits, 10, 7, 1)]);
        assert_eq!(grants.check(2), Verdict::Fits);
        grants.reserve(2);
        assert!(matches!(grants.check(1), Verdict::Busy(_)));
        assert_eq!(grants.credits_left(), Some(0));
    }

    #[test]
    fn a_full_window_closes_and_calls_in_flight_only_delay() {
        let full = Grants::new(vec![usage(Unit::Credits, 10, 10, 0)]);
        assert!(matches!(full.check(1), Verdict::Full(_)));
        let busy = Grants::new(vec![usage(Unit::Credits, 10, 9, 1)]);
        assert!(matches!(busy.check(1), Verdict::Busy(_)));
    }

    #[test]
    fn what_costs_more_than_the_cap_never_fits() {
        let grants = Grants::new(vec![usage(Unit::Credits, 10, 0, 0)]);
        assert!(matches!(grants.check(11), Verdict::TooExpensive(_)));
    }

    #[test]
    fn a_free_call_fits_an_exhausted_credit_limit_but_not_a_request_limit() {
        let credits = Grants::new(vec![usage(Unit::Credits, 10, 12, 0)]);
        assert_eq!(credits.check(0), Verdict::Fits);
        let requests = Grants::new(vec![usage(Unit::Requests, 10, 10, 0)]);
        assert!(matches!(requests.check(0), Verdict::Full(_)));
    }

    #[test]
    fn a_soft_limit_counts_and_never_blocks() {
        let mut soft = usage(Unit::Credits, 10, 50, 0);
        soft.soft = true;
        assert_eq!(Grants::new(vec![soft]).check(100), Verdict::Fits);
    }
}
