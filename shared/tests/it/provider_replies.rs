//! Recorded and made-up replies, each with the reading that it must have.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use shared::model::BatchKey;
use shared::provider::{
    Answer, Charge, CloseFor, ItemReading, Outcome, RawReply, Reading, Retry, RetryAfter,
};

use crate::recordings::*;

const BY_ID: &str = "quotes_latest?id=*";

fn found<'a>(reading: &'a Reading, item: &str) -> &'a Answer {
    let (_, of_item) = reading.items.iter().find(|(name, _)| name == item).unwrap();
    match of_item {
        ItemReading::Found(answer) => answer,
        other => panic!("{item} is {other:?}"),
    }
}

fn time(text: &str) -> Option<DateTime<Utc>> {
    Some(text.parse().unwrap())
}

#[test]
fn a_list_of_quotes_becomes_one_answer_for_each_id() {
    let reading = understand_recorded(&coinmarketcap(), BY_ID, &["4705", "1", "825"], V3_QUOTES);
    assert_eq!(reading.outcome, Outcome::Ok);
    assert_eq!(reading.charged, Charge::Reported(1));
    let bitcoin = found(&reading, "1");
    assert_eq!(bitcoin.provider_time, time("2026-09-24T16:02:00Z"));
    let (_, whole) = recorded(V3_QUOTES);
    assert_eq!(
        bitcoin.body,
        whole["data"][0].to_string(),
        "not a byte changed"
    );
    assert_eq!(found(&reading, "4705").body, whole["data"][1].to_string());
    let envelope: Value = serde_json::from_str(bitcoin.envelope.as_ref().unwrap()).unwrap();
    assert_eq!(envelope["data"], Value::Null);
    assert_eq!(envelope["status"], whole["status"]);
    let order: Vec<&str> = reading
        .items
        .iter()
        .map(|(item, _)| item.as_str())
        .collect();
    assert_eq!(order, ["4705", "1", "825"]);
    assert_eq!(reading.items[2].1, ItemReading::NotFound);
}

#[test]
fn quotes_of_the_second_version_are_maps() {
    let provider = coinmarketcap();
    let by_id = understand_recorded(
        &provider,
        "quotes_latest_v2?id=*",
        &["1", "2"],
        V2_QUOTES_BY_ID,
    );
    let (_, whole) = recorded(V2_QUOTES_BY_ID);
    assert_eq!(found(&by_id, "1").body, whole["data"]["1"].to_string());
    assert_eq!(by_id.items[1].1, ItemReading::NotFound);

    let by_slug = understand_recorded(
        &provider,
        "quotes_latest_v2?slug=*",
        &["bitcoin"],
        V2_QUOTES_BY_ID,
    );
    assert_eq!(
        found(&by_slug, "bitcoin").body,
        whole["data"]["1"].to_string()
    );

    let (_, whole) = recorded(V2_QUOTES_BY_SYMBOL);
    let by_symbol = understand_recorded(
        &provider,
        "quotes_latest_v2?symbol=*",
        &["BTC", "ETH"],
        V2_QUOTES_BY_SYMBOL,
    );
    assert_eq!(
        found(&by_symbol, "BTC").body,
        whole["data"]["BTC"].to_string()
    );
    assert_eq!(by_symbol.items[1].1, ItemReading::NotFound);
}

#[test]
fn a_symbol_is_answered_by_every_coin_that_has_it() {
    let body = json!({
        "data": [
            {"id": 1, "symbol": "BTC", "last_updated": "2026-09-24T16:02:00Z"},
            {"id": 2, "symbol": "ETH"},
            {"id": 3, "symbol": "btc", "last_updated": "2026-09-24T16:03:00Z"},
        ],
        "status": {"error_code": "0", "credit_count": 1},
    });
    let reading = understand(
        &coinmarketcap(),
        "quotes_latest?symbol=*",
        &["BTC"],
        200,
        &body.to_string(),
    );
    let answer = found(&reading, "BTC");
    let coins: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(coins, json!([body["data"][0], body["data"][2]]));
    assert_eq!(answer.provider_time, time("2026-09-24T16:03:00Z"));
}

#[test]
fn replies_that_answer_one_question_are_kept_whole() {
    let provider = coinmarketcap();
    for (batch_key, text, cost) in [
        ("map?symbol=BTC,PAXG", V1_MAP, 0),
        ("listings_latest_v1", V1_LISTINGS, 1),
        ("price_conversion?amount=1&id=4705", V2_PRICE_CONVERSION, 1),
    ] {
        let reading = understand_recorded(&provider, batch_key, &[], text);
        assert_eq!(reading.outcome, Outcome::Ok, "{batch_key} {reading:?}");
        assert_eq!(reading.charged, Charge::Reported(cost), "{batch_key}");
        let (_, whole) = recorded(text);
        assert_eq!(found(&reading, "").body, whole["data"].to_string());
        assert!(found(&reading, "").provider_time.is_some());
    }
    let reading = understand_recorded(
        &provider,
        "simple_price?id=*",
        &["1", "4705"],
        V2_SIMPLE_PRICE,
    );
    assert_eq!(
        found(&reading, "1").provider_time,
        time("2026-09-24T16:04:06.255Z")
    );
}

#[test]
fn recorded_errors_are_named() {
    let provider = coinmarketcap();
    for (text, outcome, retry, message) in [
        (
            ERROR_400,
            Outcome::BadRequest,
            Retry::Never,
            "Parameter error",
        ),
        (
            ERROR_403,
            Outcome::EndpointForbidden,
            Retry::Never,
            "Your API Key subscription plan doesn't support this endpoint.",
        ),
        (
            ERROR_500,
            Outcome::ProviderError,
            Retry::Later,
            "The system is busy, please try again later!",
        ),
    ] {
        let reading = understand_recorded(&provider, BY_ID, &["1"], text);
        assert_eq!(reading.outcome, outcome);
        assert_eq!(reading.retry, retry);
        assert_eq!(reading.message.as_deref(), Some(message));
        assert_eq!(reading.charged, Charge::Reported(0));
        assert_eq!((reading.close, reading.items.len()), (None, 0));
    }
}

#[test]
fn every_code_means_the_same_in_both_dialects_and_beside_a_200() {
    use CloseFor::{Day, Ip, Minute, Month, Operator};
    use Outcome::{BadRequest, EndpointForbidden, KeyDead, ProviderError, Throttled};
    let provider = coinmarketcap();
    for (code, status, outcome, close) in [
        (1001, 401, KeyDead, Some(Operator)),
        (1002, 401, KeyDead, Some(Operator)),
        (1003, 402, KeyDead, Some(Operator)),
        (1004, 402, KeyDead, Some(Operator)),
        (1005, 403, KeyDead, Some(Operator)),
        (1006, 403, EndpointForbidden, None),
        (1007, 403, KeyDead, Some(Operator)),
        (1008, 429, Throttled, Some(Minute)),
        (1009, 429, Throttled, Some(Day)),
        (1010, 429, Throttled, Some(Month)),
        (1011, 429, Throttled, Some(Ip)),
        (1022, 429, Throttled, Some(Ip)),
        (400, 400, BadRequest, None),
        (4001, 400, BadRequest, None),
        (4002, 400, BadRequest, None),
        (500, 500, ProviderError, None),
    ] {
        for code in [json!(code), json!(code.to_string())] {
            for status in [status, 200] {
                let body = json!({
                    "data": [{"id": 1}],
                    "status": {"error_code": code, "credit_count": 0},
                });
                let reading = understand(&provider, BY_ID, &["1"], status, &body.to_string());
                assert_eq!(reading.outcome, outcome, "{status} {code}");
                assert_eq!(reading.close, close, "{status} {code}");
                assert!(reading.items.is_empty(), "an error has no data");
            }
        }
    }
    let unknown = r#"{"data":[{"id":1}],"status":{"error_code":7777}}"#;
    let reading = understand(&provider, BY_ID, &["1"], 200, unknown);
    assert_eq!(reading.outcome, ProviderError);
    assert_eq!(reading.retry, Retry::Later);
}

#[test]
fn a_status_without_a_readable_body_still_means_something() {
    use Outcome as O;
    let html = "<html><body>Sorry</body></html>";
    for (status, outcome, close) in [
        (101, O::Unexpected, None),
        (200, O::Malformed, None),
        (206, O::Malformed, None),
        (301, O::Redirect, None),
        (304, O::NotModified, None),
        (307, O::Redirect, None),
        (400, O::BadRequest, None),
        (401, O::KeyDead, Some(CloseFor::Operator)),
        (402, O::KeyDead, Some(CloseFor::Operator)),
        (403, O::Throttled, Some(CloseFor::Ip)),
        (404, O::NotFound, None),
        (408, O::ProviderError, None),
        (414, O::BadRequest, None),
        (429, O::Throttled, Some(CloseFor::Minute)),
        (502, O::ProviderError, None),
        (504, O::ProviderError, None),
        (999, O::Unexpected, None),
    ] {
        let reading = understand(&coinmarketcap(), BY_ID, &["1"], status, html);
        assert_eq!(reading.outcome, outcome, "{status}");
        assert_eq!(reading.close, close, "{status}");
        assert_eq!(reading.message, None);
    }
    let several = understand(&coinmarketcap(), BY_ID, &["1", "2"], 404, html);
    assert_eq!(
        several.outcome,
        Outcome::BadRequest,
        "it says not which one"
    );
}

#[test]
fn a_success_without_data_is_empty_and_never_an_answer() {
    let provider = coinmarketcap();
    for data in ["null", "[]", "{}", "[ ]", " { } "] {
        let body = format!(r#"{{"data":{data},"status":{{"error_code":0,"credit_count":0}}}}"#);
        let reading = understand(&provider, BY_ID, &["1", "2"], 200, &body);
        assert_eq!(reading.outcome, Outcome::Empty, "{data}");
        assert_eq!(reading.retry, Retry::Never);
        assert!(
            reading
                .items
                .iter()
                .all(|(_, item)| *item == ItemReading::NotFound)
        );
        let reading = understand(&provider, "listings_latest", &[], 200, &body);
        assert_eq!(reading.outcome, Outcome::Empty, "{data}");
        assert_eq!(reading.retry, Retry::Later);
        assert!(reading.items.is_empty());
    }
    let reading = understand(&provider, "listings_latest", &[], 204, "");
    assert_eq!(reading.outcome, Outcome::Empty);
    let unknown = r#"{"data":{"XYZ":[]},"status":{"error_code":0,"credit_count":0}}"#;
    let reading = understand(
        &provider,
        "quotes_latest_v2?symbol=*",
        &["XYZ"],
        200,
        unknown,
    );
    assert_eq!(reading.outcome, Outcome::NotFound);
    assert_eq!(reading.items, [("XYZ".to_owned(), ItemReading::NotFound)]);
}

#[test]
fn retry_after_is_read_in_any_case() {
    let headers = [("RETRY-after".to_owned(), "17".to_owned())];
    let reply = RawReply {
        status: 429,
        headers: &headers,
        body: b"",
    };
    let reading =
        coinmarketcap().understand(&BatchKey(BY_ID.to_owned()), &["1".to_owned()], &reply);
    assert_eq!(reading.retry_after, Some(RetryAfter::Seconds(17)));
    assert_eq!(reading.close, Some(CloseFor::Minute));
}

#[test]
fn a_message_is_cut_and_cleaned() {
    let long = format!("a\u{0}\n{}", "é".repeat(400));
    let body = json!({"status": {"error_code": 400, "error_message": long}});
    let reading = understand(&coinmarketcap(), BY_ID, &["1"], 400, &body.to_string());
    let message = reading.message.unwrap();
    assert!(message.starts_with("a  é"), "{message}");
    assert_eq!(message.chars().count(), 300);
}

#[test]
fn a_question_that_the_configuration_lost_finds_nothing() {
    let (_, body) = recorded(V3_QUOTES);
    let reading = understand(
        &coinmarketcap(),
        "gone?id=*",
        &["1"],
        200,
        &body.to_string(),
    );
    assert_eq!(reading.outcome, Outcome::Malformed);
    assert!(reading.items.is_empty());
}

#[test]
fn a_time_far_ahead_of_its_reply_is_not_believed() {
    let body = json!({
        "data": [{"id": 1, "last_updated": "9999-01-01T00:00:00Z"}],
        "status": {"timestamp": "2026-09-24T16:04:03Z", "error_code": 0, "credit_count": 1},
    });
    let reading = understand(&coinmarketcap(), BY_ID, &["1"], 200, &body.to_string());
    assert_eq!(found(&reading, "1").provider_time, None);
}
