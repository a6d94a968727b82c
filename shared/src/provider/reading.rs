//! What a reply turned out to mean.

use chrono::{DateTime, Utc};

use super::{Charge, CloseFor, Outcome, Retry, RetryAfter};

/// A reply as it came, decompressed.
#[derive(Debug, Clone, Copy)]
pub struct RawReply<'a> {
    /// The HTTP status.
    pub status: u16,
    /// Names and values, in any case.
    pub headers: &'a [(String, String)],
    /// The whole body.
    pub body: &'a [u8],
}

/// What a reply means: for the ledger, the lane, the jobs and the cache.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// What the reply is.
    pub outcome: Outcome,
    /// What the call cost.
    pub charged: Charge,
    /// One reading for each asked item, in the order asked; the item is `""` for
    /// an endpoint without a batch parameter. Always complete for `ok`; for
    /// `empty`, `not_found` and `malformed` it is complete or empty, for any other
    /// outcome empty.
    pub items: Vec<(String, ItemReading)>,
    /// What the reply closes, and for how long.
    pub close: Option<CloseFor>,
    /// When the provider wants to be asked again.
    pub retry_after: Option<RetryAfter>,
    /// Whether the same request may succeed later.
    pub retry: Retry,
    /// The provider's own words: at most 300 characters, none of them a control
    /// character. A provider may repeat what it was sent, so whoever logs this
    /// must first remove the key.
    pub message: Option<String>,
    /// What is wrong with the reply, in Larder's words.
    pub reason: Option<String>,
}

/// What a reply says of one item.
#[derive(Debug, Clone, PartialEq)]
pub enum ItemReading {
    /// The answer.
    Found(Answer),
    /// The provider does not know the item.
    NotFound,
    /// The reply has something for the item that cannot be kept.
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
}

/// One resource's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// JSON text exactly as the provider wrote it.
    pub body: String,
    /// The reply around the data, with `null` in the data's place; `None` for a
    /// provider whose body is the data. [`Provider::join`](super::Provider::join)
    /// needs it.
    pub envelope: Option<String>,
    /// When the provider says that the data is from. Never more than a day later
    /// than the reply's own timestamp, but a provider's clock may be wrong by more.
    pub provider_time: Option<DateTime<Utc>>,
    /// Digest of the body without the members that the configuration calls volatile: the
    /// same for two answers that say the same.
    pub content_hash: Option<Vec<u8>>,
}
