//! From a reply to its reading: classify, settle, take apart.

use chrono::{DateTime, TimeDelta, Utc};

use super::charge::Charge;
use super::classify::{Body, Verdict};
use super::digest::digest;
use super::envelope::Envelope;
use super::pointer::Pointer;
use super::question::Question;
use super::retry_after::RetryAfter;
use super::split::Piece;
use super::{Answer, ItemReading, Outcome, Provider, RawReply, Reading, Retry, json, time};
use crate::model::BatchKey;

/// Most characters kept of a provider's own words.
const MAX_MESSAGE: usize = 300;

/// How much later than its reply an item's own time may be. A later one is a slip,
/// and would keep every true answer after it from being stored.
const MAX_AHEAD: TimeDelta = TimeDelta::days(1);

/// The data of a reply, taken apart.
struct Contents {
    outcome: Outcome,
    items: Vec<(String, ItemReading)>,
    reason: Option<String>,
}

impl Contents {
    fn malformed(reason: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Malformed,
            items: Vec::new(),
            reason: Some(reason.into()),
        }
    }

    fn nothing(outcome: Outcome, asked: &[String]) -> Self {
        let items = asked
            .iter()
            .map(|item| (item.clone(), ItemReading::NotFound))
            .collect();
        Self {
            outcome,
            items,
            reason: None,
        }
    }
}

impl Provider {
    /// What a reply means.
    ///
    /// `items` are those of the call; empty for an endpoint without a batch
    /// parameter. Never fails: whatever came is one of the outcomes.
    pub fn understand(
        &self,
        batch_key: &BatchKey,
        items: &[String],
        reply: &RawReply<'_>,
    ) -> Reading {
        let body = Body::read(reply.body);
        let verdict = self.classify(reply, &body, items.len());
        let contents = self.contents(batch_key, items, verdict.outcome, &body);
        let verdict = if contents.outcome == verdict.outcome {
            verdict
        } else {
            Verdict::of(contents.outcome)
        };
        // A batch without any of its items is no slip of the provider's: asking
        // again for what does not exist would only cost again.
        let retry = match verdict.outcome {
            Outcome::Empty if !items.is_empty() => Retry::Never,
            _ => verdict.retry,
        };
        let worst = self.worst_case(batch_key, items.len()).unwrap_or(0);
        Reading {
            outcome: verdict.outcome,
            charged: self.charge(verdict.outcome, worst, reply, &body),
            items: contents.items,
            close: verdict.close,
            retry_after: RetryAfter::of(reply.headers),
            retry,
            message: self.message(&body),
            reason: contents.reason,
        }
    }

    fn contents(
        &self,
        batch_key: &BatchKey,
        items: &[String],
        outcome: Outcome,
        body: &Body<'_>,
    ) -> Contents {
        let whole = [String::new()];
        let asked = if items.is_empty() { &whole } else { items };
        match outcome {
            Outcome::Ok => self.data(batch_key, items, body),
            Outcome::NotFound => Contents::nothing(outcome, asked),
            _ => Contents {
                outcome,
                items: Vec::new(),
                reason: None,
            },
        }
    }

    fn data(&self, batch_key: &BatchKey, items: &[String], body: &Body<'_>) -> Contents {
        let text = match body {
            Body::Json { text, .. } => *text,
            Body::Nothing => return Contents::nothing(Outcome::Empty, items),
            Body::Unreadable(reason) => return Contents::malformed(reason.clone()),
        };
        let Ok(question) = self.batch(batch_key) else {
            return Contents::malformed("the configuration no longer has this question");
        };
        let (data, envelope) = match &self.envelope {
            None => (text, None),
            Some(envelope) => {
                let Some(data) = body.find(&envelope.data) else {
                    return Contents::malformed(format!("there is no {}", envelope.data));
                };
                let Some(rest) = Envelope::without_data(text, data) else {
                    return Contents::malformed(format!(
                        "too much stands beside {}",
                        envelope.data
                    ));
                };
                if let Err(error) = json::sound(&rest) {
                    return Contents::malformed(format!("beside the data, {error}"));
                }
                (data, Some(rest))
            }
        };
        if json::is_empty(data) {
            return Contents::nothing(Outcome::Empty, items);
        }
        let reply_time = envelope
            .as_deref()
            .zip(self.envelope.as_ref())
            .and_then(|(text, envelope)| envelope.time(text));
        let answer = |text: &str| Answer {
            body: text.to_owned(),
            envelope: envelope.clone(),
            provider_time: own_time(text, question.endpoint.updated.as_ref(), reply_time),
            content_hash: digest(text, &self.config.volatile),
        };
        if !question.endpoint.is_batched() {
            return whole(data, answer);
        }
        batch(&question, items, data, answer)
    }

    fn message(&self, body: &Body<'_>) -> Option<String> {
        let text = body.scalar(self.message.as_ref()?)?;
        let clean: String = text
            .chars()
            .map(|letter| if letter.is_control() { ' ' } else { letter })
            .take(MAX_MESSAGE)
            .collect();
        let clean = clean.trim();
        (!clean.is_empty()).then(|| clean.to_owned())
    }
}

fn whole(data: &str, answer: impl Fn(&str) -> Answer) -> Contents {
    if !data.starts_with(['{', '[']) {
        return Contents::malformed("the data is neither an object nor a list");
    }
    if let Err(error) = json::sound(data) {
        return Contents::malformed(error.to_string());
    }
    Contents {
        outcome: Outcome::Ok,
        items: vec![(String::new(), ItemReading::Found(answer(data)))],
        reason: None,
    }
}

fn batch(
    question: &Question<'_>,
    items: &[String],
    data: &str,
    answer: impl Fn(&str) -> Answer,
) -> Contents {
    let Some((split, parameter)) = question.batch.as_ref().and_then(|name| {
        let endpoint = question.endpoint;
        endpoint.splits.get(name).zip(endpoint.parameters.get(name))
    }) else {
        return Contents::malformed("the batch key names no batch parameter");
    };
    let pieces = match split.pieces(data, parameter, items) {
        Ok(pieces) => pieces,
        Err(reason) => return Contents::malformed(reason),
    };
    let items: Vec<(String, ItemReading)> = items
        .iter()
        .zip(pieces)
        .map(|(item, piece)| {
            let reading = match piece {
                Piece::Found(text) => ItemReading::Found(answer(&text)),
                Piece::NotFound => ItemReading::NotFound,
                Piece::Malformed(reason) => ItemReading::Malformed { reason },
            };
            (item.clone(), reading)
        })
        .collect();
    let reason = items.iter().find_map(|(_, reading)| match reading {
        ItemReading::Malformed { reason } => Some(reason.clone()),
        _ => None,
    });
    let any_found = items
        .iter()
        .any(|(_, reading)| matches!(reading, ItemReading::Found(_)));
    let outcome = match &reason {
        _ if any_found => Outcome::Ok,
        Some(_) => Outcome::Malformed,
        None => Outcome::NotFound,
    };
    Contents {
        outcome,
        items,
        reason,
    }
}

/// When an answer is from: by its own word, or by its reply's.
///
/// Of a list, the latest element counts: an older reply has none that is later.
fn own_time(
    text: &str,
    updated: Option<&Pointer>,
    reply_time: Option<DateTime<Utc>>,
) -> Option<DateTime<Utc>> {
    let Some(pointer) = updated else {
        return reply_time;
    };
    let read = |text: &str| time::parse(&json::scalar(json::find(text, pointer).ok()??)?);
    let own = match json::elements(text) {
        Ok(Some(elements)) => elements.into_iter().filter_map(read).max(),
        _ => read(text),
    };
    match (own, reply_time) {
        (Some(own), Some(reply)) if own > reply + MAX_AHEAD => None,
        (own, _) => own,
    }
}

impl Reading {
    /// Whether the reply cost something, or may have.
    pub fn may_have_been_charged(&self) -> bool {
        !matches!(self.charged, Charge::Free | Charge::Reported(0))
    }
}
