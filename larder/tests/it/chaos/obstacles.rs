//! What keeps the database from doing what it is asked: locks, errors, a full disk.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, PgPool};

use super::PATIENCE;
use super::world::World;

/// How long each lasts: longer than statements of the long form may take.
const SPELL: Duration = Duration::from_secs(3);

/// What statements say that were made to fail.
pub(crate) const TRIPPED: &str = "tripped over an obstacle";

/// Sets up what makes statements fail; they fail when told to.
pub(crate) async fn install(pool: &PgPool) {
    let mut sql = format!(
        "create table chaos.ballast (bytes text);
         create table chaos.tripping (code text not null);
         create function chaos.trip() returns trigger language plpgsql as $$
         declare
             wanted text;
         begin
             select code into wanted from chaos.tripping;
             if wanted is not null and random() < 0.05 then
                 raise exception '{TRIPPED}' using errcode = wanted;
             end if;
             return null;
         end $$;"
    );
    for table in ["jobs", "finished_jobs", "api_calls", "entries"] {
        sql += &format!(
            "create trigger trip after insert or update or delete on larder.{table}
                 for each statement execute function chaos.trip();"
        );
    }
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(pool)
        .await
        .unwrap();
}

/// Has one in twenty statements that write fail with this code for a while.
pub(crate) async fn trip(world: &World, code: &str) {
    until_done(
        &world.pool,
        format!("insert into chaos.tripping values ('{code}')"),
    )
    .await;
    tokio::time::sleep(SPELL).await;
    until_done(&world.pool, "delete from chaos.tripping".to_owned()).await;
}

/// What everybody needs.
pub(crate) const TABLES: [&str; 5] = ["jobs", "finished_jobs", "api_calls", "entries", "lanes"];

/// Keeps everybody from a table for a while.
pub(crate) async fn lock(world: &World, table: &str) {
    until_done(
        &world.pool,
        format!(
            "begin; lock table larder.{table} in access exclusive mode;
             select pg_sleep({}); rollback",
            SPELL.as_secs()
        ),
    )
    .await;
}

/// Has the disk full until the database says so, and then for a while.
pub(crate) async fn fill_disk(world: &World) {
    let Some(disk) = &world.disk else {
        return;
    };
    world.is_full.store(true, Ordering::Relaxed);
    disk.fill();
    let began = Instant::now();
    let more = "insert into chaos.ballast
                select string_agg(md5(random()::text), '') from generate_series(1, 20000)";
    // A server that cannot write its log gives up, and then nobody answers.
    while sqlx::query(more).execute(&world.pool).await.is_ok() {
        assert!(began.elapsed() < PATIENCE, "the disk does not get full");
    }
    tokio::time::sleep(SPELL).await;
    disk.make_room();
    world.database.lock().await.revive(SPELL).await;
    until_done(&world.pool, "truncate chaos.ballast".to_owned()).await;
    world.is_full.store(false, Ordering::Relaxed);
}

/// Tries until the database, which may be recovering, has done it.
async fn until_done(pool: &PgPool, sql: String) {
    let began = Instant::now();
    while let Err(error) = sqlx::raw_sql(AssertSqlSafe(sql.clone()))
        .execute(pool)
        .await
    {
        assert!(began.elapsed() < PATIENCE, "{sql}: {error}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
