//! Reading a batch key back: which endpoint, which parameters.

use super::question::{Given, Question};
use super::read::decode_query;
use super::request_error::cut;
use super::{Provider, RequestError};
use crate::model::BatchKey;

impl Provider {
    /// The question that a batch key stands for, with its items left open.
    ///
    /// # Errors
    ///
    /// Whatever makes it no key of this configuration, which may have changed
    /// since the key was made.
    pub(super) fn batch(&self, key: &BatchKey) -> Result<Question<'_>, RequestError> {
        let text = key.as_str();
        let (name, query) = text.split_once('?').unwrap_or((text, ""));
        let endpoint = self.named(name)?;
        let open: Vec<&str> = query
            .split('&')
            .filter_map(|pair| pair.strip_suffix("=*"))
            .collect();
        let bad = || RequestError::BadKey {
            provider: self.name.to_string(),
            given: cut(text),
        };
        let pairs = decode_query(query).ok_or_else(bad)?;
        let given: Vec<(&str, Given<'_>)> = pairs
            .iter()
            .map(|(name, value)| {
                let value = if open.contains(&name.as_str()) {
                    Given::AnyItem
                } else {
                    Given::Value(value)
                };
                (name.as_str(), value)
            })
            .collect();
        let question = Question::new(endpoint, &given)?;
        // A batch key names no items: those of a call come beside it.
        if question.items.is_empty() {
            Ok(question)
        } else {
            Err(bad())
        }
    }
}
