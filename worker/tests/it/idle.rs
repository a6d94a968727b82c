//! What a worker costs the database while there is nothing to do.

use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection, PgPool};

use crate::rig::{Rig, eventually};
use crate::rows::ended;
use crate::spawned::Spawned;

/// Transactions of a database so far, seen from another one. A statement of ours outside
/// a transaction is one.
async fn transactions(outside: &mut PgConnection, database: &str) -> i64 {
    sqlx::query_scalar(
        "select xact_commit + xact_rollback from pg_stat_database where datname = $1",
    )
    .bind(database)
    .fetch_one(outside)
    .await
    .unwrap()
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn an_idle_worker_does_fewer_than_two_statements_a_second(pool: PgPool) {
    let rig = Rig::new(pool, &[]).await;
    let job = rig.enqueue(vec![rig.quote(1)]).await[0];
    let worker = Spawned::start(&rig, &[], &[]);
    assert_eq!(ended(&rig, job).await.status, "completed");
    let options = rig.pool.connect_options();
    let database = options.get_database().unwrap();
    let outside = options.as_ref().clone().database("postgres");
    let mut outside = PgConnection::connect_with(&outside).await.unwrap();
    // Backends report with some delay: what was done before has been told when a second
    // has gone by with next to nothing.
    let mut before = transactions(&mut outside, database).await;
    eventually("it is idle", async || {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let now = transactions(&mut outside, database).await;
        let quiet = now - before <= 4;
        before = now;
        quiet.then_some(())
    })
    .await;

    let started = Instant::now();
    tokio::time::sleep(Duration::from_secs(6)).await;
    let done = transactions(&mut outside, database).await - before;
    let seconds = started.elapsed().as_secs();
    assert!(done > 0, "it looks");
    assert!(
        done < 2 * i64::try_from(seconds).unwrap(),
        "{done} in {seconds} s"
    );
    drop(worker);
}
