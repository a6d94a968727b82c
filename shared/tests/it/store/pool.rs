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
    let held = store.pool().acquire().await?;
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
    drop(held);
    store.ping().await?;
    Ok(())
}
