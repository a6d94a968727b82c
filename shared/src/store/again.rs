//! Tries a short transaction again that lost against another one.
//!
//! A deadlock has a victim, and where the database's default is a stricter isolation level,
//! two who write the same rows have a loser. Nothing was done then, and doing it again helps,
//! so whoever asked is only told when that happens each time.

use std::time::Duration;

use super::StoreError;
use crate::retry::RetryPolicy;

/// How often it is tried in all: a conflict that comes each time is told soon.
const TRIES: u32 = 5;

/// Short at first: the winner's transaction is about as short.
const WAITS: RetryPolicy = RetryPolicy {
    initial: Duration::from_millis(10),
    max: Duration::from_millis(200),
    multiplier: 2.0,
    jitter: 0.5,
};

/// Does what `work` does, again if it lost against another transaction.
pub(super) async fn again<T, F>(mut work: impl FnMut() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut tried = 0;
    loop {
        tried += 1;
        match work().await {
            Err(error) if error.is_conflict() && tried < TRIES => {
                tokio::time::sleep(WAITS.after(tried)).await;
            }
            done => return done,
        }
    }
}
