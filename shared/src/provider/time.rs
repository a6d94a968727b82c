//! Times as providers write them.

use chrono::{DateTime, SecondsFormat, Utc};

/// Seconds since 1970 above this are milliseconds: it is the year 5138.
const MOST_SECONDS: i64 = 100_000_000_000;

/// Reads RFC 3339, or seconds or milliseconds since 1970; `None` for anything else.
pub(super) fn parse(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(number) = text.parse::<i64>() {
        return if number.abs() <= MOST_SECONDS {
            DateTime::from_timestamp(number, 0)
        } else {
            DateTime::from_timestamp_millis(number)
        };
    }
    DateTime::parse_from_rfc3339(text)
        .ok()
        .map(|time| time.to_utc())
}

/// Writes RFC 3339 with milliseconds, as the providers seen so far do.
pub(super) fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
