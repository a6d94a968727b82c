//! The time that an answer of our own shows.

use chrono::{DateTime, Utc};

/// Now, by this process's clock. Providers state when they wrote a body, so bodies that
/// are made here state it too; nothing is decided by it.
#[expect(
    clippy::disallowed_methods,
    reason = "it is shown, and the database may be away when an error is"
)]
pub(crate) fn shown() -> DateTime<Utc> {
    Utc::now()
}
