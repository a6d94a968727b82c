//! What a worker tells Postgres about tables that grow.

use sqlx::PgPool;

use crate::rig::Rig;
use crate::rows::becomes;
use crate::spawned::Spawned;

/// Otherwise every session goes on with the plans that it made while the queue was empty.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_queue_that_fills_while_a_worker_is_idle_is_analyzed(pool: PgPool) {
    let rig = Rig::new(pool, &[]).await;
    sqlx::raw_sql("alter table larder.jobs set (autovacuum_enabled = off)")
        .execute(&rig.pool)
        .await
        .unwrap();
    let _worker = Spawned::start(&rig, &[], &[]);
    becomes(&rig.pool, "select count(*) from larder.workers", 1).await;

    sqlx::raw_sql(
        "insert into larder.jobs (id, lane, kind, run_at)
         select gen_random_uuid(), 'local', 'noop', now() + interval '1 day' from generate_series(1, 6000)",
    )
    .execute(&rig.pool)
    .await
    .unwrap();

    let known =
        "select (reltuples >= 6000)::int::bigint from pg_class where oid = 'larder.jobs'::regclass";
    becomes(&rig.pool, known, 1).await;
}
