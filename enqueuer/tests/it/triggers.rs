//! Reads of unusually old copies, where the configuration lets them wait for a call.

use std::time::Duration;

use super::harness::{Server, TestResult, execute, json as body, number};

const READ: &str = "/proxy/coinmarketcap/v3/cryptocurrency/quotes/latest?id=1";

/// A server whose planned resources are two hours old; reads may wait for so long, and there
/// are so many tokens.
async fn aged(pool: &sqlx::PgPool, wait: &str, tokens: &'static str) -> Server {
    let more = [
        (
            "LARDER__PROVIDERS__COINMARKETCAP__CACHE__TRIGGER_WAIT",
            wait,
        ),
        ("LARDER__ENQUEUER__PLAN_EVERY", "0s"),
    ];
    let server = Server::start_with(pool, &more).await;
    server.fill().await;
    for sql in [
        "update larder.resources set planned = true, every = '1 day',
             next_refresh_at = clock_timestamp() + interval '1 day' where every is not null",
        "update larder.entries set fetched_at = fetched_at - interval '2 h'",
        "insert into larder.plans (provider, calls_a_sec, threshold) values ('coinmarketcap', 1e-6, 600)",
        "insert into larder.plan_calls (provider, batch_key, items, enough, price, min_interval)
         select distinct 'coinmarketcap', batch_key, 250, 150, 1, interval '1 min'
         from larder.resources where tracked and batch_key is not null",
        tokens,
    ] {
        execute(&server.store, sql).await;
    }
    server
}

const FULL: &str = "update larder.plans set tokens = 10";

async fn age(server: &Server) -> u64 {
    let response = server.get(READ).send().await.unwrap();
    let age = response.headers()["age"].to_str().unwrap().parse().unwrap();
    body(response, 200).await;
    age
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn readers_of_an_unusually_old_copy_wait_for_one_call_of_the_plan(
    pool: sqlx::PgPool,
) -> TestResult {
    let server = aged(&pool, "30s", FULL).await;
    let first = server.get(READ).send();
    let worker = async {
        let call = server.until_admitted().await;
        let classes =
            "select count(*) from larder.api_calls where class = 'planned' and settled_at is null";
        assert_eq!(number(&server.store, classes).await, 1);
        // Whoever comes while it is on its way waits for the same.
        let others = futures::future::join_all((0..20).map(|_| age(&server)));
        let answering = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            server.answer(&call).await;
        };
        let (others, ()) = tokio::join!(others, answering);
        assert!(others.iter().all(|age| *age < 7_200), "{others:?}");
    };
    let (first, ()) = tokio::join!(first, worker);
    let first = first?;
    assert_eq!(first.headers()["age"], "0");
    let status = first.headers()["cache-status"].to_str()?;
    assert!(status.starts_with("larder; fwd=stale"), "{status}");
    let calls = "select count(*) from larder.api_calls where settled_at > clock_timestamp() - interval '1 h' and class = 'planned'";
    assert!(number(&server.store, calls).await >= 1);
    assert_eq!(server.live_jobs().await, 0);
    let tokens = "select round(tokens)::bigint from larder.plans";
    assert_eq!(number(&server.store, tokens).await, 9);
    assert_eq!(age(&server).await, 0, "and nobody waits any more");
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_reader_for_whom_nothing_comes_gets_the_copy_with_its_age(
    pool: sqlx::PgPool,
) -> TestResult {
    let server = aged(&pool, "300ms", FULL).await;
    assert!(age(&server).await >= 7_200);
    assert_eq!(server.live_jobs().await, 1, "its call is made all the same");
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn without_tokens_or_a_plan_of_their_own_reads_do_not_wait(pool: sqlx::PgPool) -> TestResult {
    let server = aged(&pool, "60s", "update larder.plans set tokens = 2.9").await;
    assert!(age(&server).await >= 7_200);
    assert_eq!(server.live_jobs().await, 0);

    execute(&server.store, FULL).await;
    execute(
        &server.store,
        "update larder.resources set planned = false where every is not null",
    )
    .await;
    let server = Server::start_with(
        &pool,
        &[(
            "LARDER__PROVIDERS__COINMARKETCAP__CACHE__TRIGGER_WAIT",
            "60s",
        )],
    )
    .await;
    execute(
        &server.store,
        "update larder.resources set planned = false where every is not null",
    )
    .await;
    assert!(age(&server).await >= 7_200, "a fixed pace is kept");
    assert_eq!(server.live_jobs().await, 0);
    Ok(())
}
