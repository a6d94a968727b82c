//! Everything that goes wrong on request.
//!
//! A test, or somebody who tries Larder out, scripts trouble for the next calls:
//! through [`crate::Handle::script`] or `POST /_sandbox/trouble`. Several kinds
//! can hit one call together (slow *and* half a body).
//!
//! # Not here
//!
//! Which calls are hit: [`board`]. How an answer is damaged: [`crate::reply`].

pub(crate) mod board;
pub(crate) mod script;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One piece of scripted trouble, and the calls that it hits.
///
/// In JSON: `{"kind": {"latency": {"ms": 500}}, "path": "/v1/key/info", "times": 3}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trouble {
    /// What goes wrong.
    pub kind: TroubleKind,
    /// Only calls to this path; `None` for all.
    #[serde(default)]
    pub path: Option<String>,
    /// Only so many calls, then it is over; `None` until cleared.
    #[serde(default)]
    pub times: Option<u32>,
    /// Only this share of the calls, chosen by the sandbox's seed; `None` for all.
    #[serde(default)]
    pub fraction: Option<f64>,
}

impl Trouble {
    /// Hits every call until cleared.
    pub fn always(kind: TroubleKind) -> Self {
        Self {
            kind,
            path: None,
            times: None,
            fraction: None,
        }
    }

    /// Hits the next `times` calls.
    pub fn next(times: u32, kind: TroubleKind) -> Self {
        Self {
            times: Some(times),
            ..Self::always(kind)
        }
    }

    /// Hits a share of the calls, from 0.0 to 1.0, until cleared.
    pub fn fraction(share: f64, kind: TroubleKind) -> Self {
        Self {
            fraction: Some(share),
            ..Self::always(kind)
        }
    }

    /// The same, but only for calls to one path.
    #[must_use]
    pub fn on(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }
}

/// What can go wrong with a call.
///
/// Where nothing else is said, the call is counted and charged as if all were well.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TroubleKind {
    /// The request travels for so long before it arrives and is counted. It
    /// arrives even if its sender has given up by then.
    Transit {
        /// Milliseconds.
        ms: u64,
    },
    /// The first byte of the answer comes so long after the call was counted.
    Latency {
        /// Milliseconds.
        ms: u64,
    },
    /// The body comes in pieces.
    SlowBody {
        /// Bytes in a piece.
        chunk: usize,
        /// Milliseconds before each piece.
        pause_ms: u64,
    },
    /// An answer with this HTTP status. Charged only if it is 200.
    Status {
        /// The HTTP status.
        status: u16,
        /// The body; `None` is the provider's error envelope (or, for 200, the answer).
        #[serde(default)]
        body: Option<String>,
        /// More response headers.
        #[serde(default)]
        headers: Vec<(String, String)>,
    },
    /// An error with one of the provider's own codes (1001 to 1011, 1022), with
    /// its status and message. Not charged.
    Limited {
        /// The code.
        code: u32,
        /// A `Retry-After` header.
        #[serde(default)]
        retry_after: Option<RetryAfter>,
        /// More response headers, such as rate-limit ones.
        #[serde(default)]
        headers: Vec<(String, String)>,
    },
    /// More headers on whatever the answer is.
    Headers {
        /// Names and values.
        headers: Vec<(String, String)>,
    },
    /// The connection closes without a byte of answer; the call was counted and charged.
    DropAfterCounting,
    /// The connection closes before the call was counted, as if it never arrived.
    DropBeforeCounting,
    /// The answer breaks off in the middle of its body.
    HalfBody,
    /// A page instead of JSON, as a gateway in front of the provider sends.
    /// Charged only if its status is 200.
    Html {
        /// The HTTP status.
        status: u16,
    },
    /// 200, code 0, and nothing in `data`. Charged.
    EmptySuccess,
    /// 200 with a code that is not 0; `data` looks real, but must not be trusted. Charged.
    ErrorInSuccess {
        /// The code.
        code: u32,
        /// The message.
        message: String,
    },
    /// A body of gzip even for a caller who did not ask for it.
    Gzip,
    /// A success whose body is huge.
    Huge {
        /// Size after decompression.
        bytes: u64,
        /// Whether it travels compressed, a thousand times smaller.
        #[serde(default)]
        gzip: bool,
    },
    /// A `credit_count` that is not what was charged.
    CreditCount {
        /// What it says instead.
        report: CreditReport,
    },
    /// 302 to another place. Not charged.
    Redirect {
        /// Where to.
        location: String,
    },
}

/// How a `Retry-After` header is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryAfter {
    /// A number of seconds.
    Seconds(u64),
    /// An HTTP date, so many seconds from now by the provider's clock.
    DateIn(i64),
}

/// What a wrong `credit_count` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CreditReport {
    /// This value: `-1`, `0.5`, `"many"`, `1e9`.
    Value(Value),
    /// So many times what was charged.
    Times(u64),
    /// Nothing: the field is not there.
    Missing,
}
