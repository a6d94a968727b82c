//! When a window ends, in the words of a header.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::config::provider::ResetFormat;
use crate::provider::retry_after::{self, RetryAfter};
use crate::provider::{figure, time};

/// The end of a window, as it was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Reset {
    /// So long after the reply.
    pub(super) after: Option<Duration>,
    /// At this instant, by the provider's clock.
    pub(super) at: Option<DateTime<Utc>>,
}

impl Reset {
    /// Reads a header's value; `None` if it is not of this format.
    ///
    /// Fractions of seconds are rounded up, as they are for `Retry-After`.
    pub(super) fn parse(format: ResetFormat, text: &str) -> Option<Self> {
        let text = text.trim_matches([' ', '\t']);
        match format {
            ResetFormat::EpochS => {
                let seconds = i64::try_from(retry_after::seconds(text)?).ok()?;
                Some(Self::at(DateTime::from_timestamp(seconds, 0)?))
            }
            ResetFormat::EpochMs => {
                let millis = i64::try_from(figure::parse(text)?).ok()?;
                Some(Self::at(DateTime::from_timestamp_millis(millis)?))
            }
            ResetFormat::DeltaS => retry_after::seconds(text).map(Self::after_secs),
            ResetFormat::Rfc3339 => {
                let at = DateTime::parse_from_rfc3339(text).ok()?;
                Some(Self::at(at.to_utc()))
            }
            ResetFormat::HttpDate => match RetryAfter::parse(text)? {
                RetryAfter::At(at) => Some(Self::at(at)),
                RetryAfter::Seconds(_) => None,
            },
            ResetFormat::GoDuration => go_duration(text).map(|after| Self {
                after: Some(after),
                at: None,
            }),
            // Read as a whole, with what is left.
            ResetFormat::Structured => None,
        }
    }

    /// So many seconds after the reply.
    pub(super) fn after_secs(seconds: u64) -> Self {
        Self {
            after: Some(Duration::from_secs(seconds)),
            at: None,
        }
    }

    fn at(at: DateTime<Utc>) -> Self {
        Self {
            after: None,
            at: Some(at),
        }
    }

    /// The same, seen from a reply of this time; `None` if no window ends then.
    pub(super) fn seen_at(self, date: Option<DateTime<Utc>>) -> Option<Self> {
        if self.after.is_some_and(|after| after > time::LONGEST_WINDOW) {
            return None;
        }
        let Some(at) = self.at else {
            return Some(self);
        };
        if !time::may_end_a_window(at, date) {
            return None;
        }
        // Before the reply: it has just ended.
        let after = date.map(|date| (at - date).to_std().unwrap_or_default());
        Some(Self {
            after,
            at: Some(at),
        })
    }
}

/// Reads a duration as Go's `time.Duration` writes it: `1s`, `6m0s`, `1h2m3.5s`, `20ms`.
fn go_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let is_number = |letter: char| letter.is_ascii_digit() || letter == '.';
    let mut total = None;
    let mut rest = text;
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|letter| !is_number(letter))?);
        let (unit, next) = after.split_at(after.find(is_number).unwrap_or(after.len()));
        let each = match unit {
            "h" => 3_600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "\u{b5}s" | "\u{3bc}s" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        let part = Duration::try_from_secs_f64(number.parse::<f64>().ok()? * each).ok()?;
        total = Some(total.unwrap_or(Duration::ZERO).checked_add(part)?);
        rest = next;
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        for (text, millis) in [
            ("1s", Some(1_000)),
            ("6m0s", Some(360_000)),
            ("1h2m3.5s", Some(3_723_500)),
            ("20ms", Some(20)),
            ("1.5h", Some(5_400_000)),
            ("2000\u{b5}s", Some(2)),
            ("0s", Some(0)),
            ("0", Some(0)),
            ("", None),
            ("-1s", None),
            ("1", None),
            ("s", None),
            ("1d", None),
            ("1s 2s", None),
            ("1.2.3s", None),
            (".s", None),
            ("99999999999999999999999999h", None),
        ] {
            assert_eq!(
                go_duration(text),
                millis.map(Duration::from_millis),
                "{text}"
            );
        }
    }
}
