//! What headers say is left is read in every dialect, and never believed blindly.

use std::time::Duration;

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use shared::provider::{Provider, RateLimitReading, RawReply};

use crate::recordings::{cases, provider};

const DATE: &str = "Mon, 23 Nov 2026 16:00:00 GMT";

fn engine(sections: &str) -> Provider {
    let head = "base_url = \"https://api.example.com\"\n\
        [limits.minute]\nunit = \"requests\"\ncap = 60\nwindow = { rolling = \"60s\" }\n";
    provider("x", &format!("{head}{sections}"))
}

fn in_format(format: &str) -> Provider {
    engine(&format!(
        "[[rate_limits]]\nlimit = \"minute\"\ncap = \"X-Limit\"\nremaining = \"X-Left\"\n\
         reset = \"X-Reset\"\nformat = \"{format}\""
    ))
}

fn headers(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn read(provider: &Provider, pairs: &[(&str, &str)]) -> Vec<RateLimitReading> {
    let headers = headers(pairs);
    let reply = RawReply {
        status: 200,
        headers: &headers,
        body: b"{}",
    };
    provider.rate_limits(&reply, None)
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[test]
fn every_dialect_says_when_a_window_ends() {
    let at = Some(time("2026-11-23T16:00:30Z"));
    let half_a_minute = Some(Duration::from_secs(30));
    for (format, value, resets_at) in [
        ("epoch_s", "1795449630", at),
        ("epoch_ms", "1795449630000", at),
        ("rfc3339", "2026-11-23T17:00:30+01:00", at),
        ("http_date", "Mon, 23 Nov 2026 16:00:30 GMT", at),
        ("delta_s", "30", None),
        ("delta_s", "29.2", None),
        ("go_duration", "30s", None),
        ("go_duration", "0m30s", None),
    ] {
        let reading = RateLimitReading {
            limit: Some("minute".to_owned()),
            cap: Some(60),
            remaining: Some(7),
            resets_in: half_a_minute,
            resets_at,
        };
        let provider = in_format(format);
        let said = [
            ("date", DATE),
            ("x-limit", "60"),
            ("x-left", " 7 "),
            ("x-reset", value),
        ];
        assert_eq!(read(&provider, &said), [reading], "{format} {value}");
    }
}

#[test]
fn an_instant_without_a_date_is_left_to_the_caller() {
    let provider = in_format("epoch_s");
    let reading = &read(&provider, &[("x-reset", "1795449630")])[0];
    assert_eq!(reading.resets_in, None);
    assert_eq!(reading.resets_at, Some(time("2026-11-23T16:00:30Z")));

    let headers = headers(&[("x-reset", "1795449630")]);
    let reply = RawReply {
        status: 429,
        headers: &headers,
        body: b"",
    };
    let date = Some(time("2026-11-23T16:00:20Z"));
    let reading = &provider.rate_limits(&reply, date)[0];
    assert_eq!(reading.resets_in, Some(Duration::from_secs(10)));
}

#[test]
fn a_window_that_has_just_ended_ends_now() {
    let said = [("date", DATE), ("x-reset", "1795449599")];
    let reading = &read(&in_format("epoch_s"), &said)[0];
    assert_eq!(reading.resets_in, Some(Duration::ZERO));
}

#[test]
fn structured_headers_speak_of_several_policies() {
    let section = |policy: &str| {
        engine(&format!(
            "[[rate_limits]]\ncap = \"RateLimit-Policy\"\nreset = \"RateLimit\"\n\
             format = \"structured\"\n{policy}"
        ))
    };
    let said = [
        (
            "RateLimit-Policy",
            "\"burst\";q=100;w=60, \"daily\";q=1000;w=86400",
        ),
        ("RateLimit", "\"burst\";r=50;t=30"),
        ("RateLimit", "\"daily\";r=900;t=3600;pk=:YWJj:"),
    ];
    let figures = |readings: Vec<RateLimitReading>| {
        let [reading] = readings.as_slice() else {
            panic!("{readings:?}");
        };
        let secs = reading.resets_in.map(|it| it.as_secs());
        (reading.cap, reading.remaining, secs)
    };
    let first = figures(read(&section(""), &said));
    assert_eq!(first, (Some(100), Some(50), Some(30)));
    let daily = figures(read(&section("policy = \"daily\""), &said));
    assert_eq!(daily, (Some(1_000), Some(900), Some(3_600)));
    assert_eq!(read(&section("policy = \"weekly\""), &said), []);
    for broken in ["default;r=5", "\"a\";r=1, \"b", "50", "\"a\";r=-1;t=0.5"] {
        let readings = read(&section(""), &[("RateLimit", broken)]);
        let expected = usize::from(broken == "default;r=5");
        assert_eq!(readings.len(), expected, "{broken}");
    }
}

#[test]
fn headers_that_cannot_be_true_say_nothing() {
    for (format, reset) in [
        ("epoch_s", "30"),
        ("epoch_s", "1795449630000"),
        ("epoch_s", "99999999999999999999"),
        ("epoch_ms", "1795449630"),
        ("delta_s", "1795449630"),
        ("delta_s", "-1"),
        ("delta_s", ""),
        ("rfc3339", "1795449630"),
        ("http_date", "30"),
        ("go_duration", "30"),
        ("go_duration", "9000h"),
    ] {
        for left in ["", "many", "-1", "1.5", "1000000000000001", "60, 60"] {
            let said = [("date", DATE), ("x-left", left), ("x-reset", reset)];
            assert_eq!(read(&in_format(format), &said), [], "{left} {reset}");
        }
    }
    assert_eq!(read(&in_format("delta_s"), &[]), []);
    let torn = [("x-limit", "60"), ("x-left", "61"), ("x-reset", "5")];
    let reading = &read(&in_format("delta_s"), &torn)[0];
    assert_eq!((reading.cap, reading.remaining), (None, None));
    assert_eq!(reading.resets_in, Some(Duration::from_secs(5)));
}

#[test]
fn a_reply_out_of_a_cache_on_the_way_says_nothing() {
    let with_age = |age| [("age", age), ("x-left", "7")];
    assert_eq!(read(&in_format("delta_s"), &with_age("12")), []);
    assert_eq!(read(&in_format("delta_s"), &with_age("0")).len(), 1);
}

fn any_value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{1,25}",
        "[-+.0-9]{0,12}[hmsun\u{b5}]{0,3}[0-9.]{0,5}s?",
        "\"[a-z]{0,4}\"?(;[a-z]=[-0-9.?:\"a]{0,20}){0,3},?",
        "[0-9]{1,6}-[0-9]{2}-[0-9]{2}T[0-9:.]{0,12}[Z+0-9:-]{0,6}",
        "(Mon, )?[0-9]{2} Nov [0-9]{2,6} [0-9:]{8} (GMT|[+-][0-9]{4})",
        prop::collection::vec(any::<u8>(), 0..40)
            .prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        // Header bytes beyond ASCII, as a client that reads them as Latin-1 gives them.
        prop::collection::vec(any::<u8>(), 0..40)
            .prop_map(|bytes| bytes.into_iter().map(char::from).collect()),
    ]
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn no_header_makes_it_panic_or_say_what_cannot_be(
        format in prop::sample::select(vec![
            "epoch_s", "epoch_ms", "delta_s", "rfc3339", "http_date", "go_duration", "structured",
        ]),
        (cap, left, reset, date, age) in
            (any_value(), any_value(), any_value(), any_value(), "[0-9a]{0,2}"),
    ) {
        let remaining = if format == "structured" { "" } else { "remaining = \"x-left\"\n" };
        let provider = engine(&format!(
            "[[rate_limits]]\ncap = \"x-limit\"\n{remaining}reset = \"x-reset\"\nformat = \"{format}\""
        ));
        let said = [
            ("x-limit", &*cap), ("x-left", &left), ("x-reset", &reset), ("date", &date), ("age", &age),
        ];
        for reading in read(&provider, &said) {
            let most = 1_000_000_000_000_000;
            prop_assert!(reading.cap.is_none_or(|cap| cap <= most));
            prop_assert!(reading.remaining.is_none_or(|left| left <= reading.cap.unwrap_or(most)));
            let longest = Duration::from_secs(366 * 86_400);
            prop_assert!(reading.resets_in.is_none_or(|after| after <= longest));
            prop_assert!(reading.cap.is_some() || reading.remaining.is_some()
                || reading.resets_in.is_some() || reading.resets_at.is_some());
        }
    }
}
