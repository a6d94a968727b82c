//! Records what must not be lost with its worker.
//!
//! Whoever records waits for an answer as long as it takes, since a record may wait for
//! locks: up to a minute on a connection that has fallen silent, and a worker that is told to
//! stop has less. So when little of its grace is left, what still waits is recorded on a
//! fresh connection too, and the first answer counts.
//!
//! Both tries may come through. That harms nothing: a call is settled once, by its number,
//! and jobs are fenced by their lease token, which the first record takes away. What the
//! first one has locked, the second one waits for; the database ends a silent session's
//! transaction after 5 s (`shared/src/store/durable.rs`).

use std::time::Duration;

use shared::store::{Store, StoreError};
use tokio_util::sync::CancellationToken;

/// How long the usual way may still take before a connection is made: most records take
/// less, and then one that comes second would find nothing left to record, and count that.
const HEAD_START: Duration = Duration::from_millis(250);

/// Connections for records.
#[derive(Debug, Clone)]
pub(crate) struct Vital {
    pub(crate) store: Store,
    /// Has no connection before the time presses, so none that has fallen silent before.
    fresh: Store,
    /// Cancelled when little of the grace is left.
    pressed: CancellationToken,
}

impl Vital {
    pub(crate) fn new(store: Store, pressed: CancellationToken) -> Self {
        Self {
            fresh: store.afresh(),
            store,
            pressed,
        }
    }

    /// Records, on a fresh connection too if there is little time left.
    pub(crate) async fn record<'a, T, R>(
        &'a self,
        record: impl Fn(&'a Store) -> R,
    ) -> Result<T, StoreError>
    where
        R: Future<Output = Result<T, StoreError>>,
    {
        let mut usual = std::pin::pin!(record(&self.store));
        let pressed = async {
            self.pressed.cancelled().await;
            tokio::time::sleep(HEAD_START).await;
        };
        tokio::select! {
            biased;
            recorded = &mut usual => return recorded,
            () = pressed => {}
        }
        let mut fresh = std::pin::pin!(record(&self.fresh));
        tokio::select! {
            biased;
            recorded = usual => match recorded {
                Err(error) if error.is_transient() => fresh.await,
                recorded => recorded,
            },
            recorded = &mut fresh => recorded,
        }
    }
}
