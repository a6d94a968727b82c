//! When what is due: the rows' `next_refresh_at`, in memory.

use std::collections::BTreeSet;

/// Items in the order of two times: when they are due, and when that is too late.
#[derive(Debug)]
pub(super) struct Schedule {
    times: Vec<(Moment, Moment)>,
    due: BTreeSet<(Moment, usize)>,
    late: BTreeSet<(Moment, usize)>,
}

/// A time of at least 0; its bits are in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Moment(u64);

impl Moment {
    fn of(time: f64) -> Self {
        Self(time.max(0.0).to_bits())
    }

    fn time(self) -> f64 {
        f64::from_bits(self.0)
    }
}

impl Schedule {
    /// All due at the start.
    pub(super) fn new(items: usize) -> Self {
        let start = Moment::of(0.0);
        let all = || (0..items).map(|item| (start, item)).collect();
        Self {
            times: vec![(start, start); items],
            due: all(),
            late: all(),
        }
    }

    /// Sets when an item is due, and when it is late.
    pub(super) fn set(&mut self, item: usize, due: f64, late: f64) {
        let (was_due, was_late) = self.times[item];
        self.due.remove(&(was_due, item));
        self.late.remove(&(was_late, item));
        let (due, late) = (Moment::of(due), Moment::of(late));
        self.times[item] = (due, late);
        self.due.insert((due, item));
        self.late.insert((late, item));
    }

    /// When `full` items are due, and when one is late.
    pub(super) fn next_call(&self, full: usize) -> (f64, f64) {
        let last_to_fill = self.due.iter().nth(full.saturating_sub(1));
        let late = self.late.first();
        let time =
            |place: Option<&(Moment, usize)>| place.map_or(f64::INFINITY, |(at, _)| at.time());
        (time(last_to_fill), time(late))
    }

    /// What is due, or will be next.
    pub(super) fn soonest(&self) -> impl Iterator<Item = usize> {
        self.due.iter().map(|(_, item)| *item)
    }
}
