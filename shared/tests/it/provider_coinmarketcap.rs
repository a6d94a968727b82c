//! The preset for CoinMarketCap says what CoinMarketCap documents.

use chrono::DateTime;
use shared::config::provider::{CalendarUnit, LimitUnit};
use shared::model::BatchKey;
use shared::provider::{CostError, Endpoint, RawReply, UsageError, Window};

use crate::recordings::{ERROR_403, V1_KEY_INFO, coinmarketcap, recorded};

#[test]
fn every_get_operation_of_the_free_plan_is_there() {
    let provider = coinmarketcap();
    let paths: Vec<&str> = provider.endpoints().map(Endpoint::path).collect();
    let table = include_str!("../fixtures/coinmarketcap/endpoints.tsv");
    let mut missing = Vec::new();
    for line in table.lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let (method, path, plans) = (cells[0], cells[1], cells[5]);
        // Plans that lack an operation are struck through; the operations on
        // decentralised exchanges say nothing of plans.
        let is_free = plans.is_empty() || plans.contains("- Basic") || plans.contains("- Free");
        if method == "GET" && is_free && !paths.contains(&path) {
            missing.push(path);
        }
    }
    assert_eq!(missing, ["/v1/tools/postman"], "it gives no data");
}

#[test]
fn limits_are_those_of_the_free_plan_with_headroom() {
    let provider = coinmarketcap();
    let shown: Vec<(&str, LimitUnit, u32)> = provider
        .limits()
        .iter()
        .map(|limit| (limit.name.as_str(), limit.unit, limit.cap))
        .collect();
    assert_eq!(
        shown,
        [
            ("in_flight", LimitUnit::Requests, 4),
            ("minute", LimitUnit::Requests, 45),
            ("month", LimitUnit::Credits, 15_000),
        ]
    );
    assert!(matches!(
        provider.limits()[2].window,
        Window::Calendar {
            unit: CalendarUnit::Month,
            zone: chrono_tz::UTC,
            day: 1,
            ..
        }
    ));
}

#[test]
fn costs_are_bounded_as_the_documentation_says() {
    let provider = coinmarketcap();
    for (batch_key, items, credits) in [
        ("map", 0, 0),
        ("key_info", 0, 0),
        ("quotes_latest?id=*", 1, 1),
        ("quotes_latest?id=*", 250, 1),
        ("quotes_latest?convert=EUR&id=*", 250, 1),
        ("quotes_latest?convert=BTC,EUR,USD&id=*", 250, 3),
        ("quotes_latest?convert_id=1,2781&symbol=*", 1, 2),
        ("quotes_latest_v2?id=*", 100, 1),
        ("listings_latest", 0, 1),
        ("listings_latest?limit=250", 0, 1),
        ("listings_latest?limit=251", 0, 2),
        ("listings_latest?convert=BTC,USD&limit=5000", 0, 21),
        ("global_metrics_latest", 0, 1),
        ("global_metrics_latest?convert=BTC,EUR", 0, 2),
        ("categories", 0, 26),
        ("categories?limit=200", 0, 2),
        ("quotes_historical?count=101&id=1", 0, 2),
        ("dex_token?address=a&platform=b", 0, 1),
    ] {
        assert_eq!(
            provider.worst_case(&BatchKey(batch_key.to_owned()), items),
            Ok(credits),
            "{batch_key} with {items}"
        );
    }
}

#[test]
fn a_call_without_items_or_with_too_many_has_no_cost() {
    let provider = coinmarketcap();
    let key = BatchKey("quotes_latest?id=*".to_owned());
    assert!(matches!(
        provider.worst_case(&key, 0),
        Err(CostError::NoItems { .. })
    ));
    assert!(matches!(
        provider.worst_case(&key, 251),
        Err(CostError::TooManyItems { max: 250, .. })
    ));
    for bad in [
        "nothing",
        "quotes_latest",
        "quotes_latest?id=1",
        "quotes_latest?x=1&id=*",
        "listings_latest?tag=*",
    ] {
        assert!(
            matches!(
                provider.worst_case(&BatchKey(bad.to_owned()), 1),
                Err(CostError::BadBatchKey(_))
            ),
            "{bad}"
        );
    }
}

#[test]
fn what_rides_along_costs_nothing_extra() {
    let provider = coinmarketcap();
    for (batch_key, items, ride) in [
        ("quotes_latest?id=*", 1, 250),
        ("quotes_latest?id=*", 250, 250),
        ("quotes_latest_v2?id=*", 7, 100),
        ("listings_latest", 1, 1),
        ("unknown", 3, 1),
    ] {
        let key = BatchKey(batch_key.to_owned());
        assert_eq!(
            provider.items_for_same_cost(&key, items),
            ride,
            "{batch_key}"
        );
        if let (Ok(alone), Ok(full)) = (
            provider.worst_case(&key, items),
            provider.worst_case(&key, ride),
        ) {
            assert_eq!(alone, full, "{batch_key}");
        }
    }
}

#[test]
fn key_info_reports_what_is_left() {
    let provider = coinmarketcap();
    let (status, body) = recorded(V1_KEY_INFO);
    let body = body.to_string();
    let reply = RawReply {
        status,
        headers: &[],
        body: body.as_bytes(),
    };
    let call = provider.usage_call().unwrap();
    assert_eq!(provider.call(&call, &[]).unwrap().path, "/v1/key/info");
    let usage = provider.usage(&reply).unwrap();
    assert_eq!(usage[0].limit, "month");
    assert_eq!(usage[0].used, Some(15));
    assert_eq!(usage[0].left, Some(14_985));
    assert_eq!(usage[0].cap, Some(15_000));
    assert_eq!(
        usage[0].resets_at,
        Some(
            "2026-10-01T00:00:00Z"
                .parse::<DateTime<chrono::Utc>>()
                .unwrap()
        )
    );
    assert_eq!(usage[1].limit, "minute");
    assert_eq!(usage[1].cap, Some(50));
}

#[test]
fn an_error_is_no_usage_report() {
    let provider = coinmarketcap();
    let (status, body) = recorded(ERROR_403);
    let body = body.to_string();
    let reply = RawReply {
        status,
        headers: &[],
        body: body.as_bytes(),
    };
    assert!(matches!(
        provider.usage(&reply),
        Err(UsageError::NoReport(_))
    ));
    let reply = RawReply {
        status: 200,
        headers: &[],
        body: br#"{"data":{"plan":{}},"status":{}}"#,
    };
    assert_eq!(provider.usage(&reply), Err(UsageError::NoFigures));
}

#[test]
fn the_report_that_is_made_here_is_read_like_the_providers_own() {
    let provider = coinmarketcap();
    let (status, recorded) = recorded(V1_KEY_INFO);
    let text = recorded.to_string();
    let reply = |body: &[u8]| {
        let reply = RawReply {
            status,
            headers: &[],
            body,
        };
        provider.usage(&reply).unwrap()
    };
    let readings = reply(text.as_bytes());
    let now = "2026-09-24T16:08:09.981Z".parse().unwrap();
    let made = provider.usage_body(&readings, 15, now).unwrap();
    assert_eq!(reply(made.as_bytes()), readings);

    let mut expected = recorded;
    expected["status"]["elapsed"] = 0.into();
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    assert_eq!(made, expected);
}

#[test]
fn an_error_of_ours_stands_where_the_providers_own_errors_do() {
    let mut document = serde_json::json!({"status": 404, "detail": "it does not exist"});
    let now = "2026-09-24T16:08:09.981Z".parse().unwrap();
    coinmarketcap().put_error(&mut document, 404, "it does not exist", now);
    assert_eq!(
        document,
        serde_json::json!({
            "status": {
                "timestamp": "2026-09-24T16:08:09.981Z",
                "error_code": 404,
                "error_message": "it does not exist",
                "elapsed": 0,
                "credit_count": 0,
                "notice": null,
            },
            "detail": "it does not exist",
        })
    );
}
