//! What is asked for, and what became of it.

use chrono::{DateTime, Utc};

use crate::model::{Priority, ResourceSpec};
use crate::store::JobRow;

/// A job as it is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRequest {
    /// `refresh`, or the name of a handler.
    pub kind: String,
    /// What to refresh; for kind `refresh` only.
    pub resource: Option<ResourceSpec>,
    /// What a handler gets.
    pub args: serde_json::Value,
    /// Who asked: `reader`, `operator`, or `planned` for the plan.
    pub class: &'static str,
    /// How urgent it is.
    pub priority: Priority,
    /// When it may run; `None` for at once.
    pub run_at: Option<DateTime<Utc>>,
    /// Attempts before it fails for good.
    pub max_attempts: i32,
    /// Only an answer that is asked for after now will do. Otherwise any answer newer
    /// than the one in the cache will; and for a reader, who asks only for what it found
    /// missing or old, also a fresh one that has come in the meantime.
    pub must_be_newer: bool,
}

/// What became of a [`JobRequest`].
#[derive(Debug, Clone, PartialEq)]
pub struct Enqueued {
    /// The job: a new one, or the live one for the same resource.
    pub job: JobRow,
    /// Whether it is new.
    pub is_new: bool,
}

impl JobRequest {
    /// A job for a handler, due at once, as urgent as what is planned and with five attempts: the
    /// defaults of `larder.jobs` say the same.
    pub fn handler(kind: &str, args: serde_json::Value) -> Self {
        Self {
            kind: kind.to_owned(),
            resource: None,
            args,
            class: "operator",
            priority: Priority::PLANNED,
            run_at: None,
            max_attempts: 5,
            must_be_newer: false,
        }
    }

    /// Whether it is as [`JobRequest::handler`] makes it.
    pub(super) fn is_usual(&self) -> bool {
        let usual = Self::handler("", serde_json::Value::Null);
        (self.class, self.priority, self.run_at, self.max_attempts)
            == (
                usual.class,
                usual.priority,
                usual.run_at,
                usual.max_attempts,
            )
    }
}
