//! Every endpoint costs what CoinMarketCap says, and the envelope says so too.

use crate::caller::Caller;

/// Calls, and checks that answer and ledger agree on the cost.
async fn cost(caller: &Caller, path: &str) -> u64 {
    let before = caller.handle.total();
    let answer = caller.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    let after = caller.handle.total();
    assert_eq!(after.requests - before.requests, 1, "{path}");
    assert_eq!(after.credits - before.credits, answer.credits(), "{path}");
    answer.credits()
}

fn ids(count: u32) -> String {
    let ids: Vec<String> = (0..count).map(|n| (900_001 + n).to_string()).collect();
    ids.join(",")
}

#[tokio::test]
async fn quotes_cost_by_the_batch_and_the_currency() {
    let caller = Caller::quiet().await;
    for (version, count, credits) in [
        ("v3", 1, 1),
        ("v3", 250, 1),
        ("v3", 251, 2),
        ("v3", 501, 3),
        ("v2", 100, 1),
        ("v2", 101, 2),
        ("v1", 100, 1),
        ("v1", 201, 3),
    ] {
        let path = format!("/{version}/cryptocurrency/quotes/latest?id={}", ids(count));
        assert_eq!(cost(&caller, &path).await, credits, "{version} {count}");
        let path = format!("{path}&convert=USD,EUR,BTC");
        assert_eq!(cost(&caller, &path).await, credits + 2, "{version} {count}");
    }
}

#[tokio::test]
async fn only_coins_that_are_returned_cost() {
    let caller = Caller::quiet().await;
    let path = format!(
        "/v3/cryptocurrency/quotes/latest?id={},4000000000",
        ids(250)
    );
    assert_eq!(cost(&caller, &path).await, 1);
    let path = "/v3/cryptocurrency/quotes/latest?id=1,1,1";
    assert_eq!(cost(&caller, path).await, 1);
    assert_eq!(caller.get(path).await.data().as_array().unwrap().len(), 1);
    let path = "/v3/cryptocurrency/quotes/latest?symbol=NOSUCHCOIN";
    assert_eq!(cost(&caller, path).await, 0);
}

#[tokio::test]
async fn listings_cost_by_the_rows_returned() {
    let caller = Caller::quiet().await;
    for (version, limit, credits) in [
        ("v3", 250, 1),
        ("v3", 251, 2),
        ("v3", 5_000, 20),
        ("v1", 200, 1),
        ("v1", 201, 2),
        ("v1", 5_000, 25),
    ] {
        let path = format!("/{version}/cryptocurrency/listings/latest?limit={limit}");
        assert_eq!(cost(&caller, &path).await, credits, "{path}");
    }
    // 5,200 coins: the last page has 200.
    let path = "/v3/cryptocurrency/listings/latest?start=5001&limit=5000&convert=USD,EUR";
    assert_eq!(cost(&caller, path).await, 2);
}

#[tokio::test]
async fn the_other_endpoints_cost_what_they_should() {
    let caller = Caller::quiet().await;
    for (path, credits) in [
        ("/v1/cryptocurrency/map".to_owned(), 0),
        ("/v1/key/info".to_owned(), 0),
        ("/v1/fiat/map".to_owned(), 1),
        ("/v3/fear-and-greed/latest".to_owned(), 1),
        ("/v1/global-metrics/quotes/latest".to_owned(), 1),
        (
            "/v1/global-metrics/quotes/latest?convert=USD,EUR".to_owned(),
            2,
        ),
        ("/v2/tools/price-conversion?amount=2&id=1".to_owned(), 1),
        (
            "/v2/tools/price-conversion?amount=2&symbol=BTC&convert=USD,EUR,GBP".to_owned(),
            3,
        ),
        (
            format!("/v2/simple/price?id={}&include_all=true", ids(250)),
            1,
        ),
        (
            format!("/v2/simple/price?id={}&convert=USD,EUR", ids(251)),
            3,
        ),
        (format!("/v2/cryptocurrency/info?id={}", ids(250)), 1),
        (format!("/v2/cryptocurrency/info?id={}", ids(251)), 2),
    ] {
        assert_eq!(cost(&caller, &path).await, credits, "{path}");
    }
}

#[tokio::test]
async fn errors_are_free() {
    let caller = Caller::quiet().await;
    for path in [
        "/v3/cryptocurrency/quotes/latest?id=abc",
        "/v2/cryptocurrency/market-pairs/latest?id=1",
        "/v1/no/such/path",
    ] {
        assert_eq!(caller.get(path).await.credits(), 0);
    }
    let total = caller.handle.total();
    assert_eq!((total.requests, total.credits), (3, 0));
}
