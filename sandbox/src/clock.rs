//! The provider's own clock.
//!
//! The sandbox plays a company elsewhere in the world, so it has a clock of its
//! own, which may be wrong by a chosen offset: windows, resets and timestamps
//! follow that clock. Counts over "any stretch of w" follow the monotonic clock
//! instead, so that neither the offset nor a step of the system clock can hide
//! two arrivals that were close together.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};

/// One instant, on both of the sandbox's clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// What the provider's wall clock says.
    pub(crate) wall: DateTime<Utc>,
    /// Microseconds since the sandbox started; never goes back.
    pub(crate) micros: u64,
}

/// A wall clock with an offset, and a monotonic one beside it.
#[derive(Debug)]
pub(crate) struct Clock {
    started: Instant,
    offset_ms: AtomicI64,
}

impl Clock {
    pub(crate) fn new(offset: TimeDelta) -> Self {
        Self {
            started: Instant::now(),
            offset_ms: AtomicI64::new(offset.num_milliseconds()),
        }
    }

    pub(crate) fn set_offset(&self, offset: TimeDelta) {
        self.offset_ms
            .store(offset.num_milliseconds(), Ordering::SeqCst);
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the sandbox plays the provider, whose clock is its own"
    )]
    pub(crate) fn now(&self) -> Moment {
        let offset = TimeDelta::milliseconds(self.offset_ms.load(Ordering::SeqCst));
        Moment {
            wall: Utc::now() + offset,
            micros: u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
        }
    }
}

/// Writes an instant as CoinMarketCap does: `2026-09-24T16:04:03.419Z`.
pub(crate) fn stamp(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}
