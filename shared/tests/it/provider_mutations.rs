//! Whatever comes instead of a recorded reply, the engine names it and finds
//! nothing in it that is not there.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::Value;
use shared::model::BatchKey;
use shared::provider::{ItemReading, Outcome, Provider, RawReply, Reading};

use crate::recordings::*;

static ENGINE: LazyLock<Provider> = LazyLock::new(coinmarketcap);

/// Recordings with questions that they may be taken for an answer to.
fn recording() -> impl Strategy<Value = (&'static str, Vec<&'static str>, String)> {
    prop::sample::select(vec![
        ("quotes_latest?id=*", vec!["1", "4705", "825"], V3_QUOTES),
        ("quotes_latest?symbol=*", vec!["BTC", "PAXG"], V3_QUOTES),
        ("quotes_latest?slug=*", vec!["bitcoin"], V3_QUOTES),
        ("quotes_latest_v2?id=*", vec!["1", "2"], V2_QUOTES_BY_ID),
        ("quotes_latest_v2?slug=*", vec!["bitcoin"], V2_QUOTES_BY_ID),
        (
            "quotes_latest_v2?symbol=*",
            vec!["BTC"],
            V2_QUOTES_BY_SYMBOL,
        ),
        (
            "quotes_latest_v1?symbol=*",
            vec!["BTC"],
            V2_QUOTES_BY_SYMBOL,
        ),
        ("simple_price?id=*", vec!["1", "4705"], V2_SIMPLE_PRICE),
        ("map", vec![], V1_MAP),
        ("listings_latest_v1", vec![], V1_LISTINGS),
        ("quotes_latest?id=*", vec!["1"], ERROR_403),
        ("quotes_latest?id=*", vec!["1"], ERROR_500),
    ])
    .prop_map(|(batch_key, items, text)| (batch_key, items, recorded(text).1.to_string()))
}

/// Pieces of JSON that have surprised parsers before.
fn piece() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "null",
        "{}",
        "[]",
        "0",
        "-1",
        "1",
        "1e999",
        "\"1\"",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "18446744073709551616",
        "1.0",
        "true",
        "\"id\":1,",
        "\"data\":",
        "\"error_code\":1008",
        "[{\"id\":1}]",
        "{\"1\":{\"id\":1}}",
        ",",
        "\"",
        "{",
        "}",
        "[",
        "]",
        "\u{0}",
        "é",
    ])
    .prop_map(str::to_owned)
}

/// The text with a stretch of it replaced; the ends may fall anywhere.
fn mutated(text: &str, edits: &[(prop::sample::Index, usize, String)]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for (at, length, new) in edits {
        let start = at.index(bytes.len() + 1);
        let end = (start + length).min(bytes.len());
        bytes.splice(start..end, new.bytes());
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

/// Replaces the value at a place somewhere in the tree; the text stays JSON.
fn replaced(value: &mut Value, at: &mut usize, new: &Value) {
    if *at == 0 {
        *value = new.clone();
    }
    *at = at.wrapping_sub(1);
    match value {
        Value::Array(list) => list.iter_mut().for_each(|value| replaced(value, at, new)),
        Value::Object(map) => map.values_mut().for_each(|value| replaced(value, at, new)),
        _ => {}
    }
}

fn read(batch_key: &str, items: &[&str], status: u16, body: &[u8]) -> Reading {
    let items: Vec<String> = items.iter().map(|item| (*item).to_owned()).collect();
    let reply = RawReply {
        status,
        headers: &[],
        body,
    };
    ENGINE.understand(&BatchKey(batch_key.to_owned()), &items, &reply)
}

/// What must hold of every reading, whatever came.
fn check(
    batch_key: &str,
    items: &[&str],
    body: &[u8],
    reading: &Reading,
) -> Result<(), TestCaseError> {
    let found = reading
        .items
        .iter()
        .filter_map(|(item, reading)| match reading {
            ItemReading::Found(answer) => Some((item, answer)),
            _ => None,
        });
    for (item, answer) in found {
        prop_assert_eq!(reading.outcome, Outcome::Ok);
        prop_assert!(item.is_empty() || items.contains(&item.as_str()));
        let text = std::str::from_utf8(body).unwrap();
        let value: Value = serde_json::from_str(&answer.body).unwrap();
        prop_assert!(!answer.body.contains("\\u0000"));
        // Lists of one symbol are collected; anything else is a piece of the body.
        let elements = match &value {
            Value::Array(_) if batch_key == "quotes_latest?symbol=*" => {
                let raw: Vec<&serde_json::value::RawValue> =
                    serde_json::from_str(&answer.body).unwrap();
                raw.into_iter().map(|raw| raw.get().to_owned()).collect()
            }
            _ => vec![answer.body.clone()],
        };
        for element in elements {
            prop_assert!(text.contains(&element));
            let element: Value = serde_json::from_str(&element).unwrap();
            for (name, pointer) in [("id=*", "/id"), ("slug=*", "/slug")] {
                if batch_key.ends_with(name) {
                    let own = element.pointer(pointer).unwrap();
                    let own = own.as_str().map_or_else(|| own.to_string(), str::to_owned);
                    prop_assert_eq!(&own, item);
                }
            }
        }
        let envelope = answer.envelope.as_ref().unwrap();
        prop_assert!(serde_json::from_str::<Value>(envelope).is_ok());
    }
    if reading.outcome == Outcome::Ok && !items.is_empty() {
        let read: Vec<&str> = reading
            .items
            .iter()
            .map(|(item, _)| item.as_str())
            .collect();
        prop_assert_eq!(read, items);
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn broken_text_never_panics_and_never_finds_what_is_not_there(
        (batch_key, items, text) in recording(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0usize..40, piece()), 0..4),
        status in prop::sample::select(vec![200u16, 200, 200, 400, 404, 429, 500]),
    ) {
        let body = mutated(&text, &edits);
        let reading = read(batch_key, &items, status, &body);
        check(batch_key, &items, &body, &reading)?;
    }

    #[test]
    fn another_tree_never_panics_and_never_finds_what_is_not_there(
        (batch_key, items, text) in recording(),
        at in 0usize..200,
        new in piece().prop_filter_map("is JSON", |piece| serde_json::from_str::<Value>(&piece).ok()),
    ) {
        let mut value: Value = serde_json::from_str(&text).unwrap();
        replaced(&mut value, &mut at.clone(), &new);
        let body = value.to_string();
        let reading = read(batch_key, &items, 200, body.as_bytes());
        check(batch_key, &items, body.as_bytes(), &reading)?;
    }

    #[test]
    fn any_bytes_are_some_outcome(status in any::<u16>(), body in prop::collection::vec(any::<u8>(), 0..200)) {
        let reading = read("quotes_latest?id=*", &["1"], status, &body);
        check("quotes_latest?id=*", &["1"], &body, &reading)?;
    }
}
