//! Everything can be done over HTTP too, and none of it is counted.

use serde_json::{Value, json};

use crate::caller::Caller;

const QUOTE: &str = "/v3/cryptocurrency/quotes/latest?id=1";

impl Caller {
    async fn admin(&self, method: reqwest::Method, path: &str, body: Value) -> (u16, String) {
        let url = format!("{}/_sandbox{path}", self.sandbox.url());
        let request = self.client.request(method, url).json_body(&body);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }
}

/// reqwest is built without its own JSON support.
trait JsonBody {
    fn json_body(self, body: &Value) -> Self;
}

impl JsonBody for reqwest::RequestBuilder {
    fn json_body(self, body: &Value) -> Self {
        self.header("content-type", "application/json")
            .body(body.to_string())
    }
}

#[tokio::test]
async fn trouble_is_scripted_listed_and_cleared() {
    use reqwest::Method;
    let caller = Caller::quiet().await;
    let one = json!({"kind": {"limited": {"code": 1010}}, "times": 1});
    assert_eq!(caller.admin(Method::POST, "/trouble", one).await.0, 204);
    let many = json!([
        {"kind": "half_body", "path": "/v2/simple/price"},
        {"kind": {"credit_count": {"report": "missing"}}, "fraction": 0.5},
        {"kind": {"status": {"status": 503}}, "path": "/v1/fiat/map"},
        {"kind": {"limited": {"code": 1008, "retry_after": {"seconds": 3}}}, "times": 1, "path": "/x"},
    ]);
    assert_eq!(caller.admin(Method::POST, "/trouble", many).await.0, 204);
    assert_eq!(caller.get(QUOTE).await.code(), 1010);
    assert_eq!(caller.get("/v1/fiat/map").await.status, 503);
    let (_, text) = caller.admin(Method::GET, "/trouble", Value::Null).await;
    let list: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(list.len(), 4);
    assert_eq!(
        caller
            .admin(Method::DELETE, "/trouble", Value::Null)
            .await
            .0,
        204
    );
    assert!(caller.handle.troubles().is_empty());
    let typo = json!({"kind": "half_boddy"});
    assert_eq!(caller.admin(Method::POST, "/trouble", typo).await.0, 422);
}

#[tokio::test]
async fn the_ledger_is_read_and_reset_without_being_counted() {
    use reqwest::Method;
    let caller = Caller::quiet().await;
    caller.get(QUOTE).await;
    let (_, text) = caller
        .admin(Method::GET, "/ledger?last=5", Value::Null)
        .await;
    let report: sandbox::LedgerReport = serde_json::from_str(&text).unwrap();
    assert_eq!(report, caller.handle.ledger(5));
    assert_eq!((report.total.requests, report.arrivals.len()), (1, 1));
    let (_, text) = caller
        .admin(Method::GET, "/peak?window_ms=1000", Value::Null)
        .await;
    let peak: sandbox::Peak = serde_json::from_str(&text).unwrap();
    assert_eq!((peak.requests, peak.credits), (1, 1));
    assert_eq!(
        caller.admin(Method::POST, "/reset", Value::Null).await.0,
        204
    );
    assert_eq!(caller.handle.total().requests, 0);
}

#[tokio::test]
async fn plan_key_clock_and_foreign_use_are_changed() {
    use reqwest::Method;
    let caller = Caller::quiet().await;
    let change = json!({"credits_per_day": 2});
    let (status, text) = caller.admin(Method::PATCH, "/plan", change).await;
    assert_eq!(status, 200, "{text}");
    assert_eq!(caller.handle.plan().credits_per_day, Some(2));
    assert_eq!(caller.handle.plan().credits_per_month, 1_000_000);
    let foreign = json!({"credits": 2});
    assert_eq!(caller.admin(Method::POST, "/foreign", foreign).await.0, 204);
    assert_eq!(caller.get(QUOTE).await.code(), 1009);
    let none = json!({"credits_per_day": null});
    assert_eq!(caller.admin(Method::PATCH, "/plan", none).await.0, 200);
    assert_eq!(caller.get(QUOTE).await.status, 200);
    let wrong = json!({"credits_per_year": 1});
    assert_eq!(caller.admin(Method::PATCH, "/plan", wrong).await.0, 422);

    let disabled = json!({"key": "sandbox-key", "state": "disabled"});
    assert_eq!(caller.admin(Method::PUT, "/key", disabled).await.0, 204);
    assert_eq!(caller.get(QUOTE).await.code(), 1007);

    let before = caller.handle.now();
    let offset = json!({"offset_ms": 3_600_000});
    assert_eq!(caller.admin(Method::PUT, "/clock", offset).await.0, 200);
    assert!((caller.handle.now() - before).num_minutes() >= 60);
}
