//! The headers of an answer from the cache.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use shared::provider::Provider;

/// For how long a cache in front may give an answer after its time while Larder cannot be
/// reached, in seconds, where no bound of age is configured.
const IF_ERROR_SECS: f64 = 86_400.0;

/// How fresh an answer is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Freshness {
    /// Age of the oldest part, in seconds.
    pub(super) age_secs: f64,
    /// For how long the part that ages first is fresh, in seconds; negative if overdue.
    pub(super) ttl_secs: f64,
    /// For how long no part is past its bound of age, in seconds; infinite without one.
    pub(super) left_secs: f64,
}

/// How an answer came to be one (RFC 9211).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// It was there before it was asked for.
    Hit,
    /// It was not there, or not all of it.
    Miss,
    /// What was there was past its bound of age.
    Stale,
    /// The reader wanted a newer one.
    Request,
}

/// Says how fresh an answer is, in `Age` and `Cache-Control`.
///
/// A cache in front may give it for as long as it is fresh; past that, while it asks for a
/// newer one, for the same time again, and while Larder is away for a day. None of it
/// reaches past a bound of age.
pub(super) fn freshness(headers: &mut HeaderMap, freshness: Freshness, is_private: bool) {
    let ttl = whole(freshness.ttl_secs.floor());
    let age = whole(freshness.age_secs.floor()).max(0);
    // A cache takes Age off max-age (RFC 9111, section 4.2), so what is left is the ttl.
    let max_age = if ttl > 0 { age.saturating_add(ttl) } else { 0 };
    let past = (freshness.left_secs - freshness.ttl_secs.max(0.0)).max(0.0);
    let lifetime = freshness.age_secs.floor() + freshness.ttl_secs.floor();
    let revalidate = whole(lifetime.max(0.0).min(past).floor());
    let error = whole(IF_ERROR_SECS.min(past).floor());
    let private = if is_private { "private, " } else { "" };
    let control = format!(
        "{private}max-age={max_age}, stale-while-revalidate={revalidate}, stale-if-error={error}"
    );
    insert(headers, header::AGE, &age.to_string());
    insert(headers, header::CACHE_CONTROL, &control);
}

/// Says how an answer came to be one, in `Cache-Status`.
pub(super) fn status(headers: &mut HeaderMap, freshness: Freshness, source: Source) {
    let ttl = whole(freshness.ttl_secs.floor());
    let how = match source {
        Source::Hit => "hit",
        Source::Miss => "fwd=uri-miss; stored",
        Source::Stale => "fwd=stale; stored",
        Source::Request => "fwd=request; stored",
    };
    let name = HeaderName::from_static("cache-status");
    insert(headers, name, &format!("larder; {how}; ttl={ttl}"));
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

/// Says on what the answer depends beside its address: on the coding, on the headers that
/// carry a secret, so that no cache hands an answer on without it, and on the origin.
pub(super) fn vary(
    headers: &mut HeaderMap,
    provider: &Provider,
    is_private: bool,
    by_origin: bool,
) {
    let own = provider.config().auth.header.as_deref();
    let secret = std::iter::once("Authorization").chain(own);
    let names = std::iter::once("Accept-Encoding")
        .chain(secret.filter(|_| is_private))
        .chain(by_origin.then_some("Origin"));
    insert(headers, header::VARY, &names.collect::<Vec<_>>().join(", "));
}

/// Says how long was waited at most, to a reader who said how long to wait.
pub(super) fn preference_applied(wait: std::time::Duration) -> (HeaderName, HeaderValue) {
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

    fn said(age_secs: f64, ttl_secs: f64, left_secs: f64, source: Source) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let fresh = Freshness {
            age_secs,
            ttl_secs,
            left_secs,
        };
        freshness(&mut headers, fresh, source == Source::Hit);
        status(&mut headers, fresh, source);
        headers
    }

    #[test]
    fn an_overdue_answer_has_a_negative_ttl_and_no_time_to_be_kept() {
        let headers = said(70.9, -10.1, f64::INFINITY, Source::Hit);
        assert_eq!(headers["cache-status"], "larder; hit; ttl=-11");
        assert_eq!(headers["age"], "70");
        assert_eq!(
            headers["cache-control"],
            "private, max-age=0, stale-while-revalidate=59, stale-if-error=86400"
        );
    }

    #[test]
    fn a_cache_that_takes_age_off_max_age_is_left_with_the_ttl() {
        let headers = said(40.0, 20.0, f64::INFINITY, Source::Miss);
        assert_eq!(
            headers["cache-control"],
            "max-age=60, stale-while-revalidate=60, stale-if-error=86400"
        );
        assert_eq!(
            headers["cache-status"],
            "larder; fwd=uri-miss; stored; ttl=20"
        );
    }

    #[test]
    fn no_cache_in_front_keeps_an_answer_past_its_bound_of_age() {
        for (ttl, left, control) in [
            (
                20.0,
                50.0,
                "max-age=60, stale-while-revalidate=30, stale-if-error=30",
            ),
            (
                20.0,
                10.0,
                "max-age=60, stale-while-revalidate=0, stale-if-error=0",
            ),
            (
                -10.0,
                5.0,
                "max-age=0, stale-while-revalidate=5, stale-if-error=5",
            ),
            (
                -10.0,
                -5.0,
                "max-age=0, stale-while-revalidate=0, stale-if-error=0",
            ),
        ] {
            let headers = said(40.0, ttl, left, Source::Stale);
            assert_eq!(headers["cache-control"], control, "{ttl} {left}");
        }
    }
}
