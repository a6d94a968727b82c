//! Replies of the wrong shape: a named outcome, and never bad data as an answer.

use shared::provider::{ItemReading, Outcome};

use crate::recordings::{coinmarketcap, understand};

const BY_ID: &str = "quotes_latest?id=*";

/// A reply to v3 quotes with this data.
fn reply(data: &str) -> String {
    format!(r#"{{"data":{data},"status":{{"error_code":0,"credit_count":1}}}}"#)
}

fn kinds(batch_key: &str, items: &[&str], data: &str) -> (Outcome, Vec<&'static str>) {
    let reading = understand(&coinmarketcap(), batch_key, items, 200, &reply(data));
    let kinds = reading
        .items
        .iter()
        .map(|(_, item)| match item {
            ItemReading::Found(_) => "found",
            ItemReading::NotFound => "not found",
            ItemReading::Malformed { .. } => "malformed",
        })
        .collect();
    (reading.outcome, kinds)
}

#[test]
fn a_body_that_cannot_be_read_finds_nothing() {
    let whole = reply(r#"[{"id":1}]"#);
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    for body in [
        "",
        "<html></html>",
        "null",
        "7",
        "\"text\"",
        "[]",
        "[{\"id\":1}]",
        "{}",
        r#"{"data":7,"status":{}}"#,
        r#"{"data":"text","status":{}}"#,
        r#"{"status":{"error_code":0}}"#,
        r#"{"data":[{"id":1}],"data":[{"id":1}],"status":{}}"#,
        r#"{"data":[{"id":1}],"status":{"error_code":0,"error_code":0}}"#,
        &whole[..whole.len() - 1],
        &whole[..20],
        &format!("{whole}x"),
        &deep,
        &reply(&deep),
        &format!(r#"{{"data":[{{"id":1}}],"status":{deep}}}"#),
        &format!(r#"{{"data":[{{"id":1}}],"x":"{}"}}"#, "x".repeat(70_000)),
    ] {
        let reading = understand(&coinmarketcap(), BY_ID, &["1"], 200, body);
        let shown: String = body.chars().take(60).collect();
        assert!(
            matches!(reading.outcome, Outcome::Malformed | Outcome::Empty),
            "{shown}: {reading:?}"
        );
        let any_found = reading
            .items
            .iter()
            .any(|(_, item)| matches!(item, ItemReading::Found(_)));
        assert!(!any_found, "{shown}");
    }
}

#[test]
fn bytes_that_are_not_utf_8_find_nothing() {
    let mut body = reply(r#"[{"id":1,"name":"x"}]"#).into_bytes();
    let at = body.iter().position(|byte| *byte == b'x').unwrap();
    body[at] = 0xff;
    let reply = shared::provider::RawReply {
        status: 200,
        headers: &[],
        body: &body,
    };
    let key = shared::model::BatchKey(BY_ID.to_owned());
    let reading = coinmarketcap().understand(&key, &["1".to_owned()], &reply);
    assert_eq!(reading.outcome, Outcome::Malformed);
}

#[test]
fn one_bad_item_spoils_no_other() {
    let deep = "[".repeat(200) + &"]".repeat(200);
    for bad in [
        r#"{"id":1,"name":"\u0000"}"#,
        r#"{"id":1,"\u0000":1}"#,
        r#"{"id":1,"name":"\ud800"}"#,
        r#"{"id":1,"a":1,"a":2}"#,
        r#"{"id":1,"a":{"b":1,"b":1}}"#,
        r#"{"id":1,"a":1e999}"#,
        &format!(r#"{{"id":1,"a":{deep}}}"#),
        r#"{"id":1},{"id":1}"#,
        r#"{"id":1},{"id":"1"}"#,
    ] {
        assert_eq!(
            kinds(BY_ID, &["1", "2"], &format!(r#"[{bad},{{"id":2}}]"#)),
            (Outcome::Ok, vec!["malformed", "found"]),
            "{bad}"
        );
    }
}

#[test]
fn ids_match_by_text_and_numbers_stay_as_they_are() {
    let data = r#"[{"id":"1"},{"id":2,"supply":123456789012345678901234567890.10}]"#;
    let reading = understand(&coinmarketcap(), BY_ID, &["1", "2"], 200, &reply(data));
    let bodies: Vec<&str> = reading
        .items
        .iter()
        .map(|(_, item)| match item {
            ItemReading::Found(answer) => answer.body.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        bodies,
        [
            r#"{"id":"1"}"#,
            r#"{"id":2,"supply":123456789012345678901234567890.10}"#
        ]
    );
}

#[test]
fn an_element_that_says_not_which_item_it_is_makes_no_item_missing() {
    for element in [
        r#"{"name":"Bitcoin"}"#,
        r#"{"data":{"id":1}}"#,
        r#"{"id":1.0}"#,
        r#"{"id":null}"#,
        r#"{"id":[1]}"#,
        r#"{"id":1,"id":3}"#,
        "7",
        "null",
    ] {
        assert_eq!(
            kinds(BY_ID, &["1", "2"], &format!(r#"[{element},{{"id":2}}]"#)),
            (Outcome::Ok, vec!["malformed", "found"]),
            "{element}"
        );
    }
    // An extra element that says that it is another item is no reason for doubt.
    assert_eq!(
        kinds(BY_ID, &["1"], r#"[{"id":3}]"#),
        (Outcome::NotFound, vec!["not found"])
    );
}

#[test]
fn a_level_too_many_or_too_few_is_malformed() {
    for data in [
        r#"{"1":{"id":1}}"#,
        r#"[[{"id":1}]]"#,
        r#"{"data":[{"id":1}]}"#,
    ] {
        assert_eq!(kinds(BY_ID, &["1"], data).0, Outcome::Malformed, "{data}");
    }
    let by_id = "quotes_latest_v2?id=*";
    let by_symbol = "quotes_latest_v2?symbol=*";
    for (batch_key, item, data) in [
        (by_id, "1", r#"[{"id":1}]"#),
        (by_id, "1", r#"{"1":[{"id":1}]}"#),
        (by_id, "1", r#"{"data":{"1":{"id":1}}}"#),
        (by_id, "1", r#"{"1":{"id":2}}"#),
        (by_id, "1", r#"{"1":{"id":1},"1":{"id":1}}"#),
        (by_symbol, "BTC", r#"{"BTC":{"symbol":"BTC"}}"#),
        (by_symbol, "BTC", r#"{"BTC":[{"symbol":"ETH"}]}"#),
        (by_symbol, "BTC", r#"{"BTC":[[{"symbol":"BTC"}]]}"#),
        (by_symbol, "BTC", r#"{"BTC":[{"symbol":"BTC"}],"btc":[]}"#),
    ] {
        let (outcome, kinds) = kinds(batch_key, &[item], data);
        assert_eq!(outcome, Outcome::Malformed, "{data}");
        assert!(kinds.iter().all(|kind| *kind == "malformed"), "{data}");
    }
}

#[test]
fn a_large_reply_is_taken_apart() {
    let coins: Vec<String> = (1..=5_000)
        .map(|id| {
            format!(
                r#"{{"id":{id},"symbol":"S{id}","tags":"{}"}}"#,
                "x".repeat(400)
            )
        })
        .collect();
    let items: Vec<String> = (1..=250).map(|id| (id * 20).to_string()).collect();
    let items: Vec<&str> = items.iter().map(String::as_str).collect();
    let (outcome, kinds) = kinds(BY_ID, &items, &format!("[{}]", coins.join(",")));
    assert_eq!(outcome, Outcome::Ok);
    assert!(kinds.iter().all(|kind| *kind == "found"));
}
