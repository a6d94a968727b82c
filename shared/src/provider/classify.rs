//! What a reply is, by the provider's rules or, where none matches, by its status.

use super::json;
use super::pointer::Pointer;
use super::retry_after::header;
use super::rule::Place;
use super::{CloseFor, Outcome, Provider, RawReply, Retry};

/// A reply's body, looked into once.
#[derive(Debug)]
pub(super) enum Body<'a> {
    /// Nothing at all.
    Nothing,
    /// JSON, its members at hand if it is an object.
    Json {
        text: &'a str,
        members: Option<Vec<json::Member<'a>>>,
    },
    /// Something else.
    Unreadable(String),
}

impl<'a> Body<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Self {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text.trim_ascii(),
            Err(_) => return Self::Unreadable("the body is not UTF-8".to_owned()),
        };
        if text.is_empty() {
            return Self::Nothing;
        }
        let unreadable =
            |reason: String| Self::Unreadable(format!("the body is not JSON: {reason}"));
        match json::members(text) {
            Err(error) => unreadable(error.to_string()),
            Ok(Some(members)) => Self::Json {
                text,
                members: Some(members),
            },
            Ok(None) => match serde_json::from_str::<&serde_json::value::RawValue>(text) {
                Ok(_) => Self::Json {
                    text,
                    members: None,
                },
                Err(error) => unreadable(error.to_string()),
            },
        }
    }

    /// The value that a pointer leads to; `None` also where it cannot be known.
    pub(super) fn find(&self, pointer: &Pointer) -> Option<&'a str> {
        let Self::Json { text, members } = self else {
            return None;
        };
        match (pointer.tokens(), members) {
            ([], _) => Some(text),
            ([first, rest @ ..], Some(members)) => {
                let value = json::one_named(members, first).ok()??;
                json::descend(value, rest).ok()?
            }
            (_, None) => json::find(text, pointer).ok()?,
        }
    }

    pub(super) fn scalar(&self, pointer: &Pointer) -> Option<String> {
        json::scalar(self.find(pointer)?).map(std::borrow::Cow::into_owned)
    }
}

/// What a reply is, before its data has been looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) outcome: Outcome,
    pub(super) close: Option<CloseFor>,
    pub(super) retry: Retry,
}

impl Verdict {
    pub(super) fn of(outcome: Outcome) -> Self {
        let close = match outcome {
            Outcome::Throttled => Some(CloseFor::Minute),
            Outcome::KeyDead => Some(CloseFor::Operator),
            _ => None,
        };
        Self {
            outcome,
            close,
            retry: outcome.retry(),
        }
    }
}

impl Provider {
    pub(super) fn classify(&self, reply: &RawReply<'_>, body: &Body<'_>, items: usize) -> Verdict {
        let look = |place: &Place| match place {
            Place::Body(pointer) => body.scalar(pointer),
            Place::Header(name) => header(reply.headers, name).map(|value| value.trim().to_owned()),
        };
        let Some(rule) = self
            .rules
            .iter()
            .find(|rule| rule.matches(reply.status, look))
        else {
            return Verdict::of(by_status(reply.status, items));
        };
        let usual = Verdict::of(rule.verdict.outcome);
        Verdict {
            outcome: usual.outcome,
            close: rule.verdict.close.or(usual.close),
            retry: rule.verdict.retry.unwrap_or(usual.retry),
        }
    }
}

/// What a status means where the provider's rules say nothing.
fn by_status(status: u16, items: usize) -> Outcome {
    match status {
        // A part of a body was never asked for.
        206 => Outcome::Malformed,
        200..=299 => Outcome::Ok,
        304 => Outcome::NotModified,
        300..=399 => Outcome::Redirect,
        401 | 402 => Outcome::KeyDead,
        403 => Outcome::EndpointForbidden,
        // Of several items it would not say which one does not exist.
        404 | 410 if items <= 1 => Outcome::NotFound,
        408 | 425 => Outcome::ProviderError,
        429 => Outcome::Throttled,
        400..=499 => Outcome::BadRequest,
        500..=599 => Outcome::ProviderError,
        _ => Outcome::Unexpected,
    }
}
