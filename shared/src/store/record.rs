//! Records what a call came to: answer, cost and outcome in one transaction.
//!
//! The ledger row is settled by the call's number, once, also when the lease has
//! lapsed: what was paid is true whoever holds the jobs now. The jobs are fenced by
//! the lease token: a holder that lost its lease finishes nothing.
//!
//! Limits are not touched: admission reads the ledger. A record that closes the lane
//! locks the lane first, as the order of locks wants.

mod close;
mod entries;
mod jobs;
mod settle;

pub(super) use jobs::failed_resources;

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::validators::{self, Validator};
use super::{CallId, Store, StoreError};
use crate::model::{EndpointName, JobId, ProviderName, ResourceKey};

/// How a call's reservation is replaced by its cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// A complete reply came: the call has ended.
    Answered {
        /// What it cost.
        credits: u32,
    },
    /// No complete reply came, and the provider may have charged: spent as reserved. The
    /// request may still be on its way for `max_transit`.
    GaveUp,
    /// The request provably never left: released.
    NotSent,
}

/// Until when a lane is closed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum CloseUntil {
    /// For this long.
    For(Duration),
    /// Until the provider's next full minute, UTC, and `reset_grace` more.
    Minute,
    /// Until the day that its limits count ends; UTC without such a limit.
    Day,
    /// Until the month that its limits count ends; UTC without such a limit.
    Month,
    /// Until an operator or a new key opens it.
    Operator,
}

/// A lane is to be closed.
#[derive(Debug, Clone, PartialEq)]
pub struct LaneClose {
    /// Why, in a word that people see: `throttled:minute`, `key_dead`.
    pub reason: String,
    /// Until when.
    pub until: CloseUntil,
    /// What the provider asked for; wins over `until`. Already clamped.
    pub retry_after: Option<Duration>,
    /// Whether it is said of our address: then every lane behind it is closed.
    pub by_address: bool,
}

/// An answer to put into the cache.
#[derive(Debug, Clone)]
pub struct NewEntry {
    /// Whose answer it is.
    pub resource_key: ResourceKey,
    /// The answer as the provider wrote it.
    pub body: Box<RawValue>,
    /// The reply around it.
    pub envelope: Option<Box<RawValue>>,
    /// From when the provider says that it is.
    pub provider_time: Option<DateTime<Utc>>,
    /// Digest of what it says, without what changes by itself
    /// ([`Answer::content_hash`](crate::provider::Answer::content_hash)); without one it
    /// counts as changed.
    pub content_hash: Option<Vec<u8>>,
}

/// An entry that was renewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry {
    /// Whose answer it is.
    pub resource_key: ResourceKey,
    /// Whether it says something else than the one before; true of the first.
    pub changed: bool,
}

/// What a call means for one job.
#[derive(Debug, Clone, PartialEq)]
pub enum JobVerdict {
    /// Its answer is in the cache.
    Done,
    /// Try again after a while; fails if no attempt is left.
    Retry {
        /// How long from now.
        after: Duration,
        /// What went wrong, in words.
        error: String,
    },
    /// The provider does not know its resource: it fails, and readers are told so for
    /// `negative_ttl` without asking again.
    NotFound,
    /// It cannot succeed.
    Fail {
        /// Why, in words.
        error: String,
    },
    /// Not its fault: it waits again, and the attempt is given back.
    Release,
}

/// One job of a call.
#[derive(Debug, Clone, PartialEq)]
pub struct JobResult {
    /// Which job.
    pub id: JobId,
    /// What it refreshes.
    pub resource_key: ResourceKey,
    /// What the call means for it.
    pub verdict: JobVerdict,
}

/// All that is to be recorded of one call.
#[derive(Debug, Clone)]
pub struct CallRecord {
    /// Which call.
    pub call: CallId,
    /// Whose.
    pub provider: ProviderName,
    /// Which of the provider's paths.
    pub endpoint: EndpointName,
    /// What its jobs are held under.
    pub lease_token: Uuid,
    /// What it cost.
    pub settlement: Settlement,
    /// What came of it, from a closed set of words.
    pub outcome: &'static str,
    /// Status of the reply.
    pub http_status: Option<u16>,
    /// From sending it to the last byte.
    pub duration: Duration,
    /// Answers for the cache.
    pub entries: Vec<NewEntry>,
    /// By what a next call can ask whether these answers are still so.
    pub validator: Option<Validator>,
    /// Resources whose entries are as they were, as the provider says.
    pub unchanged: Vec<ResourceKey>,
    /// For how long an answer is fresh whose resource is not tracked.
    pub fresh_for: Duration,
    /// For how long "does not exist" is remembered.
    pub negative_ttl: Duration,
    /// Every job of the call.
    pub jobs: Vec<JobResult>,
    /// Whether the lane is to be closed.
    pub close: Option<LaneClose>,
}

/// What was recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Whether the ledger row was settled now, and not before.
    pub settled: bool,
    /// Credits charged beyond the reservation.
    pub drift: u32,
    /// Entries that were renewed.
    pub stored: Vec<StoredEntry>,
    /// Jobs that ended as completed.
    pub completed: usize,
    /// Jobs that ended as failed.
    pub failed: usize,
    /// Jobs that a person had cancelled meanwhile.
    pub cancelled: usize,
    /// Jobs that wait again.
    pub waiting: usize,
    /// Those of them that failed, and wait for their next attempt.
    pub retried: usize,
    /// Jobs whose lease we had lost: left to their new holder.
    pub lost: usize,
    /// Why the lane was closed for what its latest calls came to, beside
    /// [`CallRecord::close`].
    pub closed: Option<String>,
}

impl Store {
    /// Records a call in one transaction. See the module's documentation.
    ///
    /// # Errors
    ///
    /// Whatever the database reports; nothing was recorded then. When
    /// [`StoreError::is_transient`] says no, record it again without its entries and
    /// with its jobs failed, so that what was paid is not paid again.
    pub async fn record(&self, record: &CallRecord) -> Result<Recorded, StoreError> {
        if let Some(recorded) = self.try_record(record, false).await? {
            return Ok(recorded);
        }
        let recorded = self.try_record(record, true).await?;
        Ok(recorded.unwrap_or_default())
    }

    /// Records; `None`, with nothing recorded, if calls in flight must be raised and their
    /// locks were not taken first.
    async fn try_record(
        &self,
        record: &CallRecord,
        raises: bool,
    ) -> Result<Option<Recorded>, StoreError> {
        let mut tx = self.begin_recording().await?;
        if let Some(close) = &record.close {
            close::close_lane(&mut tx, record, close).await?;
        }
        let may_break = close::prepare_breaker(&mut tx, record).await?;
        if raises {
            settle::lock_reservations(&mut tx, record).await?;
        }
        let settled = settle::settle(&mut tx, record).await?;
        if settled.drift > 0 {
            if !raises {
                return Ok(None);
            }
            settle::raise_price(&mut tx, record, settled.drift).await?;
        }
        let mut recorded = Recorded {
            settled: settled.first,
            drift: settled.drift,
            ..Recorded::default()
        };
        jobs::finish(&mut tx, record, &mut recorded).await?;
        recorded.stored = entries::store(&mut tx, record).await?;
        (recorded.stored).extend(validators::confirm(&mut tx, record).await?);
        if may_break {
            recorded.closed = close::open_breaker(&mut tx, record).await?;
        }
        if record.outcome == "endpoint_forbidden" {
            close::forbid(&mut tx, record).await?;
        }
        tx.commit().await?;
        Ok(Some(recorded))
    }
}
