//! The sandbox's answers have the keys and the JSON types of the recorded ones.

use serde_json::{Map, Value};

use crate::caller::Caller;

fn recorded(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Lays every element over the others, so that a field that is null in one of
/// them is known from another.
fn exemplar(elements: &[Value]) -> Option<Value> {
    let overlay = |known: Value, next: &Value| match (known, next) {
        (Value::Object(mut fields), Value::Object(more)) => {
            for (name, value) in more {
                let unknown = fields.get(name).is_none_or(Value::is_null);
                if unknown {
                    fields.insert(name.clone(), value.clone());
                }
            }
            Value::Object(fields)
        }
        (known, _) => known,
    };
    let first = elements.first()?.clone();
    Some(elements.iter().fold(first, overlay))
}

fn same_shape(at: &str, recorded: &Value, ours: &Value) {
    match (recorded, ours) {
        (Value::Null, _) | (_, Value::Null) => {}
        (Value::Object(theirs), Value::Object(mine)) => {
            let names = |map: &Map<String, Value>| map.keys().cloned().collect::<Vec<_>>();
            assert_eq!(names(theirs), names(mine), "keys at {at}");
            for (name, value) in theirs {
                same_shape(&format!("{at}.{name}"), value, &mine[name]);
            }
        }
        (Value::Array(theirs), Value::Array(mine)) => {
            if let Some(exemplar) = exemplar(theirs) {
                for element in mine {
                    same_shape(&format!("{at}[]"), &exemplar, element);
                }
            }
        }
        _ => assert_eq!(
            std::mem::discriminant(recorded),
            std::mem::discriminant(ours),
            "type at {at}: recorded {recorded}, ours {ours}"
        ),
    }
}

macro_rules! shape {
    ($name:ident, $path:expr, $file:expr) => {
        #[tokio::test]
        async fn $name() {
            let caller = Caller::quiet().await;
            let answer = caller.get($path).await;
            assert_eq!(answer.header("content-type"), "application/json");
            let recorded = recorded(include_str!(concat!("../../fixtures/", $file)));
            same_shape("", &recorded, &answer.json());
        }
    };
}

shape!(
    map_by_symbol_is_as_recorded,
    "/v1/cryptocurrency/map?symbol=BTC,PAXG",
    "v1_cryptocurrency_map.2026-09-24.json"
);
shape!(
    key_info_is_as_recorded,
    "/v1/key/info",
    "v1_key_info.2026-09-24.json"
);
shape!(
    v2_quotes_by_id_are_as_recorded,
    "/v2/cryptocurrency/quotes/latest?id=1",
    "v2_cryptocurrency_quotes_latest_by_id.2022-06-16.json"
);
shape!(
    v2_quotes_by_symbol_are_as_recorded,
    "/v2/cryptocurrency/quotes/latest?symbol=BTC",
    "v2_cryptocurrency_quotes_latest_by_symbol.2022-06-16.json"
);
shape!(
    price_conversion_is_as_recorded,
    "/v2/tools/price-conversion?amount=1&id=4705&convert=USD",
    "v2_price_conversion.2026-09-24.json"
);
shape!(
    simple_price_is_as_recorded,
    "/v2/simple/price?id=1%2C4705&include_last_updated=true",
    "v2_simple_price.2026-09-24.json"
);
shape!(
    v3_quotes_are_as_recorded,
    "/v3/cryptocurrency/quotes/latest?id=1%2C4705&convert=USD",
    "v3_cryptocurrency_quotes_latest.2026-09-24.json"
);
shape!(
    v3_listings_are_written_like_v3_quotes,
    "/v3/cryptocurrency/listings/latest?limit=50&aux=num_market_pairs,cmc_rank,date_added,tags,\
     platform,max_supply,circulating_supply,total_supply,is_active,is_fiat",
    "v3_cryptocurrency_quotes_latest.2026-09-24.json"
);
shape!(
    a_plan_error_is_as_recorded,
    "/v2/cryptocurrency/market-pairs/latest?id=1",
    "error_403_1006_plan_not_authorized.2026-09-24.json"
);
shape!(
    a_parameter_error_is_as_recorded,
    "/v3/cryptocurrency/quotes/latest",
    "error_400_parameter_error.2026-09-24.json"
);

#[tokio::test]
async fn v1_listings_are_as_recorded() {
    let caller = Caller::quiet().await;
    let answer = caller
        .get("/v1/cryptocurrency/listings/latest?limit=50")
        .await;
    let file = include_str!("../../fixtures/v1_cryptocurrency_listings_latest.2019-02-08.json");
    let mut recorded = recorded(file);
    // The notice came later: v1's other recordings have it.
    recorded["status"]["notice"] = Value::Null;
    // So did these: clients of 2026 cannot read a listing without them.
    for coin in recorded["data"].as_array_mut().unwrap() {
        for days in ["30d", "60d", "90d"] {
            coin["quote"]["USD"][format!("percent_change_{days}")] = 1.5.into();
        }
    }
    same_shape("", &recorded, &answer.json());
}

#[tokio::test]
async fn timestamps_have_milliseconds_and_a_z() {
    let caller = Caller::quiet().await;
    let body = caller.get("/v1/key/info").await.json();
    let stamp = body["status"]["timestamp"].as_str().unwrap();
    let now: chrono::DateTime<chrono::Utc> = stamp.parse().unwrap();
    assert_eq!(stamp, now.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string());
    assert_eq!(stamp.len(), "2026-09-24T16:04:03.419Z".len());
}

#[tokio::test]
async fn the_dialects_write_success_and_error_as_recorded() {
    let caller = Caller::quiet().await;
    let status = |answer: crate::caller::Answer| answer.json()["status"].clone();
    let text = status(caller.get("/v3/cryptocurrency/quotes/latest?id=1").await);
    assert_eq!(
        (&text["error_code"], &text["error_message"]),
        (&"0".into(), &"".into())
    );
    assert!(text.get("notice").is_none());
    let number = status(caller.get("/v1/cryptocurrency/map?limit=1").await);
    assert_eq!(
        (&number["error_code"], &number["error_message"]),
        (&0.into(), &Value::Null)
    );
    assert!(number.as_object().unwrap().contains_key("notice"));

    let text = caller.get("/v3/cryptocurrency/quotes/latest?id=x").await;
    assert_eq!(text.json()["status"]["error_code"], "400");
    assert!(text.json().get("data").is_none());
    let number = caller.get("/v2/cryptocurrency/quotes/latest?id=x").await;
    assert_eq!(number.json()["status"]["error_code"], 400);
    assert_eq!(number.credits(), 0);
}

#[tokio::test]
async fn v2_keys_by_id_for_ids_and_slugs_and_v1_takes_the_largest_coin_of_a_symbol() {
    let caller = Caller::quiet().await;
    let by_slug = caller
        .get("/v2/cryptocurrency/quotes/latest?slug=bitcoin,ripple,tether")
        .await;
    // "ripple" was XRP's slug once; it is unknown now and left out.
    let data = by_slug.data();
    let keys: Vec<&String> = data.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["1", "825"]);

    let all = caller
        .get("/v2/cryptocurrency/quotes/latest?symbol=btc")
        .await
        .data();
    let matches = all["BTC"].as_array().unwrap();
    assert!(matches.len() > 5);
    assert_eq!(matches[0]["id"], 1);
    let one = caller
        .get("/v1/cryptocurrency/quotes/latest?symbol=BTC")
        .await
        .data();
    assert_eq!(one["BTC"]["id"], 1);
    assert!(one["BTC"]["tags"][0].is_string());
}

#[tokio::test]
async fn key_info_of_an_older_plan_has_daily_fields() {
    let config = sandbox::SandboxConfig {
        key_info_form: sandbox::KeyInfoForm::WithDaily,
        credits_per_day: Some(333),
        ..crate::caller::quiet()
    };
    let caller = Caller::start(config).await;
    let data = caller.get("/v1/key/info").await.data();
    assert_eq!(data["plan"]["credit_limit_daily"], 333);
    assert!(data["plan"]["credit_limit_daily_reset_timestamp"].is_string());
    assert!(data["plan"]["credit_limit_daily_reset"].is_string());
    assert_eq!(data["usage"]["current_day"]["credits_left"], 333);
}

#[tokio::test]
async fn listings_are_sorted_paged_and_filtered() {
    let caller = Caller::quiet().await;
    let path = "/v3/cryptocurrency/listings/latest?start=3&limit=2";
    let data = caller.get(path).await.data();
    assert_eq!(
        (&data[0]["cmc_rank"], &data[1]["cmc_rank"]),
        (&3.into(), &4.into())
    );

    let path = "/v3/cryptocurrency/listings/latest?sort=price&price_max=10&limit=5000&tag=defi";
    let data = caller.get(path).await.data();
    let prices: Vec<f64> = data
        .as_array()
        .unwrap()
        .iter()
        .map(|coin| coin["quote"][0]["price"].as_f64().unwrap())
        .collect();
    assert!(prices.len() > 100 && prices[0] <= 10.0);
    assert!(prices.is_sorted_by(|a, b| a >= b));
}

#[tokio::test]
async fn the_catalogue_has_more_than_5000_coins() {
    let caller = Caller::quiet().await;
    let path = "/v3/cryptocurrency/listings/latest?limit=5000";
    assert_eq!(
        caller.get(path).await.data().as_array().unwrap().len(),
        5_000
    );
    let path = "/v3/cryptocurrency/listings/latest?limit=5000&start=5001";
    assert!(!caller.get(path).await.data().as_array().unwrap().is_empty());
}

#[tokio::test]
async fn aux_leaves_out_what_it_does_not_name() {
    let caller = Caller::quiet().await;
    let path = "/v3/cryptocurrency/quotes/latest?id=1&aux=cmc_rank";
    let coin = caller.get(path).await.data()[0].clone();
    assert_eq!(coin["cmc_rank"], 1);
    assert!(coin.get("tags").is_none() && coin.get("max_supply").is_none());
    assert!(coin["quote"][0]["price"].is_number());
}

#[tokio::test]
async fn values_are_converted_by_symbol_and_by_id() {
    let caller = Caller::quiet().await;
    let v2 = "/v2/cryptocurrency/quotes/latest?id=1027&convert=";
    let data = caller.get(&format!("{v2}EUR,BTC")).await.data();
    let in_btc = data["1027"]["quote"]["BTC"]["price"].as_f64().unwrap();
    assert!(in_btc > 0.0 && in_btc < 1.0);
    assert!(data["1027"]["quote"]["EUR"]["price"].as_f64().unwrap() > 1.0);
    let path = "/v2/cryptocurrency/quotes/latest?id=1027&convert_id=2790";
    let by_id = caller.get(path).await.data();
    assert_eq!(by_id["1027"]["quote"]["2790"], data["1027"]["quote"]["EUR"]);
    let v3 = "/v3/cryptocurrency/quotes/latest?id=1027&convert_id=2790";
    let quote = caller.get(v3).await.data()[0]["quote"][0].clone();
    assert_eq!(
        (&quote["id"], &quote["symbol"]),
        (&2790.into(), &"EUR".into())
    );
}

#[tokio::test]
async fn the_endpoints_without_a_recording_answer_with_what_the_sdk_reads() {
    let caller = Caller::quiet().await;
    let info = caller.get("/v2/cryptocurrency/info?id=1,825").await.data();
    assert_eq!(info["825"]["category"], "token");
    assert!(info["1"]["urls"]["website"].is_array() && info["1"]["logo"].is_string());
    let global = caller.get("/v1/global-metrics/quotes/latest").await.data();
    assert!(global["quote"]["USD"]["total_market_cap"].as_f64().unwrap() > 1e12);
    assert!(global["btc_dominance"].as_f64().unwrap() > 10.0);
    let mood = caller.get("/v3/fear-and-greed/latest").await.data();
    assert!(mood["value"].as_u64().unwrap() <= 100 && mood["update_time"].is_string());
    let fiat = caller.get("/v1/fiat/map?limit=1").await.data();
    assert_eq!(fiat[0]["symbol"], "USD");
    let metals = caller.get("/v1/fiat/map?include_metals=true").await.data();
    assert!(
        metals
            .as_array()
            .unwrap()
            .iter()
            .any(|row| row["code"] == "XAU")
    );
}
