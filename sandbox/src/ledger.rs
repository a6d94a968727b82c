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
//!    included. One without a known key, or refused with 1011, counts for its
//!    address only.
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

mod book;
mod meter;
mod peak;
mod report;

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::config::{KeyState, Plan, SandboxConfig};
use crate::fault::Fault;
use book::Book;
pub use peak::Peak;
pub use report::{Arrival, EndpointCount, LedgerReport, Tally, WindowCount, WindowReport};

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
    /// Calls that are being answered, this one included.
    pub(crate) in_flight: u64,
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

impl Ledger {
    pub(crate) fn new(config: &SandboxConfig) -> Self {
        Self {
            clock: Clock::new(config.clock_offset),
            book: Mutex::new(Book::new(config)),
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
        book.spend_elsewhere(now, requests, credits);
    }

    /// Forgets everything counted; keeps plan, keys and clock.
    pub(crate) fn reset(&self) {
        let mut book = self.book();
        book.forget_all();
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
        self.book().set_key(key, state);
    }

    /// The most that arrived within any stretch of `width_micros`, both ends included.
    pub(crate) fn peak(&self, width_micros: u64) -> Peak {
        self.book().peak(width_micros)
    }

    /// The last arrivals, oldest first, at most `last` of them.
    pub(crate) fn arrivals(&self, last: usize) -> Vec<Arrival> {
        self.book().last_arrivals(last)
    }

    pub(crate) fn report(&self, last: usize) -> LedgerReport {
        self.book().report(last)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // Nothing panics while it holds the book; if it did, the counts still stand.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
