//! Renews the leases of what takes long.
//!
//! On a connection of its own, so that a pool that is busy cannot cost a lease. A lease
//! that was not renewed because it had been lost is told to its holder, which then sends
//! nothing any more and whose result is discarded.

use std::sync::Arc;
use std::time::Duration;

use shared::store::Store;
use tokio_util::sync::CancellationToken;

use crate::in_flight::InFlight;

/// Renews leases every third of their length, until `stop`.
pub(crate) async fn run(
    store: Store,
    in_flight: Arc<InFlight>,
    lease: Duration,
    stop: CancellationToken,
) {
    let every = lease / 3;
    loop {
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = stop.cancelled() => return,
        }
        let tokens = in_flight.older_than(every / 2);
        if tokens.is_empty() {
            continue;
        }
        match tokio::time::timeout(every, store.heartbeat(&tokens, lease)).await {
            Ok(Ok(held)) => {
                for token in tokens.iter().filter(|token| !held.contains(token)) {
                    tracing::warn!(lease = %token, "lease lost: its result will be discarded");
                    in_flight.lose(*token);
                }
            }
            Ok(Err(error)) => tracing::warn!(error = %error.chain(), "heartbeat failed"),
            Err(_) => tracing::warn!("heartbeat got no answer"),
        }
    }
}
