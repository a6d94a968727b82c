//! The books themselves: how one request is decided, charged and written down.

use std::collections::{BTreeMap, VecDeque};

use super::meter::Meter;
use super::peak::{self, Mark, Peak};
use super::report::{Arrival, EndpointCount, LedgerReport, Tally, WindowReport};
use super::{Ask, Usage};
use crate::clock::Moment;
use crate::config::{KeyState, Plan, SandboxConfig};
use crate::endpoints::Endpoint;
use crate::fault::Fault;

/// Arrivals that are remembered in full.
const KEPT_ARRIVALS: usize = 10_000;
/// Ids of remembered arrivals, over all of them.
const KEPT_IDS: usize = 500_000;
/// Arrivals whose instant is remembered, for [`Peak`].
const KEPT_MARKS: usize = 1_000_000;

/// The account's books; whoever holds them is the only one who counts.
pub(super) struct Book {
    pub(super) plan: Plan,
    keys: Vec<(String, KeyState)>,
    /// Requests with a known key, whatever became of them.
    minute: Meter,
    /// All requests.
    address: Meter,
    day: Meter,
    month: Meter,
    total: Tally,
    refused: BTreeMap<u32, u64>,
    endpoints: BTreeMap<String, EndpointCount>,
    arrivals: VecDeque<Arrival>,
    kept_ids: usize,
    marks: VecDeque<Mark>,
    forgotten: u64,
}

impl Book {
    pub(super) fn new(config: &SandboxConfig) -> Self {
        let keys = config.keys.iter().cloned();
        Self {
            plan: config.plan(),
            keys: keys.map(|key| (key, KeyState::Active)).collect(),
            minute: Meter::new(config.windows.minute),
            address: Meter::new(config.windows.minute),
            day: Meter::new(config.windows.day),
            month: Meter::new(config.windows.month),
            total: Tally::default(),
            refused: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            arrivals: VecDeque::new(),
            kept_ids: 0,
            marks: VecDeque::new(),
            forgotten: 0,
        }
    }

    pub(super) fn set_key(&mut self, key: &str, state: KeyState) {
        match self.keys.iter_mut().find(|(known, _)| known == key) {
            Some((_, old)) => *old = state,
            None => self.keys.push((key.to_owned(), state)),
        }
    }

    pub(super) fn spend_elsewhere(&mut self, now: Moment, requests: u64, credits: u64) {
        let foreign = Tally {
            foreign_requests: requests,
            foreign_credits: credits,
            ..Tally::default()
        };
        self.charge_windows(now, foreign);
        self.total += foreign;
    }

    pub(super) fn forget_all(&mut self) {
        self.minute.clear();
        self.address.clear();
        self.day.clear();
        self.month.clear();
        self.total = Tally::default();
        self.refused.clear();
        self.endpoints.clear();
        self.arrivals.clear();
        self.kept_ids = 0;
        self.marks.clear();
        self.forgotten = 0;
    }

    pub(super) fn peak(&self, width_micros: u64) -> Peak {
        peak::highest(&self.marks, width_micros, self.forgotten == 0)
    }

    pub(super) fn last_arrivals(&self, last: usize) -> Vec<Arrival> {
        let skip = self.arrivals.len().saturating_sub(last);
        self.arrivals.iter().skip(skip).cloned().collect()
    }

    pub(super) fn report(&self, last: usize) -> LedgerReport {
        LedgerReport {
            total: self.total,
            refused: self.refused.clone(),
            endpoints: self.endpoints.clone(),
            windows: WindowReport {
                minute: self.minute.counts(),
                day: self.day.counts(),
                month: self.month.counts(),
            },
            arrivals: self.last_arrivals(last),
        }
    }

    fn charge_windows(&mut self, now: Moment, amount: Tally) {
        self.minute.add(now, amount);
        self.day.add(now, amount);
        self.month.add(now, amount);
    }

    /// Counts the request, and refuses or charges it.
    pub(super) fn decide(&mut self, ask: &Ask<'_>, now: Moment) -> Result<u64, Fault> {
        let request = Tally {
            requests: 1,
            ..Tally::default()
        };
        self.address.add(now, request);
        let enforce = self.plan.enforce;
        let over = |used: u64, cap: Option<u64>| enforce && cap.is_some_and(|cap| used > cap);
        if over(
            self.address.used(now).all_requests(),
            self.plan.ip_requests_per_minute,
        ) {
            return Err(Fault::code(1011));
        }

        let key = ask.key.ok_or_else(|| Fault::code(1002))?;
        let known = self.keys.iter().find(|(known, _)| known == key);
        let (_, state) = known.ok_or_else(|| Fault::code(1001))?;
        let key_fault = match state {
            KeyState::Active => None,
            KeyState::Invalid => Some(1001),
            KeyState::NeedsPayment => Some(1003),
            KeyState::Expired => Some(1004),
            KeyState::Required => Some(1005),
            KeyState::Disabled => Some(1007),
        };
        self.charge_windows(now, request);
        if let Some(code) = key_fault {
            return Err(Fault::code(code));
        }
        if let Some(fault) = &ask.scripted {
            return Err(fault.clone());
        }
        let minute = self.minute.used(now).all_requests();
        if over(minute, Some(self.plan.requests_per_minute)) {
            return Err(Fault::code(1008));
        }
        if self.plan.unsupported.iter().any(|path| path == ask.path) {
            return Err(Fault::code(1006));
        }

        let credits = match &ask.wanted {
            Ok((credits, _)) => *credits,
            Err(fault) => return Err(fault.clone()),
        };
        if credits > 0 {
            let day = self.day.used(now).all_credits().saturating_add(credits);
            if over(day, self.plan.credits_per_day) {
                return Err(Fault::code(1009));
            }
            let month = self.month.used(now).all_credits().saturating_add(credits);
            if over(month, Some(self.plan.credits_per_month)) {
                return Err(Fault::code(1010));
            }
        }
        let charge = Tally {
            credits,
            ..Tally::default()
        };
        self.charge_windows(now, charge);
        Ok(credits)
    }

    /// What is used of the plan, now.
    pub(super) fn usage(&mut self, now: Moment) -> Usage {
        Usage {
            plan: self.plan.clone(),
            minute_requests: self.minute.used(now).all_requests(),
            day_credits: self.day.used(now).all_credits(),
            month_credits: self.month.used(now).all_credits(),
            day_ends: self.day.window().end(now.wall),
            month_ends: self.month.window().end(now.wall),
        }
    }

    /// Adds the request to the history; returns how many there are.
    pub(super) fn write_down(
        &mut self,
        ask: Ask<'_>,
        now: Moment,
        outcome: &Result<u64, Fault>,
    ) -> u64 {
        let (status, error_code, credits) = match outcome {
            Ok(credits) => (200, 0, *credits),
            Err(fault) => (fault.status.as_u16(), fault.code, 0),
        };
        self.total += Tally {
            requests: 1,
            credits,
            ..Tally::default()
        };
        if outcome.is_err() {
            *self.refused.entry(error_code).or_default() += 1;
        }
        // Paths that lead nowhere share one row, so that nobody can fill the map.
        let row = match Endpoint::at(ask.path) {
            Some(_) => ask.path,
            None => "other",
        };
        let count = self.endpoints.entry(row.to_owned()).or_default();
        count.requests += 1;
        count.credits += credits;
        count.errors += u64::from(outcome.is_err());

        self.marks.push_back(Mark {
            micros: now.micros,
            credits,
        });
        if self.marks.len() > KEPT_MARKS {
            self.marks.pop_front();
            self.forgotten += 1;
        }
        let asked = ask.wanted.map(|(_, asked)| asked).unwrap_or_default();
        self.kept_ids += asked.len();
        self.arrivals.push_back(Arrival {
            number: self.total.requests,
            at: now.wall,
            elapsed_micros: now.micros,
            path: ask.path.to_owned(),
            asked,
            key: ask
                .key
                .and_then(|key| self.keys.iter().position(|(known, _)| known == key)),
            status,
            error_code,
            credits,
            trouble: ask.trouble,
            in_flight: ask.in_flight,
        });
        while self.arrivals.len() > KEPT_ARRIVALS || self.kept_ids > KEPT_IDS {
            let Some(oldest) = self.arrivals.pop_front() else {
                break;
            };
            self.kept_ids -= oldest.asked.len();
        }
        self.total.requests
    }
}
