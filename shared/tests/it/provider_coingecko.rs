//! The preset for CoinGecko says what CoinGecko documents.
//!
//! The bodies are made by hand, in the shapes of CoinGecko's reference of 2026-11:
//! nothing of this provider was recorded.

use chrono::{DateTime, Utc};
use shared::config::provider::preset;
use shared::model::BatchKey;
use shared::provider::{Charge, CloseFor, ItemReading, Outcome, Part, Provider, Retry};

use crate::recordings::{provider, query, understand};

const PRICES: &str = r#"{"bitcoin":{"usd":98000.5,"eur":90000,"last_updated_at":1763900000},"ethereum":{"usd":3200,"eur":2950.25,"last_updated_at":1763900007}}"#;

fn coingecko() -> Provider {
    provider("coingecko", preset("coingecko").unwrap())
}

#[test]
fn questions_have_one_key_in_any_spelling() {
    let provider = coingecko();
    for (path, asked, keys) in [
        (
            "/simple/price",
            vec![
                ("vs_currencies", "USD,eur"),
                ("ids", "Bitcoin,ethereum"),
                ("include_market_cap", "false"),
                ("x_cg_demo_api_key", "secret"),
            ],
            vec![
                "coingecko:/simple/price?ids=bitcoin&vs_currencies=eur,usd",
                "coingecko:/simple/price?ids=ethereum&vs_currencies=eur,usd",
            ],
        ),
        (
            "/coins/markets",
            vec![("vs_currency", "usd"), ("per_page", "100"), ("page", "2")],
            vec!["coingecko:/coins/markets?page=2&vs_currency=usd"],
        ),
        (
            "/coins/bitcoin",
            vec![("tickers", "false"), ("localization", "true")],
            vec!["coingecko:/coins/bitcoin?tickers=false"],
        ),
        // `list` and `markets` are paths of their own, not coins.
        ("/coins/list", vec![], vec!["coingecko:/coins/list"]),
        ("/global", vec![], vec!["coingecko:/global"]),
        (
            "/search/trending",
            vec![],
            vec!["coingecko:/search/trending"],
        ),
        ("/exchange_rates", vec![], vec!["coingecko:/exchange_rates"]),
        (
            "/simple/supported_vs_currencies",
            vec![],
            vec!["coingecko:/simple/supported_vs_currencies"],
        ),
        ("/ping", vec![], vec![]),
        ("/key", vec![], vec![]),
    ] {
        let request = provider.read(path, &query(&asked)).unwrap();
        let found: Vec<&str> = request.resources.iter().map(|r| r.key.as_str()).collect();
        assert_eq!(found, keys, "{path}");
    }
    for (path, asked) in [
        ("/simple/price", vec![("ids", "bitcoin")]),
        ("/simple/price", vec![("vs_currencies", "usd")]),
        (
            "/coins/markets",
            vec![("vs_currency", "usd"), ("per_page", "251")],
        ),
        ("/coins/bitcoin/tickers", vec![]),
    ] {
        assert!(provider.read(path, &query(&asked)).is_err(), "{path}");
    }
}

#[test]
fn every_call_costs_one_credit_however_many_coins_it_asks_for() {
    let provider = coingecko();
    for (batch_key, items) in [
        ("simple_price?ids=*&vs_currencies=usd", 1),
        ("simple_price?ids=*&vs_currencies=btc,eur,usd", 250),
        ("coins_markets?per_page=250&vs_currency=usd", 0),
        ("coin?id=bitcoin", 0),
        ("global", 0),
    ] {
        let key = BatchKey(batch_key.to_owned());
        assert_eq!(provider.worst_case(&key, items), Ok(1), "{batch_key}");
    }
    let key = BatchKey("simple_price?ids=*&vs_currencies=usd".to_owned());
    assert_eq!(provider.items_for_same_cost(&key, 1), 250);
    let call = provider
        .call(&key, &["bitcoin".to_owned(), "ethereum".to_owned()])
        .unwrap();
    assert_eq!(call.path, "/simple/price");
    assert_eq!(
        call.query,
        query(&[
            ("ids", "bitcoin,ethereum"),
            ("include_last_updated_at", "true"),
            ("vs_currencies", "usd"),
        ])
    );
}

#[test]
fn prices_are_taken_apart_by_coin_and_put_together_again() {
    let provider = coingecko();
    let request = provider
        .read(
            "/simple/price",
            &query(&[
                ("ids", "bitcoin,ethereum,nocoin"),
                ("vs_currencies", "usd,eur"),
            ]),
        )
        .unwrap();
    let items = ["bitcoin", "ethereum", "nocoin"];
    let reading = understand(&provider, request.batch_key.as_str(), &items, 200, PRICES);
    assert_eq!(reading.outcome, Outcome::Ok);
    let [
        (_, ItemReading::Found(bitcoin)),
        (_, ItemReading::Found(ethereum)),
        (_, ItemReading::NotFound),
    ] = reading.items.as_slice()
    else {
        panic!("{:?}", reading.items);
    };
    assert_eq!(bitcoin.provider_time, Some(at(1_763_900_000)));
    let parts = [("bitcoin", bitcoin), ("ethereum", ethereum)].map(|(item, answer)| Part {
        item: Some(item),
        body: &answer.body,
        envelope: answer.envelope.as_deref(),
        fetched_at: at(0),
    });
    assert_eq!(provider.join(&request, &parts).as_deref(), Ok(PRICES));
}

#[test]
fn whole_answers_carry_the_time_that_the_provider_gives_them() {
    let provider = coingecko();
    for (batch_key, body, time) in [
        (
            "global",
            r#"{"data":{"active_cryptocurrencies":13690,"updated_at":1712512855}}"#,
            Some(at(1_712_512_855)),
        ),
        (
            "coins_markets?vs_currency=usd",
            r#"[{"id":"bitcoin","last_updated":"2024-04-07T16:49:31.736Z"},{"id":"ethereum","last_updated":"2024-04-07T16:50:31.736Z"}]"#,
            Some("2024-04-07T16:50:31.736Z".parse().unwrap()),
        ),
        ("supported_vs_currencies", r#"["btc","eth","usd"]"#, None),
        (
            "exchange_rates",
            r#"{"rates":{"btc":{"name":"Bitcoin","unit":"BTC","value":1,"type":"crypto"}}}"#,
            None,
        ),
        (
            "search_trending",
            r#"{"coins":[{"item":{"id":"bitcoin"}}]}"#,
            None,
        ),
    ] {
        let reading = understand(&provider, batch_key, &[], 200, body);
        let [(item, ItemReading::Found(answer))] = reading.items.as_slice() else {
            panic!("{batch_key}: {reading:?}");
        };
        assert_eq!(item, "");
        assert_eq!(answer.body, body);
        assert_eq!(answer.provider_time, time, "{batch_key}");
        assert_eq!(
            reading.charged,
            Charge::ByRule { anomaly: false },
            "{batch_key}"
        );
    }
}

#[test]
fn errors_are_told_apart_by_their_code_and_status() {
    let provider = coingecko();
    let structured =
        |code: u32| format!(r#"{{"status":{{"error_code":{code},"error_message":"words"}}}}"#);
    let nested = |code: u32| format!(r#"{{"error":{{"status":{{"error_code":{code}}}}}}}"#);
    for (status, body, outcome, close, retry) in [
        (
            401,
            structured(10_002),
            Outcome::KeyDead,
            Some(CloseFor::Operator),
            Retry::Later,
        ),
        (
            401,
            nested(10_002),
            Outcome::KeyDead,
            Some(CloseFor::Operator),
            Retry::Later,
        ),
        (
            400,
            r#"{"error_code":10011,"status":{"error_message":"change your root URL"}}"#.to_owned(),
            Outcome::KeyDead,
            Some(CloseFor::Operator),
            Retry::Later,
        ),
        (
            400,
            structured(10_010),
            Outcome::KeyDead,
            Some(CloseFor::Operator),
            Retry::Later,
        ),
        (
            401,
            structured(10_005),
            Outcome::EndpointForbidden,
            None,
            Retry::Never,
        ),
        (
            401,
            nested(10_005),
            Outcome::EndpointForbidden,
            None,
            Retry::Never,
        ),
        (401, nested(10_012), Outcome::BadRequest, None, Retry::Never),
        (
            429,
            structured(429),
            Outcome::Throttled,
            Some(CloseFor::Minute),
            Retry::Later,
        ),
        (
            429,
            String::new(),
            Outcome::Throttled,
            Some(CloseFor::Minute),
            Retry::Later,
        ),
        (
            401,
            String::new(),
            Outcome::KeyDead,
            Some(CloseFor::Operator),
            Retry::Later,
        ),
        (
            403,
            "Forbidden".to_owned(),
            Outcome::Throttled,
            Some(CloseFor::Ip),
            Retry::Later,
        ),
        (
            404,
            r#"{"error":"coin not found"}"#.to_owned(),
            Outcome::NotFound,
            None,
            Retry::Never,
        ),
        (
            422,
            r#"{"error":"Missing parameter vs_currencies"}"#.to_owned(),
            Outcome::BadRequest,
            None,
            Retry::Never,
        ),
        (
            200,
            structured(500),
            Outcome::ProviderError,
            None,
            Retry::Later,
        ),
        (
            503,
            "<html>".to_owned(),
            Outcome::ProviderError,
            None,
            Retry::Later,
        ),
    ] {
        let reading = understand(&provider, "coin?id=bitcoin", &[], status, &body);
        assert_eq!(
            (reading.outcome, reading.close, reading.retry),
            (outcome, close, retry),
            "{status} {body}"
        );
    }
    let reading = understand(&provider, "global", &[], 429, &structured(429));
    assert_eq!(reading.message.as_deref(), Some("words"));
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}
