//! Times as providers write them.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::retry_after::{RetryAfter, header};

/// No window is longer: 366 days.
pub(super) const LONGEST_WINDOW: Duration = Duration::from_secs(366 * 86_400);

/// How long ago a window may have ended that a reply still speaks of.
const LATEST: TimeDelta = TimeDelta::days(1);

/// Seconds since 1970 above this are milliseconds: it is the year 5138.
const MOST_SECONDS: u64 = 100_000_000_000;

/// Reads RFC 3339, or seconds or milliseconds since 1970; `None` for anything else.
pub(super) fn parse(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(number) = text.parse::<i64>() {
        return if number.unsigned_abs() <= MOST_SECONDS {
            DateTime::from_timestamp(number, 0)
        } else {
            DateTime::from_timestamp_millis(number)
        };
    }
    DateTime::parse_from_rfc3339(text)
        .ok()
        .map(|time| time.to_utc())
}

/// When a reply was made, by its `Date` header.
pub(super) fn of_reply(headers: &[(String, String)]) -> Option<DateTime<Utc>> {
    match RetryAfter::parse(header(headers, "date")?)? {
        RetryAfter::At(date) => Some(date),
        RetryAfter::Seconds(_) => None,
    }
}

/// Whether a window may end at this instant, told by a reply of this date: not after
/// more than the longest window there is, and not long ago. Without a date only
/// instants up to 1970 are refused, which are zeros in disguise.
pub(super) fn may_end_a_window(at: DateTime<Utc>, date: Option<DateTime<Utc>>) -> bool {
    let Some(date) = date else {
        return at > DateTime::UNIX_EPOCH;
    };
    let left = at - date;
    // A negative time has no `Duration`: the window ended before the reply.
    left >= -LATEST && left.to_std().unwrap_or_default() <= LONGEST_WINDOW
}

/// Writes RFC 3339 with milliseconds, as the providers seen so far do.
pub(super) fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
