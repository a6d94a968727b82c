//! The rules by which a call is admitted, without any IO.
//!
//! What stands against each limit is counted in the database, under the provider's
//! lock (`larder.limit_usage`); here is what follows from those counts: whether a
//! call fits ([`Grants::check`]), and if not, whether to wait for calls in flight or
//! to close the lane.
//!
//! # When a call counts
//!
//! A call is an interval: from its reservation to its *end*. A recorded answer ends
//! it; a call that a living worker gave up ends `max_transit` after its record; one
//! whose lease lapsed ends `max_freeze + max_transit` after the lease; an unfinished
//! one has no end yet. It occupies a rolling window of length `w` while
//! `now <= end + w`, a concurrency limit until its end, and every calendar window
//! that the interval, widened by `reset_grace` on both sides, meets.
//!
//! # Why that never overspends
//!
//! *Rolling.* Let the provider count the arrivals in any stretch `[x, x + w]`. Take
//! the call among them that was counted last under the lock, at time `t`. It arrived
//! after it was counted, so `t <= x + w`. Every other one arrived at or after `x`,
//! and no request arrives after its call's end, so each had not ended before
//! `x >= t - w`: each was counted at `t`. So the last call was admitted knowing all
//! of them, and the sum is within the cap.
//!
//! *Calendar.* Let the provider count the arrivals in a window, by a clock that is off
//! by at most `reset_grace`. Each such call's interval, widened by `reset_grace`,
//! meets our window of the same name, so each is charged to it. The one admitted last
//! was admitted only because the sum of all of them was within the cap: the ones
//! before it had been reserved, and an unfinished call is charged to every window
//! that opens while it lasts.
//!
//! # Not here
//!
//! The counting is SQL (`migrations/0003_ledger.sql`); the order of locks and
//! statements is [`crate::store`]'s.

mod grant;
mod limit;
mod pricing;

pub use grant::{ALERT_LEVELS, Caller, Grants, Usage, UsageWindow, Verdict, alert_level};
pub use limit::{LaneSpec, LimitSpec, LimitWindow, Mode, Period, Unit};
pub use pricing::Pricing;
