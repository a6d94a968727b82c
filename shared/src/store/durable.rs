//! How a transaction begins whose commit must not be lost.
//!
//! Everything is said with the `begin`, so that it costs one round trip; and for the
//! transaction alone, since behind a pooler the session is somebody else's afterwards.
//!
//! No plan is compiled: these statements read a few rows by an index, but what they are
//! estimated at with a long ledger passes `jit_above_cost`, and compiling takes longer
//! than all the rest. No plan of a record is made anew either: each of its statements takes
//! rows by their keys, for which one plan serves, while planning took as long as running it.

use super::{Store, StoreError};
use crate::store::db::Tx;

// In both, a process that stands still between two statements is thrown out after 5 s:
// it would keep the lane from all others for as long as it stood.

/// To lock a provider. Each statement sees what was committed before it began; whoever
/// cannot get the lock within 5 s gives its connection back.
const LOCKING: &str = "begin isolation level read committed; \
     set local synchronous_commit = on; set local lock_timeout = '5s'; \
     set local idle_in_transaction_session_timeout = '5s'; set local jit = off";

/// To record what has happened already: that waits as long as it takes.
const RECORDING: &str = "begin isolation level read committed; set local synchronous_commit = on; \
     set local idle_in_transaction_session_timeout = '5s'; set local jit = off; \
     set local plan_cache_mode = force_generic_plan; set local enable_seqscan = off";

impl Store {
    /// A durable transaction that takes a provider's lock.
    pub(super) async fn begin_locking(&self) -> Result<Tx, StoreError> {
        Ok(self.db.promptly().begin_with(LOCKING).await?)
    }

    /// A durable transaction that records.
    pub(super) async fn begin_recording(&self) -> Result<Tx, StoreError> {
        Ok(self.db.begin_with(RECORDING).await?)
    }
}
