//! What Larder says itself where a provider would have spoken, in the provider's form.
//!
//! A program that talks to a provider knows two things that Larder never relays: the
//! report of what the key has spent, and errors. Both are made here where the
//! configuration says how the provider writes them, so that the program reads them as
//! it always did.

use chrono::{DateTime, Utc};
use serde_json::Value;

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
    /// `None` if it reports no usage. What a reading leaves open is left out.
    ///
    /// [`Provider::usage`] reads the same figures from it.
    pub fn usage_body(&self, readings: &[UsageReading], now: DateTime<Utc>) -> Option<String> {
        let usage = self.usage.as_ref()?;
        let mut body = usage.around.clone();
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
        }
        if let Some(envelope) = &self.envelope {
            envelope.stamp(&mut body, now);
        }
        Some(body.to_string())
    }

    /// Puts `message` where the provider's own errors have their words, so that a
    /// program made for the provider finds it there. What stands in the way, such as a
    /// number under the name of the provider's object, is replaced.
    pub fn put_message(&self, document: &mut Value, message: &str) {
        if let Some(pointer) = &self.message {
            pointer.put(document, Value::from(message));
        }
    }
}
