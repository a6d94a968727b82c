//! What an enqueuer costs the database while nobody asks it anything.

use std::time::{Duration, Instant};

use super::harness::{Server, TestResult, execute, json as body};
use super::relay::Relay;

const ONE: &str = "/proxy/coinmarketcap/v3/cryptocurrency/quotes/latest?id=1";

/// Both with nothing in memory, and with copies that have to be kept right.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn an_idle_enqueuer_does_less_than_a_statement_a_second(pool: sqlx::PgPool) -> TestResult {
    let relay = Relay::start(&pool).await;
    // The usual tick: the tests of others have none.
    let usual = [("LARDER__ENQUEUER__TICK_EVERY", "5s")];
    let server = Server::start_at(&relay.url(), &pool, &usual).await;
    server.until_ready_says("no worker has been seen").await;
    server.fill().await;
    for copies in [false, true] {
        if copies {
            body(server.get(ONE).send().await?, 200).await;
        }
        // What its start and the read leave to do is done by then.
        tokio::time::sleep(Duration::from_secs(3)).await;
        let (before, started) = (relay.statements(), Instant::now());
        tokio::time::sleep(Duration::from_secs(20)).await;
        let done = f64::from(u32::try_from(relay.statements() - before)?);
        let seconds = started.elapsed().as_secs_f64();
        assert!(done > 0.0, "it looks");
        assert!(
            done / seconds < 1.0,
            "{done} statements in {seconds} s, copies: {copies}"
        );
    }
    Ok(())
}

/// Nothing announces this change: only a look can find it.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn the_first_read_after_a_pause_needs_no_announcement(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    server.fill().await;
    body(server.get(ONE).send().await?, 200).await;
    // Long enough that looks have become rare.
    tokio::time::sleep(Duration::from_secs(3)).await;
    execute(
        &server.store,
        r#"update larder.entries set body = '{"id":1,"price":2.20}' where resource_key like '%id=1'"#,
    )
    .await;
    let read = body(server.get(ONE).send().await?, 200).await;
    assert_eq!(read["data"][0]["price"], 2.20);
    Ok(())
}
