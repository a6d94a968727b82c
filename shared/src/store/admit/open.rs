//! What is left, and what is in the way, while one admission goes on.

use super::AdmitRequest;
use super::count::{self, LockedLane};
use crate::budget::{Caller, Grants, Pricing, Usage, Verdict};
use crate::model::{BatchKey, EndpointName};

/// What is left while one admission goes on.
pub(super) struct Open {
    pub(super) grants: Grants,
    pub(super) endpoints: count::Endpoints,
    /// Calls that may start: few in a lane that was closed for trouble, and one at a time
    /// while nobody knows when a window ends.
    pub(super) room: usize,
    pub(super) unfolded: i64,
}

/// What has been in the way so far.
#[derive(Default)]
pub(super) struct Turn {
    /// Endpoints that run one call at a time, and have one on its way.
    pub(super) skipped: Vec<EndpointName>,
    /// Only what costs at most so much may still fit.
    pub(super) within: Option<u32>,
    /// Only readers' calls may still fit.
    pub(super) urgent: bool,
    pub(super) blocked: Option<Blocked>,
    pub(super) kept: Option<Blocked>,
}

/// What kept a call from fitting.
pub(super) struct Blocked {
    pub(super) usage: Usage,
    pub(super) price: u32,
}

impl Blocked {
    pub(super) fn by(usage: &Usage, price: u32) -> Self {
        Self {
            usage: usage.clone(),
            price,
        }
    }
}

impl Open {
    pub(super) fn new(
        request: &AdmitRequest<'_>,
        lane: &LockedLane,
        counted: count::Counted,
    ) -> Self {
        let grants = Grants::new(counted.usages, lane.enforce);
        let mut room = counted.slow_start.unwrap_or(request.max_calls);
        if grants.is_unknown() {
            room = room.min(usize::from(counted.in_flight == 0));
        }
        Self {
            grants,
            endpoints: counted.endpoints,
            room,
            unfolded: counted.unfolded,
        }
    }

    /// The most that a call for `items` items can cost, by the rule and by what was learnt.
    pub(super) fn price(
        &self,
        pricing: &dyn Pricing,
        batch: &BatchKey,
        endpoint: &EndpointName,
        items: usize,
    ) -> Option<u32> {
        let rule = pricing.worst_case(batch, items)?;
        Some(rule.saturating_add(self.endpoints.surcharge(endpoint)))
    }

    /// Most items that one call may carry within every limit; 1 is known to fit.
    pub(super) fn most_items(
        &self,
        pricing: &dyn Pricing,
        batch: &BatchKey,
        endpoint: &EndpointName,
        caller: Caller,
    ) -> usize {
        let fits = |items: usize| {
            self.price(pricing, batch, endpoint, items)
                .is_some_and(|price| self.grants.check(price, caller) == Verdict::Fits)
        };
        let (mut fit, mut most) = (1, pricing.max_items(batch).max(1));
        while fit < most {
            let middle = fit + (most - fit).div_ceil(2);
            if fits(middle) {
                fit = middle;
            } else {
                most = middle - 1;
            }
        }
        fit
    }
}
