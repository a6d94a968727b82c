//! The provider's own count of every request and every credit.
//!
//! This is the judge of Larder's promise never to overspend, so it shares no code
//! with Larder's own engine and takes no shortcut: a request is counted at the
//! moment of its arrival, under one lock, together with the decision whether it
//! is answered, refused or charged. What becomes of the answer on its way back
//! (a dropped connection, half a body) changes nothing.
//!
//! # Rules
//!
//! 1. Every arrival counts as a request of the minute, errors and refusals
//!    included. One without a known key counts for its address only.
//! 2. Only HTTP 200 is charged. A refused call is free.
//! 3. A call that would pass a credit limit is refused before it is charged; one
//!    that costs nothing is not. Whether CoinMarketCap refuses such a call or the
//!    one after it is not documented.
//! 4. The order of refusals: 1011, key errors, scripted trouble, 1008, 1006, 404
//!    and 400, 1009, 1010.
//!
//! # Not here
//!
//! What a call costs: [`crate::endpoints`].

mod meter;
mod peak;
mod report;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use crate::clock::{Clock, Moment};
use crate::config::{KeyState, Plan, SandboxConfig};
use crate::fault::Fault;
use meter::Meter;
use peak::Mark;
pub use peak::Peak;
pub use report::{Arrival, EndpointCount, LedgerReport, Tally, WindowCount, WindowReport};

/// Arrivals that are remembered in full.
const KEPT_ARRIVALS: usize = 10_000;
/// Ids of remembered arrivals, over all of them.
const KEPT_IDS: usize = 500_000;
/// Arrivals whose instant is remembered, for [`Peak`].
const KEPT_MARKS: usize = 1_000_000;

/// A request that has just arrived.
pub(crate) struct Ask<'a> {
    pub(crate) path: &'a str,
    pub(crate) key: Option<&'a str>,
    /// What it asks for and costs, or why it is wrong.
    pub(crate) wanted: Result<(u64, Vec<String>), Fault>,
    /// An error that a test asked for.
    pub(crate) scripted: Option<Fault>,
    /// Names of all trouble that a test asked for.
    pub(crate) trouble: Vec<String>,
}

/// What the ledger decided about a request.
pub(crate) struct Verdict {
    pub(crate) at: DateTime<Utc>,
    /// The credits charged, or the refusal.
    pub(crate) outcome: Result<u64, Fault>,
    pub(crate) usage: Usage,
}

/// What is used of the plan, this request included.
#[derive(Debug, Clone)]
pub(crate) struct Usage {
    pub(crate) plan: Plan,
    pub(crate) minute_requests: u64,
    pub(crate) day_credits: u64,
    pub(crate) month_credits: u64,
    pub(crate) day_ends: DateTime<Utc>,
    pub(crate) month_ends: DateTime<Utc>,
}

impl Usage {
    /// The warning that CoinMarketCap adds from 95 % of a credit limit on.
    pub(crate) fn notice(&self) -> Option<String> {
        let near = |used: u64, cap: u64| used.saturating_mul(100) >= cap.saturating_mul(95);
        let plan = &self.plan;
        if near(self.month_credits, plan.credits_per_month) {
            return Some("You have used more than 95% of your monthly credits.".to_owned());
        }
        match plan.credits_per_day {
            Some(cap) if near(self.day_credits, cap) => {
                Some("You have used more than 95% of your daily credits.".to_owned())
            }
            _ => None,
        }
    }
}

/// The account: its plan, its keys and everything counted.
pub(crate) struct Ledger {
    clock: Clock,
    book: Mutex<Book>,
    /// The number of arrivals, for those who wait for one.
    arrived: watch::Sender<u64>,
}

struct Book {
    plan: Plan,
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

impl Ledger {
    pub(crate) fn new(config: &SandboxConfig) -> Self {
        let keys = config.keys.iter().cloned();
        Self {
            clock: Clock::new(config.clock_offset),
            book: Mutex::new(Book {
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
            }),
            arrived: watch::Sender::new(0),
        }
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Counts a request and decides about it, in one step.
    pub(crate) fn admit(&self, ask: Ask<'_>) -> Verdict {
        let mut book = self.book();
        // Read under the lock, so that instants are in the order of counting.
        let now = self.clock.now();
        let outcome = book.decide(&ask, now);
        let usage = book.usage(now);
        let requests = book.write_down(ask, now, &outcome);
        self.arrived.send_replace(requests);
        Verdict {
            at: now.wall,
            outcome,
            usage,
        }
    }

    /// Counts what somebody else does with the same key.
    pub(crate) fn spend_elsewhere(&self, requests: u64, credits: u64) {
        let mut book = self.book();
        let now = self.clock.now();
        let foreign = Tally {
            foreign_requests: requests,
            foreign_credits: credits,
            ..Tally::default()
        };
        book.minute.add(now, foreign);
        book.day.add(now, foreign);
        book.month.add(now, foreign);
        book.total += foreign;
    }

    /// Forgets everything counted; keeps plan, keys and clock.
    pub(crate) fn reset(&self) {
        let mut book = self.book();
        book.minute.clear();
        book.address.clear();
        book.day.clear();
        book.month.clear();
        book.total = Tally::default();
        book.refused.clear();
        book.endpoints.clear();
        book.arrivals.clear();
        book.kept_ids = 0;
        book.marks.clear();
        book.forgotten = 0;
        self.arrived.send_replace(0);
    }

    /// Follows the number of arrivals.
    pub(crate) fn arrivals_seen(&self) -> watch::Receiver<u64> {
        self.arrived.subscribe()
    }

    pub(crate) fn plan(&self) -> Plan {
        self.book().plan.clone()
    }

    pub(crate) fn set_plan(&self, plan: Plan) {
        self.book().plan = plan;
    }

    /// Sets the state of a key, and adds the key if it is new.
    pub(crate) fn set_key(&self, key: &str, state: KeyState) {
        let mut book = self.book();
        match book.keys.iter_mut().find(|(known, _)| known == key) {
            Some((_, old)) => *old = state,
            None => book.keys.push((key.to_owned(), state)),
        }
    }

    /// The most that arrived within any stretch of `width_micros`, both ends included.
    pub(crate) fn peak(&self, width_micros: u64) -> Peak {
        let book = self.book();
        peak::highest(&book.marks, width_micros, book.forgotten == 0)
    }

    /// The last arrivals, oldest first, at most `last` of them.
    pub(crate) fn arrivals(&self, last: usize) -> Vec<Arrival> {
        let book = self.book();
        let skip = book.arrivals.len().saturating_sub(last);
        book.arrivals.iter().skip(skip).cloned().collect()
    }

    pub(crate) fn report(&self, last: usize) -> LedgerReport {
        let arrivals = self.arrivals(last);
        let book = self.book();
        LedgerReport {
            total: book.total,
            refused: book.refused.clone(),
            endpoints: book.endpoints.clone(),
            windows: WindowReport {
                minute: book.minute.counts(),
                day: book.day.counts(),
                month: book.month.counts(),
            },
            arrivals,
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // Nothing panics while it holds the book; if it did, the counts still stand.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn decide(&mut self, ask: &Ask<'_>, now: Moment) -> Result<u64, Fault> {
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
        self.minute.add(now, request);
        self.day.add(now, request);
        self.month.add(now, request);
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
        self.minute.add(now, charge);
        self.day.add(now, charge);
        self.month.add(now, charge);
        Ok(credits)
    }

    fn usage(&mut self, now: Moment) -> Usage {
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
    fn write_down(&mut self, ask: Ask<'_>, now: Moment, outcome: &Result<u64, Fault>) -> u64 {
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
        let row = match crate::endpoints::Endpoint::at(ask.path) {
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
