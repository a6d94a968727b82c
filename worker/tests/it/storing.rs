//! Answers that the database refuses: paid once, and never again.

use sqlx::PgPool;

use crate::rig::{QUOTES, Rig};
use crate::rows::{becomes, ended, number, settled};

/// A trigger that refuses one coin's entry with an error of this code.
async fn refuse(rig: &Rig, code: &str) {
    let sql = format!(
        "create sequence refused;
         create function refuse() returns trigger language plpgsql as $$
         begin
             if new.resource_key like '%id=1027' then
                 -- A sequence keeps what a transaction takes back.
                 perform nextval('refused');
                 raise exception 'not this one' using errcode = '{code}';
             end if;
             return new;
         end $$;
         create trigger refuse before insert on larder.entries for each row execute function refuse();"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
        .execute(&rig.pool)
        .await
        .unwrap();
}

async fn is_paid_once(pool: PgPool, code: &str) {
    let rig = Rig::new(pool, &[]).await;
    refuse(&rig, code).await;
    let jobs = rig.enqueue(vec![rig.quote(1), rig.quote(1027)]).await;
    let worker = rig.worker();
    let call = settled(&rig, 1).await.remove(0);
    assert_eq!(call.outcome.as_deref(), Some("cannot_store"));
    assert_eq!((call.requests, call.credits), (1, Some(1)));
    for job in jobs {
        let job = ended(&rig, job).await;
        assert_eq!((job.status.as_str(), job.attempt), ("failed", 1));
        assert!(job.error.unwrap().starts_with("cannot_store"));
    }
    // Another resource still works, and nothing was asked for twice.
    let next = rig.enqueue(vec![rig.quote(825)]).await[0];
    rig.notify().await;
    assert_eq!(ended(&rig, next).await.status, "completed");
    worker.stop().await;
    assert_eq!(rig.arrivals(QUOTES), 2);
    let entries = number(&rig.pool, "select count(*) from larder.cache").await;
    assert_eq!(entries, 1);
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn an_answer_that_breaks_a_rule_of_the_table_is_paid_once(pool: PgPool) {
    is_paid_once(pool, "23514").await;
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn an_answer_that_is_no_value_of_the_database_is_paid_once(pool: PgPool) {
    is_paid_once(pool, "22P05").await;
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn an_answer_that_exceeds_a_limit_of_the_database_is_paid_once(pool: PgPool) {
    // What JSON nested too deeply for Postgres's stack gives.
    is_paid_once(pool, "54001").await;
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn an_answer_that_a_trigger_refuses_is_paid_once(pool: PgPool) {
    is_paid_once(pool, "P0001").await;
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn what_cannot_be_stored_for_a_while_is_stored_later(pool: PgPool) {
    let rig = Rig::new(pool, &[]).await;
    // A full disk: it passes when somebody makes room.
    refuse(&rig, "53100").await;
    let jobs = rig.enqueue(vec![rig.quote(1), rig.quote(1027)]).await;
    let worker = rig.worker();
    rig.arrived(1).await;
    let refused = "select is_called::int::bigint from refused";
    // It has tried at least once.
    becomes(&rig.pool, refused, 1).await;
    sqlx::query("drop trigger refuse on larder.entries")
        .execute(&rig.pool)
        .await
        .unwrap();
    for job in jobs {
        let job = ended(&rig, job).await;
        assert_eq!((job.status.as_str(), job.attempt), ("completed", 1));
    }
    worker.stop().await;
    assert_eq!(rig.arrivals(QUOTES), 1);
}
