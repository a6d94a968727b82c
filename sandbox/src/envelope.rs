//! The `status` object around every answer, in the provider's two dialects.
//!
//! Recorded 2026-09-24: v3 endpoints and `/v2/simple/price` write `error_code` as
//! text, an empty `error_message` and no `notice`; the others write a number,
//! `null` and a `notice`. Errors have a `status` and no `data`.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::clock::stamp;
use crate::fault::Fault;

/// How an endpoint writes its `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `"error_code": 0, "error_message": null, "notice": null`.
    Number,
    /// `"error_code": "0", "error_message": ""`.
    Text,
}

/// What the `status` of one answer says.
#[derive(Debug, Clone)]
pub(crate) struct Status {
    pub(crate) dialect: Dialect,
    pub(crate) at: DateTime<Utc>,
    pub(crate) elapsed_ms: u64,
    /// 0 for a success.
    pub(crate) code: u32,
    pub(crate) message: Option<String>,
    /// `None` leaves the field out: a broken provider, on request.
    pub(crate) credit_count: Option<Value>,
    pub(crate) notice: Option<String>,
}

impl Status {
    /// The status of an error, which never costs anything.
    pub(crate) fn of_fault(fault: &Fault, dialect: Dialect, at: DateTime<Utc>) -> Self {
        Self {
            dialect,
            at,
            elapsed_ms: 0,
            code: fault.code,
            message: Some(fault.message.clone()),
            credit_count: Some(json!(0)),
            notice: None,
        }
    }

    fn to_json(&self) -> Value {
        let mut status = Map::new();
        status.insert("timestamp".into(), json!(stamp(self.at)));
        let (code, message) = match self.dialect {
            Dialect::Number => (json!(self.code), json!(self.message)),
            Dialect::Text => (
                json!(self.code.to_string()),
                json!(self.message.as_deref().unwrap_or_default()),
            ),
        };
        status.insert("error_code".into(), code);
        status.insert("error_message".into(), message);
        status.insert("elapsed".into(), json!(self.elapsed_ms));
        if let Some(count) = &self.credit_count {
            status.insert("credit_count".into(), count.clone());
        }
        if self.dialect == Dialect::Number {
            status.insert("notice".into(), json!(self.notice));
        }
        Value::Object(status)
    }

    /// The whole body; `data` is JSON already, and left out when there is none.
    pub(crate) fn body(&self, data: Option<&str>) -> Vec<u8> {
        let status = self.to_json();
        match data {
            Some(data) => format!(r#"{{"data":{data},"status":{status}}}"#).into_bytes(),
            None => format!(r#"{{"status":{status}}}"#).into_bytes(),
        }
    }
}
