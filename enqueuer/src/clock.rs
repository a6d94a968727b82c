//! The time of day, for showing it.
//!
//! Nothing is decided by it: what is due, fresh or over is the database's to say. An
//! answer in a provider's own form carries the time at which it was written, and an
//! error must carry one also while the database is away.

use chrono::{DateTime, Utc};

/// Now, by the clock of this machine.
#[expect(
    clippy::disallowed_methods,
    reason = "shown to people and programs, never compared with anything"
)]
pub(crate) fn shown() -> DateTime<Utc> {
    Utc::now()
}
