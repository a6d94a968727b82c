//! What a worker costs the database while there is nothing to do.

use std::time::{Duration, Instant};

use sqlx::PgPool;

use crate::relay::Relay;
use crate::rig::Rig;
use crate::rows::{becomes, ended};
use crate::spawned::Spawned;

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn an_idle_worker_does_fewer_than_two_statements_a_second(pool: PgPool) {
    let rig = Rig::new(pool, &[]).await;
    let relay = Relay::start(&rig.pool).await;
    let job = rig.enqueue(vec![rig.quote(1)]).await[0];
    let url = relay.url();
    let _worker = Spawned::start(&rig, &[("DATABASE_URL", &url)], &[]);
    assert_eq!(ended(&rig, job).await.status, "completed");

    assert_idles(&relay).await;
}

/// What has ended since is dead and still there: it is stepped over by looks, which have to end too.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn an_idle_worker_does_no_more_while_somebody_holds_a_snapshot(pool: PgPool) {
    let rig = Rig::new(pool, &[]).await;
    let mut holder = rig.pool.begin().await.unwrap();
    sqlx::raw_sql("set transaction isolation level repeatable read; select 1")
        .execute(&mut *holder)
        .await
        .unwrap();
    let put_in = "insert into larder.jobs (id, lane, kind)
                  select gen_random_uuid(), 'local', 'noop' from generate_series(1, 20000)";
    sqlx::raw_sql(put_in).execute(&rig.pool).await.unwrap();
    let relay = Relay::start(&rig.pool).await;
    let url = relay.url();

    let _worker = Spawned::start(&rig, &[("DATABASE_URL", &url)], &[]);

    let finished = "select count(*) from larder.finished_jobs";
    becomes(&rig.pool, finished, 20_000).await;
    assert_idles(&relay).await;
    drop(holder);
}

async fn assert_idles(relay: &Relay) {
    // What came before leaves something to do, which is done by then.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (before, started) = (relay.statements(), Instant::now());
    tokio::time::sleep(Duration::from_secs(6)).await;
    let done = f64::from(u32::try_from(relay.statements() - before).unwrap());
    let seconds = started.elapsed().as_secs_f64();
    assert!(done > 0.0, "it looks");
    assert!(done / seconds < 2.0, "{done} statements in {seconds} s");
}
