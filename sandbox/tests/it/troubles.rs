//! Each kind of trouble, as a real client sees it.

use std::time::{Duration, Instant};

use sandbox::{CreditReport, RetryAfter, Trouble, TroubleKind};
use serde_json::{Value, json};

use crate::caller::{Answer, Caller};

const QUOTE: &str = "/v3/cryptocurrency/quotes/latest?id=1";

/// One call with one kind of trouble, and what the ledger charged for it.
async fn hit(kind: TroubleKind) -> (reqwest::Result<Answer>, sandbox::Tally) {
    let caller = Caller::quiet().await;
    // A first call, so that trouble also meets a connection that is used again.
    caller.get("/v1/key/info").await;
    caller.handle.reset();
    caller.handle.script(Trouble::next(1, kind));
    let answer = caller.try_get(QUOTE).await;
    let total = caller.handle.total();
    assert_eq!(
        caller.get(QUOTE).await.status,
        200,
        "trouble is over after its call"
    );
    (answer, total)
}

#[tokio::test]
async fn a_drop_after_counting_is_charged_and_answers_nothing() {
    let (answer, total) = hit(TroubleKind::DropAfterCounting).await;
    let error = answer.err().unwrap();
    assert!(
        error.is_request() && !error.is_timeout() && !error.is_connect(),
        "{error:?}"
    );
    assert_eq!((total.requests, total.credits), (1, 1));
}

#[tokio::test]
async fn a_drop_before_counting_never_arrived() {
    let (answer, total) = hit(TroubleKind::DropBeforeCounting).await;
    assert!(answer.is_err());
    assert_eq!((total.requests, total.credits), (0, 0));
}

#[tokio::test]
async fn a_dropped_connection_gives_not_a_single_byte() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let caller = Caller::quiet().await;
    caller
        .handle
        .script(Trouble::next(1, TroubleKind::DropAfterCounting));
    let mut socket = tokio::net::TcpStream::connect(caller.sandbox.addr())
        .await
        .unwrap();
    let request =
        format!("GET {QUOTE} HTTP/1.1\r\nHost: x\r\nX-CMC_PRO_API_KEY: sandbox-key\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    // Closed or reset: both are an end without an answer.
    let _ = socket.read_to_end(&mut bytes).await;
    assert!(bytes.is_empty());
    assert_eq!(caller.handle.total().credits, 1);
}

#[tokio::test]
async fn half_a_body_breaks_off_after_its_first_bytes() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (answer, total) = hit(TroubleKind::HalfBody).await;
    assert!(answer.is_err());
    assert_eq!(total.credits, 1);

    let caller = Caller::quiet().await;
    caller
        .handle
        .script(Trouble::next(1, TroubleKind::HalfBody));
    let mut socket = tokio::net::TcpStream::connect(caller.sandbox.addr())
        .await
        .unwrap();
    let request =
        format!("GET {QUOTE} HTTP/1.1\r\nHost: x\r\nX-CMC_PRO_API_KEY: sandbox-key\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let _ = socket.read_to_end(&mut bytes).await;
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let length = head
        .to_lowercase()
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok())
        .unwrap();
    assert_eq!(body.len(), length / 2);
}

#[tokio::test]
async fn latency_and_a_slow_body_take_their_time() {
    let started = Instant::now();
    let (answer, total) = hit(TroubleKind::Latency { ms: 200 }).await;
    assert_eq!(answer.unwrap().status, 200);
    assert!(started.elapsed() >= Duration::from_millis(200));
    assert_eq!(total.credits, 1);
    let started = Instant::now();
    let slow = TroubleKind::SlowBody {
        chunk: 100,
        pause_ms: 20,
    };
    let (answer, _) = hit(slow).await;
    assert_eq!(answer.unwrap().data()[0]["id"], 1);
    assert!(started.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn a_status_of_choice_is_free_unless_it_is_200() {
    for (status, credits) in [(500, 0), (503, 0), (404, 0), (200, 1)] {
        let (answer, total) = hit(TroubleKind::Status {
            status,
            body: Some("{\"surprise\":true}".into()),
            headers: vec![("x-cache".into(), "Error".into())],
        })
        .await;
        let answer = answer.unwrap();
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (status, "{\"surprise\":true}")
        );
        assert_eq!(answer.header("x-cache"), "Error");
        assert_eq!((total.requests, total.credits), (1, credits), "{status}");
    }
}

#[tokio::test]
async fn a_server_error_is_as_recorded() {
    let caller = Caller::quiet().await;
    let broken = TroubleKind::Status {
        status: 500,
        body: None,
        headers: Vec::new(),
    };
    caller.handle.script(Trouble::always(broken));
    let ours = caller.get(QUOTE).await;
    let text = include_str!("../../fixtures/error_500_system_busy.2026-09-26.json");
    let recorded: Value = serde_json::from_str(text).unwrap();
    assert_eq!(ours.status, 500);
    for field in ["error_code", "error_message", "credit_count"] {
        assert_eq!(ours.json()["status"][field], recorded["status"][field]);
    }
}

#[tokio::test]
async fn a_page_may_come_instead_of_json() {
    for (status, credits) in [(502, 0), (200, 1)] {
        let (answer, total) = hit(TroubleKind::Html { status }).await;
        let answer = answer.unwrap();
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (status, "text/html")
        );
        assert!(answer.text.starts_with("<!DOCTYPE html>"));
        assert_eq!(total.credits, credits);
    }
}

#[tokio::test]
async fn a_success_may_be_empty_or_an_error() {
    let (answer, total) = hit(TroubleKind::EmptySuccess).await;
    assert_eq!(answer.unwrap().data(), json!([]));
    assert_eq!(total.credits, 1);
    let (answer, total) = hit(TroubleKind::ErrorInSuccess {
        code: 1008,
        message: "no".into(),
    })
    .await;
    let answer = answer.unwrap();
    assert_eq!(
        (answer.status, answer.code(), total.credits),
        (200, 1008, 1)
    );
}

#[tokio::test]
async fn limits_come_with_retry_after_and_headers_of_choice() {
    let limited = |code, retry_after| TroubleKind::Limited {
        code,
        retry_after,
        headers: vec![("x-ratelimit-remaining".into(), "0".into())],
    };
    for (code, status) in [
        (1008, 429),
        (1009, 429),
        (1010, 429),
        (1011, 429),
        (1022, 429),
        (1001, 401),
        (1003, 402),
        (1006, 403),
        (1007, 403),
    ] {
        let (answer, total) = hit(limited(code, Some(RetryAfter::Seconds(7)))).await;
        let answer = answer.unwrap();
        assert_eq!((answer.status, answer.code()), (status, code));
        assert_eq!(answer.header("retry-after"), "7");
        assert_eq!(answer.header("x-ratelimit-remaining"), "0");
        assert_eq!((total.requests, total.credits), (1, 0));
    }
    let (answer, _) = hit(limited(1010, Some(RetryAfter::DateIn(60)))).await;
    let answer = answer.unwrap();
    let date = chrono::DateTime::parse_from_rfc2822(answer.header("retry-after")).unwrap();
    let now = chrono::DateTime::parse_from_rfc2822(answer.header("date")).unwrap();
    assert!((55..=65).contains(&(date - now).num_seconds()));
}

#[tokio::test]
async fn credit_count_may_lie() {
    let count = |report| async move {
        let (answer, total) = hit(TroubleKind::CreditCount { report }).await;
        assert_eq!(total.credits, 1);
        answer.unwrap().json()["status"]
            .get("credit_count")
            .cloned()
    };
    for value in [
        json!(-1),
        json!(0.5),
        json!("many"),
        json!(1e9),
        Value::Null,
    ] {
        assert_eq!(count(CreditReport::Value(value.clone())).await, Some(value));
    }
    assert_eq!(count(CreditReport::Times(3)).await, Some(json!(3)));
    assert_eq!(count(CreditReport::Missing).await, None);
}

#[tokio::test]
async fn a_redirect_names_another_place() {
    let location = "http://127.0.0.1:1/elsewhere".to_owned();
    let (answer, total) = hit(TroubleKind::Redirect { location }).await;
    let answer = answer.unwrap();
    assert_eq!(
        (answer.status, answer.header("location")),
        (302, "http://127.0.0.1:1/elsewhere")
    );
    assert_eq!((total.requests, total.credits), (1, 0));
}

#[tokio::test]
async fn a_body_is_compressed_when_asked_for_or_by_force() {
    let caller = Caller::quiet().await;
    let plain = reqwest::Client::builder()
        .no_gzip()
        .no_deflate()
        .build()
        .unwrap();
    let call = |encoding: Option<&'static str>| {
        let url = format!("{}{QUOTE}", caller.sandbox.url());
        let request = plain.get(url).header("X-CMC_PRO_API_KEY", "sandbox-key");
        async move {
            let request = match encoding {
                Some(encoding) => request.header("accept-encoding", encoding),
                None => request,
            };
            let response = request.send().await.unwrap();
            let header = response.headers().get("content-encoding").cloned();
            (
                header.is_some_and(|value| value == "gzip"),
                response.bytes().await.unwrap(),
            )
        }
    };
    assert!(!call(None).await.0);
    let (gzip, bytes) = call(Some("deflate, gzip")).await;
    assert!(gzip && bytes.starts_with(&[0x1f, 0x8b]));
    caller.handle.script(Trouble::next(1, TroubleKind::Gzip));
    let (gzip, bytes) = call(None).await;
    assert!(gzip && bytes.starts_with(&[0x1f, 0x8b]));
    // The usual client unpacks it.
    assert_eq!(caller.get(QUOTE).await.data()[0]["id"], 1);
}

#[tokio::test]
async fn a_huge_body_has_the_size_of_choice() {
    for gzip in [false, true] {
        let bytes = 5_500_000;
        let (answer, total) = hit(TroubleKind::Huge { bytes, gzip }).await;
        let answer = answer.unwrap();
        let size = answer.text.len() as u64;
        assert!(size >= bytes && size < bytes + 20_000, "{size}");
        assert_eq!(answer.data()[0]["id"], 1);
        assert!(!answer.headers.contains_key("content-length"));
        assert_eq!(total.credits, 1);
    }
}

#[tokio::test]
async fn kinds_add_up_and_keep_to_their_path() {
    let caller = Caller::quiet().await;
    let headers = vec![("x-note".to_owned(), "here".to_owned())];
    let path = "/v3/cryptocurrency/quotes/latest";
    caller
        .handle
        .script(Trouble::always(TroubleKind::Headers { headers }).on(path));
    caller
        .handle
        .script(Trouble::always(TroubleKind::EmptySuccess).on(path));
    let other = caller.get("/v3/fear-and-greed/latest").await;
    assert!(!other.headers.contains_key("x-note"));
    let answer = caller.get(QUOTE).await;
    assert_eq!(
        (answer.header("x-note"), answer.data()),
        ("here", json!([]))
    );
    assert_eq!(
        caller.handle.arrivals()[1].trouble,
        ["headers", "empty_success"]
    );
    caller.handle.clear_troubles();
    assert!(!caller.get(QUOTE).await.headers.contains_key("x-note"));
}
