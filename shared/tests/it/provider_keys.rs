//! Two spellings of one question make one resource key.

use shared::provider::{MAX_ITEMS, RequestError};

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
fn thousands_of_repeated_parameters_are_read_at_once() {
    let pairs: Vec<(&str, &str)> = (0..2_000)
        .flat_map(|_| [("id", "1027"), ("convert", "EUR")])
        .collect();
    let keys = keys(QUOTES, &pairs).unwrap();
    assert_eq!(
        keys,
        [format!("coinmarketcap:{QUOTES}?convert=EUR&id=1027")]
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
