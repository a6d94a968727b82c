//! Putting answers together again into the body that the provider would have sent.

use chrono::{DateTime, Utc};

use super::envelope::Envelope;
use super::json;
use super::split::Split;
use super::{Provider, ReadRequest, RequestError};
use crate::config::provider::SplitKind;

/// One resource's answer, on its way to a reader.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// Its value of the batch parameter; `None` without one.
    pub item: Option<&'a str>,
    /// [`Answer::body`](super::Answer::body).
    pub body: &'a str,
    /// [`Answer::envelope`](super::Answer::envelope).
    pub envelope: Option<&'a str>,
    /// When the answer was fetched, by the database's clock.
    pub fetched_at: DateTime<Utc>,
}

/// Why answers cannot be put together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// There is nothing to put together.
    #[error("there is no answer to put together")]
    NoParts,

    /// Several answers to a question that has one.
    #[error("there are {given} answers to a question that has one")]
    TooManyParts {
        /// How many there are.
        given: usize,
    },

    /// No answer has an envelope that the body could stand in.
    #[error("no answer has an envelope that fits the configuration")]
    NoEnvelope,

    /// An answer that does not have the shape it was stored in.
    #[error("the answer for {item:?} does not have the shape that the configuration says")]
    BadPart {
        /// The part's item.
        item: String,
    },

    /// The question does not fit the configuration.
    #[error("the question does not fit the configuration")]
    BadRequest(#[source] RequestError),
}

impl Provider {
    /// The provider's own body, made of answers in the order of `parts`.
    ///
    /// The envelope is that of the oldest part, so that the time it states is true
    /// of every part, with 0 where a cost stood. Items that do not exist are left
    /// out by giving fewer parts.
    ///
    /// # Errors
    ///
    /// See [`JoinError`]; only answers that were stored under another
    /// configuration can cause them, or a call without parts.
    pub fn join(&self, request: &ReadRequest, parts: &[Part<'_>]) -> Result<String, JoinError> {
        let question = self
            .batch(&request.batch_key)
            .map_err(JoinError::BadRequest)?;
        let split = question
            .batch
            .as_ref()
            .and_then(|name| question.endpoint.splits.get(name));
        let data = match (split, parts) {
            (_, []) => return Err(JoinError::NoParts),
            (Some(split), parts) => split.join(parts)?,
            (None, [one]) => one.body.to_owned(),
            (None, parts) => {
                return Err(JoinError::TooManyParts { given: parts.len() });
            }
        };
        let Some(envelope) = &self.envelope else {
            return Ok(data);
        };
        let around = oldest(envelope, parts).ok_or(JoinError::NoEnvelope)?;
        envelope.around(around, &data).ok_or(JoinError::NoEnvelope)
    }
}

/// The envelope of the oldest part: by the provider's word where it gave one.
fn oldest<'a>(envelope: &Envelope, parts: &[Part<'a>]) -> Option<&'a str> {
    parts
        .iter()
        .filter_map(|part| Some((part, part.envelope?)))
        .min_by_key(|(part, text)| envelope.time(text).unwrap_or(part.fetched_at))
        .map(|(_, text)| text)
}

impl Split {
    fn join(&self, parts: &[Part<'_>]) -> Result<String, JoinError> {
        let pieces = parts
            .iter()
            .map(|part| {
                self.piece(part).ok_or_else(|| JoinError::BadPart {
                    item: part.item.unwrap_or_default().to_owned(),
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let joined = pieces.join(",");
        Ok(match self.kind {
            SplitKind::ListBy => format!("[{joined}]"),
            SplitKind::MapBy | SplitKind::MapOfListsBy => format!("{{{joined}}}"),
        })
    }

    /// What one part adds to the list or map.
    fn piece(&self, part: &Part<'_>) -> Option<String> {
        if self.kind == SplitKind::ListBy {
            return if self.many {
                Some(json::elements(part.body).ok()??.join(","))
            } else {
                Some(part.body.to_owned())
            };
        }
        let key = match &self.key {
            Some(pointer) => json::scalar(json::find(part.body, pointer).ok()??)?.into_owned(),
            None => part.item?.to_owned(),
        };
        let key = serde_json::to_string(&key).ok()?;
        Some(format!("{key}:{}", part.body))
    }
}
