//! What stands around the data in a reply: taken off, and put on again.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::json;
use super::pointer::Pointer;
use super::problem::Problems;
use super::time;
use crate::config::provider::EnvelopeConfig;

/// Most bytes of a reply without its data. Beside the data stand times and
/// counts, so a larger rest is data in a place where nobody expects it.
pub(super) const MAX_BYTES: usize = 64 * 1024;

/// Where the parts of a reply stand.
#[derive(Debug, Clone)]
pub(super) struct Envelope {
    pub(super) data: Pointer,
    timestamp: Option<Pointer>,
    zero: Vec<Pointer>,
}

impl Envelope {
    /// Writes into a document that is made here when it was made, and that it cost
    /// nothing.
    pub(super) fn stamp(&self, document: &mut Value, now: DateTime<Utc>) {
        if let Some(timestamp) = &self.timestamp {
            timestamp.put(document, Value::from(time::text(now)));
        }
        for pointer in &self.zero {
            pointer.put(document, Value::from(0));
        }
    }

    /// Checks the pointers; `None` when one of them is none.
    pub(super) fn compile(config: &EnvelopeConfig, problems: &mut Problems) -> Option<Self> {
        let mut read = |key: &str, text: &str| match Pointer::parse(text) {
            Ok(pointer) => Some(pointer),
            Err(error) => {
                problems.add(
                    format!("envelope.{key}"),
                    text,
                    "must be a JSON pointer",
                    error.to_string(),
                );
                None
            }
        };
        Some(Self {
            data: read("data", &config.data)?,
            timestamp: match &config.timestamp {
                Some(text) => Some(read("timestamp", text)?),
                None => None,
            },
            zero: config
                .zero
                .iter()
                .map(|text| read("zero", text))
                .collect::<Option<_>>()?,
        })
    }

    /// The reply with `null` in the data's place.
    ///
    /// `data` must be a piece of `text`, which it is if it was found there.
    pub(super) fn without_data(text: &str, data: &str) -> Option<String> {
        let start = (data.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
        let before = text.get(..start)?;
        let after = text.get(start + data.len()..)?;
        (before.len() + after.len() <= MAX_BYTES).then(|| format!("{before}null{after}"))
    }

    /// When the provider wrote a reply with this envelope.
    pub(super) fn time(&self, envelope: &str) -> Option<DateTime<Utc>> {
        let found = json::find(envelope, self.timestamp.as_ref()?).ok()??;
        time::parse(&json::scalar(found)?)
    }

    /// The envelope with data in its place, and 0 where a cost stood.
    pub(super) fn around(&self, envelope: &str, data: &str) -> Option<String> {
        let mut pieces = Vec::new();
        for (pointer, text) in std::iter::once((&self.data, data))
            .chain(self.zero.iter().map(|pointer| (pointer, "0")))
        {
            match json::find(envelope, pointer).ok()? {
                Some(found) => {
                    let start = (found.as_ptr() as usize).checked_sub(envelope.as_ptr() as usize)?;
                    pieces.push((start, start + found.len(), text));
                }
                None if std::ptr::eq(pointer, &self.data) => return None,
                None => {}
            }
        }
        pieces.sort_unstable();
        let mut whole = String::with_capacity(envelope.len() + data.len());
        let mut done = 0;
        for (start, end, text) in pieces {
            // Pointers into each other would overlap; the configuration forbids it.
            whole.push_str(envelope.get(done..start)?);
            whole.push_str(text);
            done = end;
        }
        whole.push_str(envelope.get(done..)?);
        Some(whole)
    }
}
