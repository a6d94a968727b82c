//! Reads from memory: nothing is asked of the database, and nothing old is given.

use std::time::Duration;

use super::harness::{Server, TestResult, execute, json as body, number, problem, url_of};

const ONE: &str = "/proxy/coinmarketcap/v3/cryptocurrency/quotes/latest?id=1";
const TEN: &str = "/proxy/coinmarketcap/v3/cryptocurrency/quotes/latest?id=1,1027,825,1839,5426,52,3408,74,2010,1958";

/// Whoever asked for a table now would fail.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_fresh_read_from_memory_asks_the_database_nothing(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    server.fill().await;
    for path in [ONE, TEN] {
        body(server.get(path).send().await?, 200).await;
    }
    execute(&server.store, "alter schema larder rename to hidden").await;

    for path in [ONE, TEN, &TEN.replace("1,1027", "1027,1")] {
        for _ in 0..3 {
            let read = server.get(path).send().await?;
            assert!(
                read.headers()["cache-status"]
                    .to_str()?
                    .starts_with("larder; hit; ttl=")
            );
            body(read, 200).await;
        }
    }
    let unknown = server.get(&ONE.replace("id=1", "id=99999")).send().await?;
    assert!(unknown.status().is_server_error());
    execute(&server.store, "alter schema hidden rename to larder").await;
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_new_answer_replaces_the_copy_with_and_without_announcements(
    pool: sqlx::PgPool,
) -> TestResult {
    let url = url_of(&pool);
    // Nobody listens at port 9: such a process polls.
    let deaf = "postgres://larder@127.0.0.1:9/none";
    for listen in [url.as_str(), deaf] {
        let server = Server::start_with(&pool, &[("DATABASE_LISTEN_URL", listen)]).await;
        execute(
            &server.store,
            "update larder.resources set next_refresh_at = clock_timestamp() where tracked",
        )
        .await;
        server.fill().await;
        for path in [ONE, TEN] {
            body(server.get(path).send().await?, 200).await;
        }
        execute(
            &server.store,
            r#"update larder.entries set body = '{"id":1,"price":2.20}' where resource_key like '%id=1'"#,
        )
        .await;

        let seen = async {
            for path in [ONE, TEN] {
                loop {
                    let read = body(server.get(path).send().await.unwrap(), 200).await;
                    if read["data"][0]["price"] == 2.20 {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        };
        let seen = tokio::time::timeout(Duration::from_secs(3), seen).await;
        assert!(seen.is_ok(), "the old answer stays where {listen}");
        execute(&server.store, "delete from larder.jobs").await;
    }
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn reads_are_counted_wherever_they_are_answered_from(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    server.fill().await;
    for _ in 0..30 {
        body(server.get(ONE).send().await?, 200).await;
    }
    let counted = async {
        loop {
            let reads = "select round(sum(reads_recent))::bigint from larder.resources";
            if number(&server.store, reads).await == 30 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let counted = tokio::time::timeout(Duration::from_secs(10), counted).await;
    assert!(counted.is_ok(), "reads are lost, or counted twice");
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn what_has_not_changed_is_not_sent_again(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    server.fill().await;
    // Composed, and then from memory.
    for _ in 0..2 {
        let first = server.get(TEN).send().await?;
        let tag = first.headers()["etag"].clone();
        for given in [tag.to_str()?, "*", &format!("\"x\", {}", tag.to_str()?)] {
            let again = server
                .get(TEN)
                .header("if-none-match", given)
                .send()
                .await?;
            assert_eq!(again.status(), 304, "{given}");
            for name in ["etag", "cache-control", "vary", "age", "cache-status"] {
                assert!(again.headers().contains_key(name), "{name}");
            }
            assert!(again.bytes().await?.is_empty());
        }
        let other = server.get(TEN).header("if-none-match", "\"x\"").send();
        body(other.await?, 200).await;
    }
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_reader_gets_the_coding_that_it_prefers(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    server.fill().await;
    let list = "/proxy/coinmarketcap/v3/cryptocurrency/quotes/latest?id=";
    let ids: Vec<String> = super::harness::tracked_ids(&server).await;
    let path = format!("{list}{}", ids.join(","));
    let plain = reqwest::Client::builder()
        .no_proxy()
        .no_gzip()
        .no_deflate()
        .build()?;
    let read = async |accepted: &str| -> Result<(Option<String>, Vec<u8>), reqwest::Error> {
        let request = plain.get(format!("{}{path}", server.base));
        let response = request.header("accept-encoding", accepted).send().await?;
        assert_eq!(response.headers()["vary"], "Accept-Encoding");
        let coding = response.headers().get("content-encoding");
        let coding = coding.map(|coding| coding.to_str().unwrap().to_owned());
        Ok((coding, response.bytes().await?.to_vec()))
    };
    let (coding, whole) = read("identity").await?;
    assert_eq!(coding, None);
    for _ in 0..2 {
        let (coding, gzip) = read("gzip, br;q=0.5").await?;
        assert_eq!(coding.as_deref(), Some("gzip"));
        let mut unpacked = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&gzip[..]), &mut unpacked)?;
        assert_eq!(unpacked, whole);
        let (coding, brotli) = read("gzip, deflate, br").await?;
        assert_eq!(coding.as_deref(), Some("br"));
        let mut unpacked = Vec::new();
        brotli::BrotliDecompress(&mut &brotli[..], &mut unpacked)?;
        assert_eq!(unpacked, whole);
        assert!(gzip.len() < whole.len() / 2 && brotli.len() < whole.len() / 2);
    }
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_client_that_misses_too_much_is_told_to_wait(pool: sqlx::PgPool) -> TestResult {
    let few = [("LARDER__ENQUEUER__MISSES_PER_MINUTE", "2")];
    let server = Server::start_with(&pool, &few).await;
    server.fill().await;
    let missing = |id: u32| {
        let path = ONE.replace("id=1", &format!("id={id}"));
        server.get(&path).header("prefer", "wait=0").send()
    };
    for (id, status) in [(70_001, 504), (70_002, 504), (70_003, 429)] {
        let refused = missing(id).await?;
        assert!(refused.headers().contains_key("retry-after"));
        assert_eq!(refused.status(), status, "{id}");
    }
    assert_eq!(
        problem(missing(70_003).await?, 429).await.0,
        "too-many-misses"
    );
    assert_eq!(
        missing(70_001).await?.status(),
        504,
        "others wait for it: free"
    );
    body(server.get(ONE).send().await?, 200).await;
    server.until_live_jobs(2).await;
    Ok(())
}
