//! What a reader says of the answer that it wants, in headers.
//!
//! The directives of `Cache-Control` mean what RFC 9111 (2022), section 5.2.1 says, with one
//! bound: a reader may ask for a newer answer than there is at most once in the resource's
//! shortest interval, since a reader may not drain the budget.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};

/// What `Cache-Control` of a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Directives {
    /// Ask the provider, whatever there is.
    no_cache: bool,
    /// Never ask the provider.
    pub(super) only_if_cached: bool,
    /// Most that the answer may be old, in seconds.
    max_age: Option<f64>,
    /// For how long it may have been stale, in seconds.
    pub(super) max_stale: Option<f64>,
    /// For how long it must still be fresh, in seconds.
    min_fresh: Option<f64>,
}

impl Directives {
    /// What a request's headers say. What is not understood says nothing.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut read = Self::default();
        for value in headers.get_all(header::CACHE_CONTROL) {
            read.add(value);
        }
        read
    }

    /// Adds what one header line says.
    pub(super) fn add(&mut self, value: &HeaderValue) {
        for directive in value.to_str().unwrap_or_default().split(',') {
            let (name, argument) = match directive.split_once('=') {
                Some((name, argument)) => (name.trim(), Some(argument.trim().trim_matches('"'))),
                None => (directive.trim(), None),
            };
            let secs = || argument.and_then(seconds);
            if name.eq_ignore_ascii_case("no-cache") {
                self.no_cache = true;
            } else if name.eq_ignore_ascii_case("only-if-cached") {
                self.only_if_cached = true;
            } else if name.eq_ignore_ascii_case("max-age") {
                self.max_age = secs().or(self.max_age);
            } else if name.eq_ignore_ascii_case("min-fresh") {
                self.min_fresh = secs().or(self.min_fresh);
            } else if name.eq_ignore_ascii_case("max-stale") {
                self.max_stale = match argument {
                    None => Some(f64::INFINITY),
                    Some(_) => secs().or(self.max_stale),
                };
            }
        }
    }

    /// Whether an answer of this age, fresh for this long yet, will do.
    pub(super) fn accept(&self, age: f64, ttl: f64) -> bool {
        !self.no_cache
            && self.max_age.is_none_or(|most| age <= most)
            && self.min_fresh.is_none_or(|least| ttl >= least)
    }
}

/// Whole seconds (RFC 9111, section 1.2.2); too many are as many as can be.
fn seconds(text: &str) -> Option<f64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse::<f64>().ok())?
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

/// Whether `If-None-Match` names this entity tag, or any (RFC 9110, section 13.1.2). The
/// comparison is the weak one.
pub(super) fn names_tag(value: &HeaderValue, tag: &HeaderValue) -> bool {
    let strong = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    let (Ok(value), Ok(tag)) = (value.to_str(), tag.to_str()) else {
        return false;
    };
    let tag = strong(tag);
    value.trim() == "*" || value.split(',').any(|given| strong(given.trim()) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directives(value: &str) -> Directives {
        let mut headers = HeaderMap::new();
        headers.insert(header::CACHE_CONTROL, value.parse().unwrap());
        Directives::of(&headers)
    }

    #[test]
    fn directives_accept_what_rfc_9111_says() {
        // Age, and how long it is fresh yet.
        let answer = |age: f64, ttl: f64| move |directives: Directives| directives.accept(age, ttl);
        let fresh = answer(40.0, 20.0);
        let stale = answer(70.0, -10.0);
        for (value, is_fresh_good, is_stale_good) in [
            ("", true, true),
            ("no-store", true, true),
            ("No-Cache", false, false),
            ("max-age=40", true, false),
            ("max-age=\"39\"", false, false),
            ("max-age=0", false, false),
            ("max-age=-1, max-age=x, max-age", true, true),
            ("max-age=99999999999999999999999", true, true),
            ("min-fresh=20", true, false),
            ("min-fresh=21", false, false),
            ("only-if-cached, max-age=100", true, true),
        ] {
            let directives = directives(value);
            assert_eq!(fresh(directives), is_fresh_good, "{value}");
            assert_eq!(stale(directives), is_stale_good, "{value}");
        }
        assert!(directives("a, only-if-cached").only_if_cached);
        assert_eq!(directives("max-stale").max_stale, Some(f64::INFINITY));
        assert_eq!(directives("max-stale=5").max_stale, Some(5.0));
        assert_eq!(directives("max-stale=x").max_stale, None);
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

    #[test]
    fn a_tag_is_found_in_a_list_weak_or_strong() {
        let tag = HeaderValue::from_static("W/\"abc\"");
        for (value, names) in [
            ("W/\"abc\"", true),
            ("\"abc\"", true),
            ("\"x\", W/\"abc\"", true),
            ("*", true),
            ("abc", false),
            ("\"ab\"", false),
            ("", false),
        ] {
            let value = HeaderValue::from_str(value).unwrap();
            assert_eq!(names_tag(&value, &tag), names, "{value:?}");
        }
    }
}
