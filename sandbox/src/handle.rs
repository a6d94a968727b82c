//! Reads the ledger of a running sandbox and scripts its trouble.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::call::World;
use crate::config::{KeyState, Plan};
use crate::ledger::{Arrival, LedgerReport, Peak, Tally};
use crate::trouble::Trouble;

/// Controls a running sandbox from the same process; cheap to clone.
///
/// Everything here can also be done over HTTP, under `/_sandbox`.
#[derive(Clone)]
pub struct Handle {
    world: Arc<World>,
}

impl Handle {
    pub(crate) fn new(world: Arc<World>) -> Self {
        Self { world }
    }

    pub(crate) fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// Everything counted, with the last `last` arrivals.
    pub fn ledger(&self, last: usize) -> LedgerReport {
        self.world.ledger.report(last)
    }

    /// Requests and credits, over everything.
    pub fn total(&self) -> Tally {
        self.world.ledger.report(0).total
    }

    /// The last arrivals, oldest first; up to 10,000 are remembered.
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.world.ledger.arrivals(usize::MAX)
    }

    /// Waits until `count` requests have arrived since the start or the last reset.
    pub async fn arrived(&self, count: u64) {
        let mut seen = self.world.ledger.arrivals_seen();
        // The sender lives in the ledger, which this handle keeps alive.
        let _ = seen.wait_for(|arrived| *arrived >= count).await;
    }

    /// The most requests and credits within any stretch of `width`, both ends included.
    pub fn peak(&self, width: Duration) -> Peak {
        let micros = u64::try_from(width.as_micros()).unwrap_or(u64::MAX);
        self.world.ledger.peak(micros)
    }

    /// Forgets everything counted. Plan, keys, clock and trouble stay.
    pub fn reset(&self) {
        self.world.ledger.reset();
    }

    /// Scripts trouble for calls from now on, beside what is scripted already.
    pub fn script(&self, trouble: Trouble) {
        self.world.board.add(trouble);
    }

    /// The trouble that is scripted and not over yet.
    pub fn troubles(&self) -> Vec<Trouble> {
        self.world.board.list()
    }

    /// Ends all scripted trouble.
    pub fn clear_troubles(&self) {
        self.world.board.clear();
    }

    /// Spends on the same account as somebody else would, now.
    pub fn spend_elsewhere(&self, requests: u64, credits: u64) {
        self.world.ledger.spend_elsewhere(requests, credits);
    }

    /// The plan as it is now.
    pub fn plan(&self) -> Plan {
        self.world.ledger.plan()
    }

    /// Changes the plan, from the next call on.
    pub fn set_plan(&self, plan: Plan) {
        self.world.ledger.set_plan(plan);
    }

    /// Changes what a key is worth, from the next call on; a new key is added.
    pub fn set_key(&self, key: &str, state: KeyState) {
        self.world.ledger.set_key(key, state);
    }

    /// Sets how far the provider's clock is ahead of this machine's.
    pub fn set_clock_offset(&self, offset: TimeDelta) {
        self.world.ledger.clock().set_offset(offset);
    }

    /// What the provider's clock says.
    pub fn now(&self) -> DateTime<Utc> {
        self.world.ledger.clock().now().wall
    }
}
