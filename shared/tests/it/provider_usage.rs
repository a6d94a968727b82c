//! What a provider reports of its own count is read as far as it can be true.

use chrono::{DateTime, Utc};
use shared::config::provider::CalendarUnit;
use shared::provider::{Provider, RawReply, UsageError, UsageReading};

use crate::config::loaded;
use crate::recordings::{V1_KEY_INFO, coinmarketcap, provider, recorded};

fn usage(provider: &Provider, body: &str) -> Result<Vec<UsageReading>, UsageError> {
    usage_at(provider, body, &[])
}

fn usage_at(
    provider: &Provider,
    body: &str,
    headers: &[(String, String)],
) -> Result<Vec<UsageReading>, UsageError> {
    provider.usage(&RawReply {
        status: 200,
        headers,
        body: body.as_bytes(),
    })
}

/// The engine of a provider as a file configures it.
fn configured(name: &str, file: &str) -> Provider {
    let config = loaded(Some(file), &[]).unwrap().config;
    let (name, section) = config
        .providers
        .iter()
        .find(|(it, _)| it.as_str() == name)
        .unwrap();
    Provider::compile(name, &section.provider).unwrap()
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[test]
fn a_days_credits_are_read_for_those_who_have_a_limit_of_them() {
    let key_info = |reset: &str| {
        format!(
            r#"{{"data":{{"plan":{{"credit_limit_daily":500,"credit_limit_daily_reset":"In 3 hours","credit_limit_daily_reset_timestamp":{reset},"credit_limit_monthly":15000,"credit_limit_monthly_reset_timestamp":{reset},"rate_limit_minute":30}},"usage":{{"current_minute":{{"requests_made":1,"requests_left":29}},"current_day":{{"credits_used":20,"credits_left":480}},"current_month":{{"credits_used":1500,"credits_left":13500}}}}}},"status":{{"error_code":0}}}}"#
        )
    };
    let with_day = configured(
        "coinmarketcap",
        "[providers.coinmarketcap.limits.day]\nunit = \"credits\"\ncap = 400\n\
         window = { calendar = \"day\" }",
    );
    for reset in [
        "\"2026-11-24T00:00:00.000Z\"",
        "1795478400",
        "1795478400000",
    ] {
        let readings = usage(&with_day, &key_info(reset)).unwrap();
        let day = readings.iter().find(|it| it.limit == "day").unwrap();
        assert_eq!(
            *day,
            UsageReading {
                limit: "day".to_owned(),
                window: None,
                used: Some(20),
                left: Some(480),
                cap: Some(500),
                resets_at: Some(time("2026-11-24T00:00:00Z")),
            },
            "{reset}"
        );
        assert_eq!(readings.len(), 3);
    }
    let readings = usage(&coinmarketcap(), &key_info("1795478400")).unwrap();
    assert!(readings.iter().all(|it| it.limit != "day"));
    // The recorded document of a plan without a day's limit is good for both.
    let (_, body) = recorded(V1_KEY_INFO);
    let readings = usage(&with_day, &body.to_string()).unwrap();
    let used = |name: &str| readings.iter().find(|it| it.limit == name).unwrap().used;
    assert_eq!((used("month"), used("day")), (Some(15), Some(15)));
}

#[test]
fn coinmarketcaps_minutes_are_those_of_the_calendar() {
    let (_, body) = recorded(V1_KEY_INFO);
    let readings = usage(&coinmarketcap(), &body.to_string()).unwrap();
    let windows: Vec<_> = readings
        .iter()
        .map(|it| (it.limit.as_str(), it.window, it.used))
        .collect();
    assert_eq!(
        windows,
        [
            ("month", None, Some(15)),
            ("minute", Some(CalendarUnit::Minute), Some(1))
        ]
    );
}

#[test]
fn coingeckos_report_is_read_as_its_preset_says_at_the_end() {
    let preset = shared::config::provider::preset("coingecko").unwrap();
    let example: Vec<&str> = preset
        .lines()
        .filter_map(|line| line.strip_prefix("#   "))
        .collect();
    let provider = configured("coingecko", &example.join("\n"));
    assert_eq!(provider.host(), "pro-api.coingecko.com:443");
    assert_eq!(provider.usage_endpoint().unwrap().as_str(), "key");
    let key = r#"{"plan":"Analyst","rate_limit_request_per_minute":500,"monthly_call_credit":500000,"current_total_monthly_calls":104,"current_remaining_monthly_calls":499896}"#;
    let readings = usage(&provider, key).unwrap();
    let figures: Vec<_> = readings
        .iter()
        .map(|it| (it.limit.as_str(), it.used, it.left, it.cap))
        .collect();
    assert_eq!(
        figures,
        [
            ("month", Some(104), Some(499_896), Some(500_000)),
            ("minute", None, None, Some(500)),
        ]
    );
}

fn shop() -> Provider {
    provider(
        "x",
        "base_url = \"https://api.example.com\"\n\
         [limits.month]\nunit = \"credits\"\ncap = 100\nwindow = { discovered = true }\n\
         [endpoints.account]\npath = \"/account\"\nlocal = true\n\
         [usage]\nendpoint = \"account\"\n\
         limits = [{ limit = \"month\", used = \"/used\", left = \"/left\", cap = \"/cap\", resets = \"/resets\" }]",
    )
}

#[test]
fn what_is_used_follows_from_what_is_left() {
    let used = |body: &str| usage(&shop(), body).unwrap()[0].used;
    assert_eq!(used(r#"{"left":30,"cap":100}"#), Some(70));
    assert_eq!(used(r#"{"used":1,"left":30,"cap":100}"#), Some(1));
    assert_eq!(used(r#"{"used":-1,"left":30,"cap":100}"#), Some(70));
    assert_eq!(used(r#"{"left":30}"#), None);
    assert_eq!(used(r#"{"left":130,"cap":100}"#), None);
}

#[test]
fn figures_that_cannot_be_true_are_dropped_one_by_one() {
    for lie in [
        "-1",
        "1.5",
        "1e3",
        "\"many\"",
        "\"\"",
        "null",
        "[1]",
        "true",
        "1000000000000001",
        "99999999999999999999999",
        "\"+5\"",
    ] {
        let body = format!(r#"{{"used":{lie},"left":5,"resets":{lie}}}"#);
        let reading = &usage(&shop(), &body).unwrap()[0];
        assert_eq!((reading.used, reading.left), (None, Some(5)), "{lie}");
        let alone = format!(r#"{{"used":{lie}}}"#);
        assert_eq!(usage(&shop(), &alone), Err(UsageError::NoFigures), "{lie}");
    }
    let quoted = &usage(&shop(), r#"{"used":"12"}"#).unwrap()[0];
    assert_eq!(quoted.used, Some(12));
}

#[test]
fn resets_that_no_window_has_are_dropped() {
    let headers = [(
        "Date".to_owned(),
        "Mon, 23 Nov 2026 16:00:00 GMT".to_owned(),
    )];
    for (resets, kept) in [
        ("\"2026-12-01T00:00:00Z\"", true),
        ("\"2026-11-23T15:59:59Z\"", true),
        ("0", false),
        ("-9223372036854775808", false),
        ("\"1970-01-01T00:00:00Z\"", false),
        ("\"2026-11-20T00:00:00Z\"", false),
        ("\"2096-12-01T00:00:00Z\"", false),
        ("\"tomorrow\"", false),
    ] {
        let body = format!(r#"{{"used":1,"resets":{resets}}}"#);
        let reading = &usage_at(&shop(), &body, &headers).unwrap()[0];
        assert_eq!(reading.resets_at.is_some(), kept, "{resets}");
        assert_eq!(reading.used, Some(1), "{resets}");
    }
}
