//! What holds of canonical keys whatever is asked.

use std::sync::LazyLock;

use proptest::prelude::*;
use shared::provider::Provider;

use crate::recordings::{cases, coinmarketcap, query};

const QUOTES: &str = "/v3/cryptocurrency/quotes/latest";

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
    #![proptest_config(cases())]

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
