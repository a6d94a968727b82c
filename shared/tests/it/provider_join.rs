//! Answers put together are what the provider itself would have sent.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use shared::provider::{Answer, ItemReading, JoinError, Part, Provider};

use crate::recordings::*;

/// What the cache would hold after this reply: item and answer.
fn answers(
    provider: &Provider,
    batch_key: &str,
    items: &[&str],
    body: &str,
) -> Vec<(String, Answer)> {
    understand(provider, batch_key, items, 200, body)
        .items
        .into_iter()
        .filter_map(|(item, reading)| match reading {
            ItemReading::Found(answer) => Some((item, answer)),
            _ => None,
        })
        .collect()
}

fn parts(answers: &[(String, Answer)]) -> Vec<Part<'_>> {
    answers
        .iter()
        .map(|(item, answer)| Part {
            item: (!item.is_empty()).then_some(item.as_str()),
            body: &answer.body,
            envelope: answer.envelope.as_deref(),
            fetched_at: DateTime::<Utc>::UNIX_EPOCH,
        })
        .collect()
}

/// The recording as it comes from the cache: free of charge.
fn free_of_charge(text: &str) -> String {
    let (_, mut body) = recorded(text);
    body["status"]["credit_count"] = json!(0);
    body.to_string()
}

#[test]
fn what_was_taken_apart_is_put_together_byte_for_byte() {
    let provider = coinmarketcap();
    for (path, name, value, batch_key, items, text) in [
        (
            "/v3/cryptocurrency/quotes/latest",
            "id",
            "1,4705",
            "quotes_latest?id=*",
            vec!["1", "4705"],
            V3_QUOTES,
        ),
        (
            "/v3/cryptocurrency/quotes/latest",
            "symbol",
            "btc,PAXG",
            "quotes_latest?symbol=*",
            vec!["BTC", "PAXG"],
            V3_QUOTES,
        ),
        (
            "/v3/cryptocurrency/quotes/latest",
            "slug",
            "bitcoin,pax-gold",
            "quotes_latest?slug=*",
            vec!["bitcoin", "pax-gold"],
            V3_QUOTES,
        ),
        (
            "/v2/cryptocurrency/quotes/latest",
            "id",
            "1",
            "quotes_latest_v2?id=*",
            vec!["1"],
            V2_QUOTES_BY_ID,
        ),
        (
            "/v2/cryptocurrency/quotes/latest",
            "slug",
            "bitcoin",
            "quotes_latest_v2?slug=*",
            vec!["bitcoin"],
            V2_QUOTES_BY_ID,
        ),
        (
            "/v2/cryptocurrency/quotes/latest",
            "symbol",
            "BTC",
            "quotes_latest_v2?symbol=*",
            vec!["BTC"],
            V2_QUOTES_BY_SYMBOL,
        ),
        (
            "/v2/simple/price",
            "id",
            "1,4705",
            "simple_price?id=*",
            vec!["1", "4705"],
            V2_SIMPLE_PRICE,
        ),
        (
            "/v1/cryptocurrency/map",
            "symbol",
            "BTC,PAXG",
            "map?symbol=BTC,PAXG",
            vec![],
            V1_MAP,
        ),
        (
            "/v1/cryptocurrency/listings/latest",
            "limit",
            "3",
            "listings_latest_v1?limit=3",
            vec![],
            V1_LISTINGS,
        ),
    ] {
        let request = provider.read(path, &query(&[(name, value)])).unwrap();
        assert_eq!(request.batch_key.as_str(), batch_key);
        let (_, body) = recorded(text);
        let answers = answers(&provider, batch_key, &items, &body.to_string());
        let joined = provider.join(&request, &parts(&answers)).unwrap();
        assert_eq!(joined, free_of_charge(text), "{batch_key}");
    }
}

#[test]
fn items_come_in_the_order_asked_under_the_oldest_envelope() {
    let provider = coinmarketcap();
    let (_, mut body) = recorded(V3_QUOTES);
    let older = answers(
        &provider,
        "quotes_latest?id=*",
        &["4705"],
        &body.to_string(),
    );
    body["status"]["timestamp"] = json!("2026-09-24T17:00:00.000Z");
    let newer = answers(&provider, "quotes_latest?id=*", &["1"], &body.to_string());
    for (value, answers) in [
        ("4705,1", [older.clone(), newer.clone()].concat()),
        ("1,4705", [newer, older].concat()),
    ] {
        let request = provider
            .read("/v3/cryptocurrency/quotes/latest", &query(&[("id", value)]))
            .unwrap();
        let joined = provider.join(&request, &parts(&answers)).unwrap();
        let joined: Value = serde_json::from_str(&joined).unwrap();
        let ids: Vec<String> = joined["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|coin| coin["id"].to_string())
            .collect();
        assert_eq!(ids.join(","), value);
        assert_eq!(joined["status"]["timestamp"], "2026-09-24T16:04:03.419Z");
        assert_eq!(joined["status"]["credit_count"], 0);
        assert_eq!(
            joined["status"]["error_code"], "0",
            "in the provider's dialect"
        );
    }
}

#[test]
fn a_body_without_envelope_is_the_data() {
    let provider = provider(
        "coins",
        r#"
        base_url = "https://api.example.com"
        [endpoints.price]
        path = "/price"
        parameters.ids = { type = "word", list = true, case = "lower" }
        batch = { max = 50, parameters = { ids = { split = "map_by" } } }
        [endpoints.coin]
        path = "/coins/{id}"
        parameters.id = { type = "word", required = true }
        "#,
    );
    let request = provider.read("/price", &query(&[("ids", "b,A")])).unwrap();
    let body = r#"{"a": {"usd": 1.10}, "b": {"usd": 2}}"#;
    let found = answers(&provider, "price?ids=*", &["b", "a"], body);
    let joined = provider.join(&request, &parts(&found)).unwrap();
    assert_eq!(joined, r#"{"b":{"usd": 2},"a":{"usd": 1.10}}"#);

    let request = provider.read("/coins/a%20b", &[]);
    assert!(request.is_err(), "a word has no spaces");
    let request = provider.read("/coins/a%2Fb", &[]).unwrap();
    assert_eq!(request.resources[0].key.as_str(), "coins:/coins/a%2Fb");
    let call = provider.call(&request.batch_key, &[]).unwrap();
    assert_eq!((call.path.as_str(), call.query.len()), ("/coins/a%2Fb", 0));
    let found = answers(&provider, request.batch_key.as_str(), &[], r#"{"usd":1}"#);
    assert_eq!(
        provider.join(&request, &parts(&found)).unwrap(),
        r#"{"usd":1}"#
    );
}

#[test]
fn what_cannot_be_put_together_is_an_error() {
    let provider = coinmarketcap();
    let request = provider
        .read(
            "/v3/cryptocurrency/quotes/latest",
            &query(&[("symbol", "BTC")]),
        )
        .unwrap();
    let part = Part {
        item: Some("BTC"),
        body: r#"[{"symbol":"BTC"}]"#,
        envelope: Some(r#"{"data":null,"status":{}}"#),
        fetched_at: DateTime::<Utc>::UNIX_EPOCH,
    };
    assert_eq!(
        provider.join(&request, &[part]).unwrap(),
        r#"{"data":[{"symbol":"BTC"}],"status":{}}"#
    );
    let no_list = Part { body: "{}", ..part };
    let no_envelope = Part {
        envelope: None,
        ..part
    };
    let other = Part {
        envelope: Some("{}"),
        ..part
    };
    for (parts, error) in [
        (vec![], JoinError::NoParts),
        (
            vec![no_list],
            JoinError::BadPart {
                item: "BTC".to_owned(),
            },
        ),
        (vec![no_envelope], JoinError::NoEnvelope),
        (vec![other], JoinError::NoEnvelope),
    ] {
        assert_eq!(provider.join(&request, &parts), Err(error));
    }
    let request = provider.read("/v1/fiat/map", &[]).unwrap();
    assert_eq!(
        provider.join(&request, &[part, part]),
        Err(JoinError::TooManyParts { given: 2 })
    );
}
