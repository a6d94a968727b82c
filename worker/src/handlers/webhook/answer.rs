//! What a target's answer means for the job.

use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::{Response, StatusCode};
use shared::provider::RetryAfter;

use crate::handlers::Outcome;

/// Shortest and longest time that a target's `Retry-After` is believed.
const RETRY_AFTER_RANGE: (Duration, Duration) =
    (Duration::from_secs(1), Duration::from_secs(3_600));

/// Most bytes that are read of an answer's body, so that its connection can be used again.
const MOST_BODY: usize = 16 << 10;

/// Longest time that is spent on reading them. The status has come, so nothing depends on it.
const LONGEST_BODY: Duration = Duration::from_secs(1);

/// What a sent request means for its job.
pub(super) async fn outcome(sent: Result<Response, reqwest::Error>) -> Outcome {
    match sent {
        Ok(response) => {
            let outcome = by_status(response.status(), retry_after(&response));
            // A longer or slower body costs the connection, and nothing else.
            let _ = tokio::time::timeout(LONGEST_BODY, pass_over_body(response)).await;
            outcome
        }
        Err(error) => Outcome::retry(in_words(error.without_url())),
    }
}

fn by_status(status: StatusCode, after: Option<Duration>) -> Outcome {
    let number = status.as_u16();
    match number {
        200..=299 => Outcome::Done,
        408 | 425 | 429 | 500..=599 => Outcome::Retry {
            after,
            error: format!("it answered {number}"),
        },
        300..=399 => Outcome::fail(format!("it answered {number}: redirects are not followed")),
        410 => Outcome::fail("it answered 410: it wants no more messages"),
        _ => Outcome::fail(format!("it answered {number}")),
    }
}

/// A date is passed over: reading it would need the worker's clock to be right.
fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    match RetryAfter::parse(value)? {
        RetryAfter::Seconds(seconds) => {
            let (least, most) = RETRY_AFTER_RANGE;
            Some(Duration::from_secs(seconds).clamp(least, most))
        }
        RetryAfter::At(_) => None,
    }
}

async fn pass_over_body(mut response: Response) {
    let mut read = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        read += chunk.len();
        if read > MOST_BODY {
            return;
        }
    }
}

/// The error with its causes on one line, without the URL.
fn in_words(error: reqwest::Error) -> String {
    let mut words = match () {
        () if error.is_connect() => "cannot connect".to_owned(),
        () if error.is_timeout() => "no answer in time".to_owned(),
        () => "no answer".to_owned(),
    };
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        words.push_str(": ");
        words.push_str(&cause.to_string());
        source = cause.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_its_outcome() {
        let after = Some(Duration::from_secs(7));
        for status in 100..=599 {
            let outcome = by_status(StatusCode::from_u16(status).unwrap(), after);
            let expected = match status {
                200..=299 => outcome == Outcome::Done,
                408 | 425 | 429 | 500.. => {
                    matches!(&outcome, Outcome::Retry { after: it, .. } if *it == after)
                }
                _ => matches!(outcome, Outcome::Fail { .. }),
            };
            assert!(expected, "{status}: {outcome:?}");
        }
    }
}
