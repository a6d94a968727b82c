//! Two spellings of one question make one resource key.

use std::sync::LazyLock;

use proptest::prelude::*;
use shared::provider::{MAX_ITEMS, Provider, RequestError};

use crate::recordings::{coinmarketcap, query};

const QUOTES: &str = "/v3/cryptocurrency/quotes/latest";

fn keys(path: &str, pairs: &[(&str, &str)]) -> Result<Vec<String>, RequestError> {
    let request = coinmarketcap().read(path, &query(pairs))?;
    Ok(request
        .resources
        .into_iter()
        .map(|resource| resource.key.0)
        .collect())
}

#[test]
fn spellings_of_one_question_have_one_key() {
    for (pairs, key) in [
        (vec![("id", "1")], "?id=1"),
        (vec![("id", "+01")], "?id=1"),
        (vec![("id", "1"), ("convert", "USD")], "?id=1"),
        (vec![("convert", "usd"), ("id", "1,1")], "?id=1"),
        (vec![("id", "1"), ("id", "1")], "?id=1"),
        (vec![("id", "1"), ("skip_invalid", "false")], "?id=1"),
        (vec![("id", "1"), ("CMC_PRO_API_KEY", "k")], "?id=1"),
        (vec![("id", "1"), ("cmc_pro_api_key", "k")], "?id=1"),
        (
            vec![("id", "1"), ("convert", "eur,BTC,Eur")],
            "?convert=BTC,EUR&id=1",
        ),
        (
            vec![("aux", "tags, PLATFORM"), ("id", "1")],
            "?aux=platform,tags&id=1",
        ),
        (vec![("symbol", "$a*+")], "?symbol=%24A%2A%2B"),
    ] {
        assert_eq!(
            keys(QUOTES, &pairs),
            Ok(vec![format!("coinmarketcap:{QUOTES}{key}")]),
            "{pairs:?}"
        );
    }
}

#[test]
fn a_default_in_another_order_is_still_the_default() {
    let path = "/v3/cryptocurrency/listings/latest";
    let aux = "tags,platform,max_supply,circulating_supply,total_supply,date_added,cmc_rank,num_market_pairs";
    for pairs in [
        vec![],
        vec![("limit", "100"), ("start", "01")],
        vec![("aux", aux), ("sort", "MARKET_CAP")],
    ] {
        assert_eq!(
            keys(path, &pairs),
            Ok(vec![format!("coinmarketcap:{path}")])
        );
    }
}

#[test]
fn items_become_resources_in_the_order_asked() {
    let request = coinmarketcap()
        .read(
            &QUOTES[1..],
            &query(&[("id", "1027,1,825,1"), ("convert", "EUR")]),
        )
        .unwrap();
    let items: Vec<_> = request
        .resources
        .iter()
        .map(|r| r.item.as_deref())
        .collect();
    assert_eq!(items, [Some("1027"), Some("1"), Some("825")]);
    assert_eq!(request.batch_key.as_str(), "quotes_latest?convert=EUR&id=*");
    assert!(
        request
            .resources
            .iter()
            .all(|r| r.batch_key == request.batch_key)
    );
}

#[test]
fn what_is_no_question_is_refused_with_its_reason() {
    use RequestError as E;
    type Case = (
        &'static str,
        Vec<(&'static str, &'static str)>,
        fn(&E) -> bool,
    );
    let long = "1,".repeat(MAX_ITEMS) + "1";
    let long: &'static str = long.leak();
    let huge: &'static str = "9".repeat(70_000).leak();
    let cases: Vec<Case> = vec![
        ("/v9/x", vec![], |e| matches!(e, E::UnknownEndpoint { .. })),
        (
            QUOTES,
            vec![("id", "1"), ("foo", "1")],
            |e| matches!(e, E::UnknownParameter { parameter, known, .. } if parameter == "foo" && known.contains(&"convert".to_owned())),
        ),
        (QUOTES, vec![], |e| matches!(e, E::Missing { .. })),
        (QUOTES, vec![("id", "")], |e| {
            matches!(e, E::BadValue { .. })
        }),
        (QUOTES, vec![("id", "1,,2")], |e| {
            matches!(e, E::BadValue { .. })
        }),
        (QUOTES, vec![("id", "0")], |e| {
            matches!(e, E::BadValue { .. })
        }),
        (QUOTES, vec![("id", "-1")], |e| {
            matches!(e, E::BadValue { .. })
        }),
        (QUOTES, vec![("id", "1.0")], |e| {
            matches!(e, E::BadValue { .. })
        }),
        (QUOTES, vec![("id", "*")], |e| {
            matches!(e, E::BadValue { .. })
        }),
        (QUOTES, vec![("id", "99999999999999999999")], |e| {
            matches!(e, E::BadValue { .. })
        }),
        (QUOTES, vec![("symbol", "B TC")], |e| {
            matches!(e, E::BadValue { .. })
        }),
        (QUOTES, vec![("symbol", "B\0C")], |e| {
            matches!(e, E::BadValue { .. })
        }),
        (QUOTES, vec![("slug", "..")], |e| {
            matches!(e, E::BadValue { .. })
        }),
        (QUOTES, vec![("id", "1"), ("symbol", "BTC")], |e| {
            matches!(e, E::Conflict { .. })
        }),
        (
            QUOTES,
            vec![("id", "1"), ("convert", "USD"), ("convert_id", "1")],
            |e| matches!(e, E::Conflict { .. }),
        ),
        (QUOTES, vec![("id", "1"), ("skip_invalid", "maybe")], |e| {
            matches!(e, E::BadValue { .. })
        }),
        (QUOTES, vec![("id", long)], |e| {
            matches!(e, E::TooManyItems { .. })
        }),
        (QUOTES, vec![("id", huge)], |e| {
            matches!(e, E::TooLong { .. })
        }),
        (
            "/v3/cryptocurrency/listings/latest",
            vec![("limit", "1"), ("limit", "2")],
            |e| matches!(e, E::Repeated { .. }),
        ),
        (
            "/v3/cryptocurrency/listings/latest",
            vec![("limit", "5001")],
            |e| matches!(e, E::BadValue { .. }),
        ),
        ("/v2/tools/price-conversion", vec![("id", "1")], |e| {
            matches!(e, E::Missing { .. })
        }),
        ("/v2/tools/price-conversion", vec![("amount", "1")], |e| {
            matches!(e, E::Missing { .. })
        }),
    ];
    for (path, pairs, expected) in cases {
        let error = keys(path, &pairs).unwrap_err();
        assert!(expected(&error), "{path} {error}");
    }
}

#[test]
fn a_key_is_read_in_both_forms() {
    let provider = coinmarketcap();
    let canonical = format!("coinmarketcap:{QUOTES}?convert=EUR&id=1");
    for key in [
        canonical.as_str(),
        "coinmarketcap.quotes_latest?id=1&convert=eur",
        "coinmarketcap:v3/cryptocurrency/quotes/latest?convert=EUR&id=%31&",
    ] {
        assert_eq!(provider.resource(key).unwrap().key.as_str(), canonical);
    }
    let several = provider
        .resource("coinmarketcap.quotes_latest?id=1,2")
        .unwrap_err();
    assert!(matches!(
        several,
        RequestError::SeveralResources { count: 2, .. }
    ));
    let local = provider.resource("coinmarketcap.key_info").unwrap_err();
    assert!(matches!(local, RequestError::NotCacheable { .. }));
    for bad in [
        "",
        "coinmarketcap",
        "other.quotes_latest?id=1",
        "coinmarketcap?id=1",
        "coinmarketcap.quotes_latest?id=%ff",
    ] {
        assert!(provider.resource(bad).is_err(), "{bad}");
    }
}

#[test]
fn the_key_itself_is_asked_for_without_resources() {
    let request = coinmarketcap().read("/v1/key/info", &[]).unwrap();
    assert_eq!(request.endpoint.as_str(), "key_info");
    assert!(request.resources.is_empty());
}

#[test]
fn a_call_carries_its_items_and_what_is_always_sent() {
    let provider = coinmarketcap();
    let request = provider
        .read(QUOTES, &query(&[("id", "1027,1"), ("convert", "EUR")]))
        .unwrap();
    let items: Vec<String> = request
        .resources
        .iter()
        .filter_map(|r| r.item.clone())
        .collect();
    let call = provider.call(&request.batch_key, &items).unwrap();
    assert_eq!(call.path, QUOTES);
    assert_eq!(
        call.query,
        query(&[
            ("convert", "EUR"),
            ("id", "1027,1"),
            ("skip_invalid", "true")
        ])
    );
    for items in [
        vec![],
        vec!["01".to_owned()],
        vec!["1,2".to_owned()],
        vec!["1".to_owned(); 251],
    ] {
        assert!(
            provider.call(&request.batch_key, &items).is_err(),
            "{items:?}"
        );
    }
}

/// One engine for all cases: compiling a preset takes longer than a case.
fn engine() -> &'static Provider {
    static ENGINE: LazyLock<Provider> = LazyLock::new(coinmarketcap);
    &ENGINE
}

/// Texts that have something to do with what is asked of CoinMarketCap.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{1,6}",
        "[0-9]{1,3}(,[0-9]{1,3}){0,5}",
        "[A-Za-z$]{1,6}(,[A-Za-z+*é]{1,6}){0,3}",
        "\\PC{0,12}",
        any::<String>(),
        Just("true".to_owned()),
        Just("USD".to_owned()),
    ]
}

fn pairs() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = prop_oneof![
        8 => prop::sample::select(vec!["id", "symbol", "slug", "convert", "convert_id", "aux", "limit", "start", "price_min", "tag", "skip_invalid", "amount", "include_all", "CMC_PRO_API_KEY"]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    prop::collection::vec((name, value()), 0..4)
}

fn path() -> impl Strategy<Value = String> {
    let known: Vec<String> = coinmarketcap()
        .endpoints()
        .map(|e| e.path().to_owned())
        .collect();
    prop_oneof![
        9 => prop::sample::select(vec![QUOTES.to_owned(), "/v3/cryptocurrency/listings/latest".to_owned(), "/v2/simple/price".to_owned()]),
        3 => prop::sample::select(known),
        1 => any::<String>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn canonical_of_canonical_is_itself(path in path(), pairs in pairs()) {
        let provider = engine();
        let Ok(request) = provider.read(&path, &pairs) else { return Ok(()) };
        for resource in &request.resources {
            let again = provider.resource(resource.key.as_str());
            prop_assert_eq!(again.as_ref(), Ok(resource));
            let items: Vec<String> = resource.item.iter().cloned().collect();
            let call = provider.call(&resource.batch_key, &items).unwrap();
            let asked = provider.read(&call.path, &call.query).unwrap();
            prop_assert_eq!(&asked.resources, &vec![resource.clone()]);
            prop_assert!(provider.worst_case(&resource.batch_key, items.len()).is_ok());
        }
    }

    #[test]
    fn order_of_parameters_and_of_lists_makes_no_other_resource(
        path in path(),
        pairs in pairs(),
        ids in prop::collection::vec(1u32..50, 1..8),
    ) {
        let provider = engine();
        let backwards: Vec<_> = pairs.iter().rev().cloned().collect();
        let sorted = |pairs: &[(String, String)]| {
            provider.read(&path, pairs).map(|request| {
                let mut resources = request.resources;
                resources.sort();
                resources
            }).ok()
        };
        prop_assert_eq!(sorted(&pairs), sorted(&backwards));

        let list = |ids: &[u32]| ids.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        let reversed: Vec<u32> = ids.iter().rev().copied().collect();
        let convert = |ids: &[u32]| provider.read(QUOTES, &query(&[("slug", "a"), ("convert_id", &list(ids))]));
        prop_assert_eq!(convert(&ids), convert(&reversed));
    }

    #[test]
    fn no_secret_of_a_reader_enters_a_key(secret in "[a-z0-9]{12,36}") {
        let provider = engine();
        let request = provider.read(QUOTES, &query(&[("id", "1"), ("CMC_PRO_API_KEY", &secret)])).unwrap();
        let shown = format!("{request:?}");
        prop_assert!(!shown.contains(&secret));
    }

    #[test]
    fn no_text_makes_a_key_panic(key in any::<String>(), rest in "[a-z_.:/?=&%*0-9]{0,40}") {
        let provider = engine();
        let _ = provider.resource(&key);
        let _ = provider.resource(&format!("coinmarketcap{rest}"));
        let key = shared::model::BatchKey(format!("quotes_latest?{rest}"));
        let _ = provider.worst_case(&key, 1);
        let _ = provider.call(&key, &["1".to_owned()]);
    }
}
