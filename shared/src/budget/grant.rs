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
    /// The window itself, where it stands still.
    pub window: Option<UsageWindow>,
    /// Taken, by others on the same key too, and not coming back before the window moves.
    pub spent: i64,
    /// Taken by calls in flight, which may cost less or end.
    pub reserved: i64,
    /// What planned calls leave to readers.
    pub kept: i64,
    /// The highest level of [`Usage::level`] that was told for this window.
    pub alerted: i16,
}

/// A window that stands still until it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageWindow {
    /// Its beginning; `None` if it goes back for ever.
    pub starts_at: Option<DateTime<Utc>>,
    /// Its end; `None` as long as the provider has not told it.
    pub ends_at: Option<DateTime<Utc>>,
}

/// Who wants to call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// A reader, or a person: may take what is kept for readers.
    Reader,
    /// The plan.
    Plan,
}

/// Levels of use, in percent, of which an operator is told.
pub const ALERT_LEVELS: [i16; 4] = [50, 80, 95, 100];

/// The highest of [`ALERT_LEVELS`] that so much of the cap has reached, or 0.
pub fn alert_level(used: i64, cap: i64) -> i16 {
    let used = i128::from(used) * 100;
    let reached = |level: &&i16| used >= i128::from(**level) * i128::from(cap);
    ALERT_LEVELS
        .iter()
        .rev()
        .find(reached)
        .copied()
        .unwrap_or(0)
}

impl Usage {
    /// The highest of [`ALERT_LEVELS`] that is reached, or 0; also 0 for windows that move,
    /// which are full and empty again within seconds when all is well.
    pub fn level(&self) -> i16 {
        if self.window.is_none() {
            return 0;
        }
        alert_level(self.spent + self.reserved, self.cap)
    }

    /// Whether nobody knows yet when the window ends.
    fn is_unknown(&self) -> bool {
        self.window.is_some_and(|window| window.ends_at.is_none())
    }
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
    /// Not for the plan: what is left is kept for readers.
    Kept(&'a Usage),
    /// Never: it costs more than the cap.
    TooExpensive(&'a Usage),
}

/// What is left of every limit, as calls of one admission take from it.
#[derive(Debug, Clone)]
pub struct Grants {
    usages: Vec<Usage>,
    enforce: bool,
}

impl Grants {
    /// Starts from what was counted under the lock. Without limits, and where they are
    /// only observed, everything fits.
    pub fn new(usages: Vec<Usage>, enforce: bool) -> Self {
        Self { usages, enforce }
    }

    fn binding(&self) -> impl Iterator<Item = &Usage> {
        let enforce = self.enforce;
        self.usages
            .iter()
            .filter(move |usage| enforce && !usage.soft)
    }

    /// Whether a call that may cost `credits` fits every limit.
    ///
    /// Of several limits in the way, the one is named that blocks the longest.
    pub fn check(&self, credits: u32, caller: Caller) -> Verdict<'_> {
        let (mut busy, mut kept) = (None, None);
        let mut full: Option<&Usage> = None;
        for usage in self.binding() {
            let amount = usage.unit.amount(credits);
            if amount > usage.cap {
                return Verdict::TooExpensive(usage);
            }
            if amount == 0 {
                continue;
            }
            let left = usage.cap - usage.spent - amount;
            if left - usage.reserved >= 0 {
                if caller == Caller::Plan && left - usage.reserved < usage.kept {
                    kept.get_or_insert(usage);
                }
            } else if left >= 0 {
                busy.get_or_insert(usage);
            } else if full.is_none_or(|other| other.ends_at() < usage.ends_at()) {
                full = Some(usage);
            }
        }
        match (full, busy, kept) {
            (Some(usage), ..) => Verdict::Full(usage),
            (None, Some(usage), _) => Verdict::Busy(usage),
            (None, None, Some(usage)) => Verdict::Kept(usage),
            (None, None, None) => Verdict::Fits,
        }
    }

    /// Takes what a call may cost, after [`Grants::check`] said that it fits.
    pub fn reserve(&mut self, credits: u32, caller: Caller) {
        for usage in &mut self.usages {
            let amount = usage.unit.amount(credits);
            usage.reserved += amount;
            if caller == Caller::Reader {
                usage.kept = (usage.kept - amount).max(0);
            }
        }
    }

    /// Most credits that a call may cost to fit; `None` where no limit counts credits.
    pub fn credits_left(&self) -> Option<u32> {
        self.binding()
            .filter(|usage| usage.unit == Unit::Credits)
            .map(|usage| (usage.cap - usage.spent - usage.reserved).max(0))
            .min()
            .map(|left| u32::try_from(left).unwrap_or(u32::MAX))
    }

    /// Whether the end of some window is unknown: one call at a time then, whose reply
    /// may tell.
    pub fn is_unknown(&self) -> bool {
        self.binding().any(Usage::is_unknown)
    }

    /// Windows that have reached a level which nobody was told of yet.
    pub fn alerts(&self) -> impl Iterator<Item = &Usage> {
        let news = |usage: &&Usage| usage.level() > usage.alerted;
        self.usages.iter().filter(news)
    }
}

impl Usage {
    /// When a window that stands still ends; the beginning of time for one that moves.
    fn ends_at(&self) -> DateTime<Utc> {
        match self.window {
            Some(window) => window.ends_at.unwrap_or(DateTime::<Utc>::MAX_UTC),
            None => DateTime::<Utc>::MIN_UTC,
        }
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
            window: None,
            spent,
            reserved,
            kept: 0,
            alerted: 0,
        }
    }

    fn grants(usage: Usage) -> Grants {
        Grants::new(vec![usage], true)
    }

    #[test]
    fn a_call_fits_up_to_the_cap_and_not_beyond() {
        let mut grants = grants(usage(Unit::Credits, 10, 7, 1));
        assert_eq!(grants.check(2, Caller::Plan), Verdict::Fits);
        grants.reserve(2, Caller::Plan);
        assert!(matches!(grants.check(1, Caller::Plan), Verdict::Busy(_)));
        assert_eq!(grants.credits_left(), Some(0));
    }

    #[test]
    fn a_full_window_closes_and_calls_in_flight_only_delay() {
        let full = grants(usage(Unit::Credits, 10, 10, 0));
        assert!(matches!(full.check(1, Caller::Plan), Verdict::Full(_)));
        let busy = grants(usage(Unit::Credits, 10, 9, 1));
        assert!(matches!(busy.check(1, Caller::Plan), Verdict::Busy(_)));
    }

    #[test]
    fn what_costs_more_than_the_cap_never_fits() {
        let grants = grants(usage(Unit::Credits, 10, 0, 0));
        assert!(matches!(
            grants.check(11, Caller::Plan),
            Verdict::TooExpensive(_)
        ));
    }

    #[test]
    fn a_free_call_fits_an_exhausted_credit_limit_but_not_a_request_limit() {
        let credits = grants(usage(Unit::Credits, 10, 12, 0));
        assert_eq!(credits.check(0, Caller::Plan), Verdict::Fits);
        let requests = grants(usage(Unit::Requests, 10, 10, 0));
        assert!(matches!(requests.check(0, Caller::Plan), Verdict::Full(_)));
    }

    #[test]
    fn soft_and_observed_limits_count_and_never_block() {
        let mut soft = usage(Unit::Credits, 10, 50, 0);
        soft.soft = true;
        assert_eq!(grants(soft).check(100, Caller::Plan), Verdict::Fits);
        let observed = Grants::new(vec![usage(Unit::Credits, 10, 50, 0)], false);
        assert_eq!(observed.check(100, Caller::Plan), Verdict::Fits);
    }

    #[test]
    fn the_plan_leaves_what_is_kept_and_readers_use_it_up() {
        let mut kept = usage(Unit::Credits, 10, 7, 0);
        kept.kept = 2;
        let mut grants = grants(kept);
        assert_eq!(grants.check(1, Caller::Plan), Verdict::Fits);
        assert!(matches!(grants.check(2, Caller::Plan), Verdict::Kept(_)));
        assert_eq!(grants.check(2, Caller::Reader), Verdict::Fits);
        grants.reserve(2, Caller::Reader);
        // Readers have had theirs: the last one is the plan's again.
        assert_eq!(grants.check(1, Caller::Plan), Verdict::Fits);
    }

    #[test]
    fn each_level_is_told_once_and_only_of_windows_that_stand_still() {
        let mut still = usage(Unit::Credits, 200, 0, 0);
        still.window = Some(UsageWindow {
            starts_at: None,
            ends_at: Some(DateTime::UNIX_EPOCH),
        });
        let level = |spent, usage: &Usage| {
            Usage {
                spent,
                ..usage.clone()
            }
            .level()
        };
        let levels: Vec<i16> = [0, 99, 100, 159, 160, 190, 199, 200, 900]
            .map(|spent| level(spent, &still))
            .to_vec();
        assert_eq!(levels, [0, 0, 50, 50, 80, 95, 95, 100, 100]);
        still.spent = 165;
        still.alerted = 50;
        assert_eq!(grants(still.clone()).alerts().count(), 1);
        still.alerted = 80;
        assert_eq!(grants(still).alerts().count(), 0);
        assert_eq!(level(900, &usage(Unit::Requests, 200, 0, 0)), 0);
    }
}
