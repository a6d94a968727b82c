//! Each refusal has CoinMarketCap's status and code.

use sandbox::{KeyState, SandboxConfig};

use crate::caller::{Caller, quiet};

const PATH: &str = "/v3/cryptocurrency/quotes/latest?id=1";
const HEADER: &str = "X-CMC_PRO_API_KEY";

#[tokio::test]
async fn a_key_is_taken_from_the_header_or_the_query() {
    let caller = Caller::quiet().await;
    let with_query = format!("{PATH}&CMC_PRO_API_KEY=sandbox-key");
    let answer = caller.get_with(&with_query, &[]).await.unwrap();
    assert_eq!(answer.status, 200);
    let missing = caller.get_with(PATH, &[]).await.unwrap();
    assert_eq!((missing.status, missing.code()), (401, 1002));
    let wrong = caller.get_with(PATH, &[(HEADER, "wrong")]).await.unwrap();
    assert_eq!((wrong.status, wrong.code()), (401, 1001));
    assert_eq!(
        wrong.json()["status"]["error_message"],
        "This API Key is invalid."
    );
    assert!(wrong.json().get("data").is_none());
}

#[tokio::test]
async fn the_state_of_a_key_decides_its_refusal() {
    let config = SandboxConfig {
        keys: vec!["sandbox-key".into(), "second".into()],
        ..quiet()
    };
    let caller = Caller::start(config).await;
    for (state, status, code) in [
        (KeyState::Invalid, 401, 1001),
        (KeyState::NeedsPayment, 402, 1003),
        (KeyState::Expired, 402, 1004),
        (KeyState::Required, 403, 1005),
        (KeyState::Disabled, 403, 1007),
    ] {
        caller.handle.set_key("sandbox-key", state);
        let answer = caller.get(PATH).await;
        assert_eq!((answer.status, answer.code()), (status, code));
    }
    let other = caller.get_with(PATH, &[(HEADER, "second")]).await.unwrap();
    assert_eq!(other.status, 200);
    caller.handle.set_key("sandbox-key", KeyState::Active);
    assert_eq!(caller.get(PATH).await.status, 200);
    let keys: Vec<Option<usize>> = caller.handle.arrivals().iter().map(|a| a.key).collect();
    assert_eq!(&keys[4..], [Some(0), Some(1), Some(0)]);
}

#[tokio::test]
async fn a_path_outside_the_plan_is_1006_and_an_unknown_one_404() {
    let caller = Caller::quiet().await;
    let mut plan = caller.handle.plan();
    plan.unsupported = vec!["/v3/cryptocurrency/quotes/latest".into()];
    caller.handle.set_plan(plan);
    let answer = caller.get(PATH).await;
    assert_eq!((answer.status, answer.code()), (403, 1006));
    let answer = caller.get("/v9/nothing").await;
    assert_eq!((answer.status, answer.code()), (404, 404));
}

#[tokio::test]
async fn bad_parameters_are_400_and_say_which() {
    let caller = Caller::quiet().await;
    for (path, part) in [
        ("/v3/cryptocurrency/quotes/latest", "at least one of"),
        (
            "/v3/cryptocurrency/quotes/latest?id=1&slug=bitcoin",
            "exclusive",
        ),
        (
            "/v3/cryptocurrency/quotes/latest?id=1,abc",
            "Invalid value for \"id\"",
        ),
        ("/v3/cryptocurrency/quotes/latest?id=", "empty"),
        (
            "/v3/cryptocurrency/quotes/latest?id=1&page=2",
            "\"page\" is not allowed",
        ),
        ("/v3/cryptocurrency/quotes/latest?id=1&id=2", "\"id\""),
        (
            "/v3/cryptocurrency/quotes/latest?id=1&convert=NOTACOIN",
            "\"convert\"",
        ),
        (
            "/v3/cryptocurrency/quotes/latest?id=1&convert=EUR&convert_id=2781",
            "convert",
        ),
        (
            "/v3/cryptocurrency/quotes/latest?id=1&aux=everything",
            "\"aux\"",
        ),
        (
            "/v3/cryptocurrency/quotes/latest?id=1&skip_invalid=yes",
            "boolean",
        ),
        (
            "/v3/cryptocurrency/quotes/latest?id=4000000000&skip_invalid=false",
            "Invalid value for \"id\"",
        ),
        (
            "/v2/cryptocurrency/quotes/latest?id=4000000000&skip_invalid=false",
            "Invalid value for \"id\"",
        ),
        (
            "/v2/cryptocurrency/info?id=4000000000",
            "Invalid value for \"id\"",
        ),
        ("/v3/cryptocurrency/listings/latest?limit=5001", "\"limit\""),
        ("/v3/cryptocurrency/listings/latest?sort=colour", "\"sort\""),
        ("/v2/tools/price-conversion?id=1", "\"amount\""),
    ] {
        let answer = caller.get(path).await;
        assert_eq!((answer.status, answer.code()), (400, 400), "{path}");
        let message = answer.json()["status"]["error_message"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(message.contains(part), "{path}: {message}");
        assert!(answer.json().get("data").is_none(), "{path}");
    }
}

#[tokio::test]
async fn what_is_unknown_is_left_out_where_invalid_is_skipped() {
    let caller = Caller::quiet().await;
    let v3 = caller
        .get("/v3/cryptocurrency/quotes/latest?id=1,4000000000")
        .await
        .data();
    assert_eq!(v3.as_array().unwrap().len(), 1);
    let v2 = caller
        .get("/v2/cryptocurrency/quotes/latest?id=1,4000000000")
        .await
        .data();
    assert_eq!(v2.as_object().unwrap().len(), 1);
    let v3 = caller
        .get("/v3/cryptocurrency/quotes/latest?symbol=NOSUCHCOIN")
        .await
        .data();
    assert_eq!(v3, serde_json::json!([]));
    let v2 = caller
        .get("/v2/cryptocurrency/quotes/latest?symbol=NOSUCHCOIN")
        .await
        .data();
    assert_eq!(v2, serde_json::json!({}));
}

#[tokio::test]
async fn only_get_is_answered() {
    let caller = Caller::quiet().await;
    let url = format!("{}{PATH}", caller.sandbox.url());
    let sent = caller.client.post(url).header(HEADER, "sandbox-key").send();
    assert_eq!(sent.await.unwrap().status().as_u16(), 405);
}
