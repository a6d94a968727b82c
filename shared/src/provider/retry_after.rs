//! The `Retry-After` header (RFC 9110, section 10.2.3).

use chrono::{DateTime, NaiveDateTime, Utc};

/// When a provider wants to be asked again. Callers clamp it: a provider must not
/// close a lane for a year by a slip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    /// After so many seconds.
    Seconds(u64),
    /// At this instant, by the provider's clock.
    At(DateTime<Utc>),
}

impl RetryAfter {
    /// Reads the header's value; `None` if it is neither seconds nor a date.
    ///
    /// Fractions of seconds, seen in the wild, are rounded up. All three forms of
    /// an HTTP date are read.
    pub fn parse(value: &str) -> Option<Self> {
        let value = value.trim();
        if value.starts_with(|letter: char| letter.is_ascii_digit()) && !value.contains(' ') {
            return seconds(value).map(Self::Seconds);
        }
        if let Ok(date) = DateTime::parse_from_rfc2822(value) {
            return Some(Self::At(date.to_utc()));
        }
        ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]
            .iter()
            .find_map(|form| NaiveDateTime::parse_from_str(value, form).ok())
            .map(|date| Self::At(date.and_utc()))
    }

    /// The instant, if it is one: of a `Date` header, the reply's own time.
    pub fn moment(self) -> Option<DateTime<Utc>> {
        match self {
            Self::At(at) => Some(at),
            Self::Seconds(_) => None,
        }
    }

    /// Reads the header from a reply's headers.
    pub(super) fn of(headers: &[(String, String)]) -> Option<Self> {
        header(headers, "retry-after").and_then(Self::parse)
    }
}

/// More seconds than a `u64` holds are the most that it holds: still "very long".
pub(super) fn seconds(value: &str) -> Option<u64> {
    let (whole, fraction) = value.split_once('.').unwrap_or((value, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let up = u64::from(fraction.bytes().any(|byte| byte != b'0'));
    Some(whole.parse().unwrap_or(u64::MAX).saturating_add(up))
}

/// The first header with this name, whatever its case.
pub(super) fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(given, _)| given.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_all_three_dates_are_read() {
        let date = DateTime::parse_from_rfc3339("1994-11-06T08:49:37Z")
            .unwrap()
            .to_utc();
        for (value, read) in [
            ("120", Some(RetryAfter::Seconds(120))),
            (" 1.2 ", Some(RetryAfter::Seconds(2))),
            (
                "99999999999999999999999",
                Some(RetryAfter::Seconds(u64::MAX)),
            ),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(RetryAfter::At(date))),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(RetryAfter::At(date))),
            ("Sun Nov  6 08:49:37 1994", Some(RetryAfter::At(date))),
            ("-1", None),
            ("soon", None),
            ("", None),
            ("1e3", None),
        ] {
            assert_eq!(RetryAfter::parse(value), read, "{value}");
        }
    }
}
