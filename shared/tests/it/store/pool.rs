//! How long a process waits for a connection.

use std::time::Instant;

use super::*;
use shared::store::StoreError;

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn nobody_waits_longer_for_a_connection_than_the_pool_says(pool: sqlx::PgPool) -> TestResult {
    let mut url = url::Url::parse(&std::env::var("DATABASE_URL")?)?;
    url.set_path(pool.connect_options().get_database().unwrap());
    let patience = Duration::from_millis(100);
    let store = Store::connect_lazy_within(url.as_str(), 1, patience)?;
    // Its one connection waits for a lock that somebody else holds.
    let mut elsewhere = pool.begin().await?;
    sqlx::query("lock table larder.lanes")
        .execute(&mut *elsewhere)
        .await?;
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.closed_lanes().await }
    });
    super::holes::waits_or_ends(&store, &waiting).await;
    let began = Instant::now();

    let refused = store.ping().await.unwrap_err();

    assert!(matches!(
        refused,
        StoreError::Database(sqlx::Error::PoolTimedOut)
    ));
    assert!(refused.is_transient());
    let took = began.elapsed();
    assert!(
        took >= patience && took < Duration::from_secs(5),
        "{took:?}"
    );
    elsewhere.rollback().await?;
    waiting.await??;
    store.ping().await?;
    Ok(())
}

/// What is asked first, whether a pooler stands between, waits no longer than anything else.
#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() -> TestResult {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("postgres://larder@{}/larder", silent.local_addr()?);
    let store = Store::connect_lazy_within(&url, 1, Duration::from_millis(100))?;

    let answered = tokio::time::timeout(Duration::from_secs(5), store.ping()).await;

    let refused = answered?.expect_err("nobody answers");
    assert!(refused.is_transient(), "{refused:?}");
    Ok(())
}
