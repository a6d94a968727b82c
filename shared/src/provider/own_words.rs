//! What Larder says itself where a provider would have spoken, in the provider's form.
//!
//! A program that talks to a provider knows two things that Larder never relays: the
//! report of what the key has spent, and errors. Both are made here where the
//! configuration says how the provider writes them, so that the program reads them as
//! it always did.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};

use super::pointer::Pointer;
use super::{Provider, UsageReading, time};
use crate::model::EndpointName;

impl Provider {
    /// Whether this endpoint reports what the key has spent.
    pub fn reports_usage(&self, endpoint: &EndpointName) -> bool {
        let usage = self.usage.as_ref();
        usage.is_some_and(|usage| usage.endpoint() == endpoint)
    }

    /// The body of a usage report with these figures, as the provider would write it;
    /// `None` if it reports no usage. What a reading leaves open is left out; `today`
    /// are the credits spent since midnight, UTC.
    ///
    /// [`Provider::usage`] reads the same figures from it.
    pub fn usage_body(
        &self,
        readings: &[UsageReading],
        today: u64,
        now: DateTime<Utc>,
    ) -> Option<String> {
        let usage = self.usage.as_ref()?;
        let mut body = Value::Object(Map::new());
        for limit in &usage.limits {
            let Some(reading) = readings.iter().find(|it| it.limit == limit.limit) else {
                continue;
            };
            let mut put = |pointer: &Option<Pointer>, value: Option<Value>| {
                if let (Some(pointer), Some(value)) = (pointer, value) {
                    pointer.put(&mut body, value);
                }
            };
            put(&limit.used, reading.used.map(Value::from));
            put(&limit.left, reading.left.map(Value::from));
            put(&limit.cap, reading.cap.map(Value::from));
            let resets = reading.resets_at.map(|at| Value::from(time::text(at)));
            put(&limit.resets, resets);
            let left = reading.resets_at.map(|at| Value::from(words(at - now)));
            put(&limit.resets_in, left);
        }
        if let Some(pointer) = &usage.today {
            pointer.put(&mut body, Value::from(today));
        }
        if let Some(envelope) = &self.envelope {
            envelope.put(&mut body, now);
        }
        Some(body.to_string())
    }

    /// Writes an error into `document` where the provider's own errors stand, so that a
    /// program made for the provider finds it there: `status` is the HTTP status. What
    /// stands in the way, such as a number under the name of the provider's object, is
    /// replaced. Nothing happens if the configuration names no place for messages.
    pub fn put_error(&self, document: &mut Value, status: u16, message: &str, now: DateTime<Utc>) {
        let Some(pointer) = &self.message else {
            return;
        };
        if let Some(envelope) = &self.envelope {
            envelope.put(document, now);
        }
        pointer.put(document, Value::from(message));
        if let Some(code) = &self.code {
            code.put(document, Value::from(status));
        }
    }
}

/// `In 6 days, 7 hours, 51 minutes`, as CoinMarketCap writes it (recorded 2026-09-24).
fn words(left: TimeDelta) -> String {
    let minutes = left.num_minutes().max(0);
    format!(
        "In {} days, {} hours, {} minutes",
        minutes / 1_440,
        minutes / 60 % 24,
        minutes % 60
    )
}
