//! Which reads wait for a call, and what that leaves for calls at the plan's own pace.
//!
//! A plan chooses how often a copy is refreshed, but not when somebody looks. Where readers
//! agree to wait for a second or two, a part of the calls can be made for whoever meets an
//! unusually old copy, which no schedule can do: such a call makes the very read fresh that
//! caused it, and is filled with what is due next like any other.
//!
//! - **Tokens**: a token is a call of mean price. They come at the rate of the plan, and at
//!   most [`MOST`] are kept. A read may take one when [`FOR_READS`] are there, a call at the
//!   plan's pace is made when [`FOR_PACE`] are there: so reads find some, and a hard bound,
//!   which waits for no token, finds the budget not yet spent.
//! - **Threshold**: which age is unusual. Each call for a read raises it, time lowers it; the
//!   two balance where [`SHARE`] of the calls are made for reads, whatever the demand.
//!
//! Readers who get the old copy while a new one is fetched gain nothing from it: what is
//! gained is the read that waits.
//!
//! `larder.plan_bucket` says the same in SQL.

/// Most tokens that are kept.
pub const MOST: f64 = 10.0;

/// Least tokens at which a read may take one.
pub const FOR_READS: f64 = 3.0;

/// Least tokens at which a call at the plan's pace is made.
pub const FOR_PACE: f64 = 5.0;

/// Least tokens at which a call is made for what is late.
pub const FOR_LATE: f64 = 1.0;

/// Share of the calls that are made for reads.
pub const SHARE: f64 = 0.75;

/// By how much, as a power of e, a call for a read raises the threshold.
const STEP: f64 = 0.05;

/// Shortest threshold, in seconds: it cannot fall out of sight while nobody reads.
const LEAST: f64 = 1.0;

/// Tokens and threshold of a provider, at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// Calls that may be made.
    pub tokens: f64,
    /// Age in seconds past which a read causes a call.
    pub threshold: f64,
}

impl Bucket {
    /// Full, with a threshold to start from, in seconds.
    pub fn new(threshold: f64) -> Self {
        Self {
            tokens: MOST,
            threshold: threshold.max(LEAST),
        }
    }

    /// The bucket `secs` later, where `rate` calls a second are planned.
    #[must_use]
    pub fn after(self, secs: f64, rate: f64) -> Self {
        let calls = (secs * rate).max(0.0);
        Self {
            tokens: (self.tokens + calls).min(MOST),
            threshold: (self.threshold * (-STEP * SHARE * calls).exp()).max(LEAST),
        }
    }

    /// Whether a read of a copy of this age, in seconds, causes a call.
    pub fn fires(self, age: f64) -> bool {
        self.tokens >= FOR_READS && age > self.threshold
    }

    /// The bucket after a call for a read; `price` in calls of mean price.
    #[must_use]
    pub fn fired(self, price: f64) -> Self {
        Self {
            tokens: self.tokens - price,
            threshold: self.threshold * STEP.exp(),
        }
    }

    /// The bucket after a call at the plan's pace, or one that could not wait.
    #[must_use]
    pub fn spent(self, price: f64) -> Self {
        Self {
            tokens: (self.tokens - price).max(-MOST),
            ..self
        }
    }

    /// Seconds until so many tokens are there.
    pub fn secs_until(&self, tokens: f64, rate: f64) -> f64 {
        ((tokens - self.tokens) / rate).max(0.0)
    }
}
