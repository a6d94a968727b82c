//! What no reader should ask, and what it is told.

use reqwest::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::harness::{READ_SECRET, Server, TestResult, json as body, number, problem};

const QUOTES: &str = "/proxy/coinmarketcap/v3/cryptocurrency/quotes/latest";

/// Status and body of a request whose target is sent as it stands: a client library would
/// put it right.
async fn raw(server: &Server, method: &str, target: &str) -> (u16, String) {
    let address = server.base.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: x\r\nPrefer: wait=0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap_or("0");
    (status.parse().unwrap_or(0), answer)
}

/// Eight letters by chance.
pub(crate) fn word() -> String {
    let random = uuid::Uuid::new_v4();
    let letters = random.as_bytes()[8..].iter();
    letters.map(|byte| char::from(b'A' + byte % 26)).collect()
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn hostile_questions_are_refused_and_leave_nothing_behind(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    let resources = "select count(*) from larder.resources";
    let before = number(&server.store, resources).await;
    let long = "9".repeat(10_000);
    // At random, so that the database could not make it small either.
    let words: Vec<String> = (0..600).map(|_| word()).collect();
    let words = words.join(",");
    let cases: Vec<(String, u16)> = vec![
        ("/proxy".into(), 404),
        ("/proxy/".into(), 404),
        ("/proxy/nobody/v1/x".into(), 404),
        ("/proxy/..".into(), 404),
        ("/proxy/coinmarketcap".into(), 404),
        ("/proxy/coinmarketcap/".into(), 404),
        ("/proxy/coinmarketcap/../../api/budget".into(), 404),
        (
            "/proxy/coinmarketcap/v3/../v3/cryptocurrency/quotes/latest?id=1".into(),
            404,
        ),
        ("/proxy/coinmarketcap/v3/%2e%2e/v1/key/info".into(), 404),
        (
            "/proxy/coinmarketcap/v3%2Fcryptocurrency%2Fquotes%2Flatest?id=1".into(),
            404,
        ),
        (
            "/proxy/coinmarketcap//v3/cryptocurrency/quotes/latest?id=1".into(),
            404,
        ),
        (
            "/proxy/coinmarketcap/v3/cryptocurrency/quotes/latest/?id=1".into(),
            404,
        ),
        (
            "/proxy/coinmarketcap/v3/cryptocurrency/quotes/latest%00?id=1".into(),
            404,
        ),
        (
            "/proxy/CoinMarketCap/v3/cryptocurrency/quotes/latest?id=1".into(),
            404,
        ),
        (QUOTES.into(), 422),
        (format!("{QUOTES}?id="), 422),
        (format!("{QUOTES}?id=%00"), 422),
        (format!("{QUOTES}?id=1%00"), 422),
        (format!("{QUOTES}?id=../../etc/passwd"), 422),
        (format!("{QUOTES}?id=-1"), 422),
        (format!("{QUOTES}?id=1.5"), 422),
        (format!("{QUOTES}?id=%ff%fe"), 422),
        (format!("{QUOTES}?id=1;drop%20table"), 422),
        (format!("{QUOTES}?id=1%0d%0aSet-Cookie:x"), 422),
        (format!("{QUOTES}?id={long}"), 422),
        (format!("{QUOTES}?{long}=1"), 422),
        (format!("{QUOTES}?id=1&{}", "a&".repeat(5_000)), 422),
        (format!("{QUOTES}?id=1&id=x"), 422),
        (format!("{QUOTES}?id=1&symbol=BTC"), 422),
        (format!("{QUOTES}?id=1&random=7"), 422),
        (
            format!("{QUOTES}?symbol={}", "%F0%9F%92%A9".repeat(100)),
            422,
        ),
        (format!("{QUOTES}?id=1&convert=USD,EUR;x=%27"), 422),
        (format!("{QUOTES}?id={}", "1,".repeat(6_000)), 422),
        (format!("{QUOTES}?id=1&convert={words}"), 422),
    ];
    for (target, expected) in &cases {
        let (status, answer) = raw(&server, "GET", target).await;
        let shown: String = target.chars().take(120).collect();
        assert_eq!(status, *expected, "{shown}: {answer}");
        assert!(answer.contains("/problems/"), "{shown}: {answer}");
        assert!(
            answer.len() < 4_000,
            "{shown}: a long question makes a long answer"
        );
    }
    assert_eq!(number(&server.store, resources).await, before);
    assert_eq!(server.live_jobs().await, 0);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn only_get_and_head_read(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    server.fill().await;
    let path = format!("{QUOTES}?id=1");
    body(server.get(&path).send().await?, 200).await;
    for method in [
        "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND",
    ] {
        let request = server.request(Method::from_bytes(method.as_bytes())?, &path);
        assert_eq!(
            problem(request.send().await?, 405).await.0,
            "method-not-allowed"
        );
    }
    // Also of what is in memory: its length, and nothing of it.
    for _ in 0..2 {
        let (status, answer) = raw(&server, "HEAD", &path).await;
        assert_eq!(status, 200);
        assert!(
            answer.to_lowercase().contains("content-length: "),
            "{answer}"
        );
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    }
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn two_thousand_ids_are_answered_with_what_there_is(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start_untracked(&pool, &[]).await;
    let ids: Vec<String> = (1..=2_000).map(|id| id.to_string()).collect();
    let path = format!("{QUOTES}?id={}", ids.join(","));
    let (answer, ()) = tokio::join!(server.get(&path).send(), async {
        let mut items = 0;
        while items < 2_000 {
            let call = server.until_admitted().await;
            items += call.jobs.len();
            server.answer(&call).await;
        }
    });
    let answer = body(answer?, 200).await;
    let found = answer["data"].as_array().unwrap();
    assert_eq!(found.len(), 2_000);
    assert_eq!(found[1_999]["id"], 2_000);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_secret_in_the_query_opens_and_stays_nowhere(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start_with(&pool, &[("READ_API_SECRET", READ_SECRET)]).await;
    server.fill().await;
    for _ in 0..3 {
        for name in ["CMC_PRO_API_KEY", "cmc_pro_api_key"] {
            let path = format!("{QUOTES}?id=1&{name}={READ_SECRET}");
            body(server.get(&path).send().await?, 200).await;
        }
    }
    // Had an answer been kept by these words, anybody who knows them would be let in; and
    // the words without a secret open nothing.
    problem(server.get(&format!("{QUOTES}?id=1")).send().await?, 401).await;
    let wrong = format!("{QUOTES}?id=1&CMC_PRO_API_KEY=wrong-secret-of-16");
    let (_, detail) = problem(server.get(&wrong).send().await?, 401).await;
    assert!(!detail.contains("wrong-secret"));
    for table in [
        "select count(*) from larder.resources r where r::text like '%readers-secret%'",
        "select count(*) from larder.entries e where e::text like '%readers-secret%'",
        "select count(*) from larder.jobs j where j::text like '%readers-secret%'",
        "select count(*) from larder.finished_jobs j where j::text like '%readers-secret%'",
        "select count(*) from larder.api_calls c where c::text like '%readers-secret%'",
    ] {
        assert_eq!(number(&server.store, table).await, 0, "{table}");
    }
    Ok(())
}
