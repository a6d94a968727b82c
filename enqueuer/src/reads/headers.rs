//! The headers of an answer from the cache.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use shared::provider::Provider;

/// How fresh an answer is, and how it came to be one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Freshness {
    /// Age of the oldest part, in seconds.
    pub(super) age_secs: f64,
    /// For how long the part that ages first is fresh, in seconds; negative if overdue.
    pub(super) ttl_secs: f64,
    /// Whether the answer was there before it was asked for.
    pub(super) is_hit: bool,
}

/// Says how fresh an answer is: `Cache-Status` (RFC 9211), `Age` and `Cache-Control`.
pub(super) fn freshness(headers: &mut HeaderMap, freshness: Freshness, is_private: bool) {
    let ttl = whole(freshness.ttl_secs.floor());
    let age = whole(freshness.age_secs.floor()).max(0);
    let status = if freshness.is_hit {
        format!("larder; hit; ttl={ttl}")
    } else {
        format!("larder; fwd=uri-miss; stored; ttl={ttl}")
    };
    // A cache takes Age off max-age (RFC 9111, section 4.2), so what is left is the ttl.
    let max_age = if ttl > 0 { age.saturating_add(ttl) } else { 0 };
    let control = if is_private {
        format!("private, max-age={max_age}")
    } else {
        format!("max-age={max_age}")
    };
    for (name, value) in [
        (HeaderName::from_static("cache-status"), status),
        (header::AGE, age.to_string()),
        (header::CACHE_CONTROL, control),
    ] {
        insert(headers, name, &value);
    }
}

/// Says that the body is JSON and must not be taken for anything else.
pub(super) fn sealed(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::CONTENT_TYPE, "application/json"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            header::CONTENT_SECURITY_POLICY,
            "sandbox; default-src 'none'",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Says which headers carry the secret, so that no cache hands an answer on without it.
pub(super) fn vary(headers: &mut HeaderMap, provider: &Provider) {
    let own = provider.config().auth.header.as_deref();
    let names = std::iter::once("Authorization").chain(own);
    insert(headers, header::VARY, &names.collect::<Vec<_>>().join(", "));
}

/// How long a reader wants to wait: `Prefer: wait=n`, in seconds (RFC 7240, section 4.3).
pub(super) fn wanted_wait(headers: &HeaderMap) -> Option<Duration> {
    headers
        .get_all("prefer")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split([',', ';']))
        .filter_map(|preference| preference.split_once('='))
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("wait"))
        .find_map(|(_, secs)| secs.trim().trim_matches('"').parse().ok())
        .map(Duration::from_secs)
}

/// Says how long was waited at most, to a reader who said how long to wait.
pub(super) fn preference_applied(wait: Duration) -> (HeaderName, HeaderValue) {
    let value = format!("wait={}", wait.as_secs());
    let value = HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("wait"));
    (HeaderName::from_static("preference-applied"), value)
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    // Digits and words of ours, and a header's name from a checked configuration.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a float that is too large becomes the largest number, which is what is meant"
)]
fn whole(secs: f64) -> i64 {
    // RFC 9111 asks for no more than 2^31 seconds.
    secs.clamp(-2_147_483_648.0, 2_147_483_648.0) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overdue_answer_has_a_negative_ttl_and_no_time_to_be_kept() {
        let mut headers = HeaderMap::new();
        let overdue = Freshness {
            age_secs: 70.9,
            ttl_secs: -10.1,
            is_hit: true,
        };
        freshness(&mut headers, overdue, true);
        assert_eq!(headers["cache-status"], "larder; hit; ttl=-11");
        assert_eq!(headers["age"], "70");
        assert_eq!(headers["cache-control"], "private, max-age=0");
    }

    #[test]
    fn a_cache_that_takes_age_off_max_age_is_left_with_the_ttl() {
        let mut headers = HeaderMap::new();
        let fresh = Freshness {
            age_secs: 40.0,
            ttl_secs: 20.0,
            is_hit: false,
        };
        freshness(&mut headers, fresh, false);
        assert_eq!(headers["cache-control"], "max-age=60");
        assert_eq!(
            headers["cache-status"],
            "larder; fwd=uri-miss; stored; ttl=20"
        );
    }

    #[test]
    fn a_reader_says_how_long_to_wait_among_other_preferences() {
        for (value, secs) in [
            ("wait=5", Some(5)),
            ("respond-async, Wait=\"7\"", Some(7)),
            ("wait=-1", None),
            ("wait", None),
            ("patience=9", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("prefer", value.parse().unwrap());
            let wanted = wanted_wait(&headers).map(|wait| wait.as_secs());
            assert_eq!(wanted, secs, "{value}");
        }
    }
}
