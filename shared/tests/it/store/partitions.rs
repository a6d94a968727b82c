//! The days of history: made ahead, dropped when they are over, and nobody waits for either.

use shared::store::{JobEnd, JobOutcome, Retention};
use sqlx::{AssertSqlSafe, PgPool};

use super::*;

const DAY: Duration = Duration::from_secs(86_400);

/// What is kept unless the configuration says otherwise.
const USUAL: Retention = Retention {
    finished: DAY.saturating_mul(7),
    failed: DAY.saturating_mul(30),
};

/// A few times what these wait for locks, for a slow machine; a lock that blocks is held for ever here.
const PATIENCE: Duration = Duration::from_secs(30);

/// A day of ended jobs so many days ago, with one job in it.
async fn day(pool: &PgPool, table: &str, status: &str, days: i32) {
    let day = format!("(now() at time zone 'UTC')::date - {days}");
    let make = format!(
        "do $$ declare d date := {day}; begin
           execute format('create table larder.finished_jobs_{table}_%s partition of
             larder.finished_jobs_{table} for values from (%L) to (%L)',
             to_char(d, 'YYYYMMDD'), d::timestamp at time zone 'UTC', (d + 1)::timestamp at time zone 'UTC');
         end $$;
         insert into larder.finished_jobs (id, lane, kind, args, class, priority, status, run_at,
           attempt, max_attempts, rescues, errors, created_at, started_at, completed_at)
         values (gen_random_uuid(), 'local', 'noop', '{{}}', 'operator', 20, '{status}', now(), 1, 5, 0,
           '[]', now(), now(), ({day})::timestamp at time zone 'UTC' + interval '1 hour')"
    );
    sqlx::raw_sql(AssertSqlSafe(make))
        .execute(pool)
        .await
        .unwrap();
}

/// Days of ended jobs that stand: from so many days ago on.
async fn days(store: &Store, table: &str, from: i32) -> i64 {
    let count = format!(
        "select count(*) from pg_inherits where inhparent = 'larder.finished_jobs_{table}'::regclass
           and inhrelid::regclass::text ~ '[0-9]{{8}}$'
           and to_date(right(inhrelid::regclass::text, 8), 'YYYYMMDD')
               >= (now() at time zone 'UTC')::date - {from}"
    );
    sqlx::query_scalar(AssertSqlSafe(count))
        .fetch_one(store.pool())
        .await
        .unwrap()
}

/// Takes away the days that were made ahead, but for the next few.
async fn forget_days_ahead(store: &Store) {
    sqlx::raw_sql(
        "do $$ declare page regclass; begin
           for page in select inhrelid::regclass from pg_inherits
                       where inhparent in ('larder.finished_jobs_done'::regclass,
                                           'larder.finished_jobs_failed'::regclass)
                         and inhrelid::regclass::text ~ '[0-9]{8}$'
                         and to_date(right(inhrelid::regclass::text, 8), 'YYYYMMDD')
                             > (now() at time zone 'UTC')::date + 3
           loop execute format('drop table %s', page); end loop;
         end $$",
    )
    .execute(store.pool())
    .await
    .unwrap();
}

/// Ends a job of its own, which must not have to wait for anybody.
async fn finish_one(store: &Store) {
    let work = async {
        store.enqueue(&noops(1, 1)).await.unwrap();
        let mut claimer = store.claimer("w", vec!["noop".to_owned()], DAY);
        let job = claimer.claim(1).await.unwrap().jobs.remove(0);
        let done = JobOutcome {
            id: job.id,
            lease_token: job.lease_token,
            end: JobEnd::Done,
        };
        assert_eq!(store.finish(&[done]).await.unwrap().held, [job.id]);
    };
    tokio::time::timeout(PATIENCE, work).await.unwrap();
}

async fn make(store: &Store) -> i32 {
    let made = tokio::time::timeout(PATIENCE, store.make_partitions());
    made.await.unwrap().unwrap()
}

async fn prune(store: &Store) -> i32 {
    let dropped = tokio::time::timeout(PATIENCE, store.prune(USUAL));
    dropped.await.unwrap().unwrap()
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn history_is_dropped_by_the_day_and_failures_are_kept_longer(pool: PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    for days in [3, 10, 40] {
        day(store.pool(), "done", "completed", days).await;
        day(store.pool(), "failed", "failed", days).await;
    }

    assert_eq!(prune(&store).await, 3);

    let left = "select count(*) from larder.finished_jobs where status = ";
    for (status, kept) in [("completed", 1), ("failed", 2)] {
        let left: i64 = sqlx::query_scalar(AssertSqlSafe(format!("{left}'{status}'")))
            .fetch_one(store.pool())
            .await?;
        assert_eq!(left, kept, "{status}");
    }
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn days_stand_a_week_ahead_and_serve_as_the_parent_does(pool: PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    forget_days_ahead(&store).await;
    assert!(make(&store).await >= 8);
    for table in ["done", "failed"] {
        assert!(days(&store, table, -7).await >= 1, "{table}");
    }
    // What one is made as it was before it was attached.
    let unlike = "select count(*) from pg_class c join pg_inherits i on i.inhrelid = c.oid
        where i.inhparent in ('larder.finished_jobs_done'::regclass, 'larder.finished_jobs_failed'::regclass)
          and (not c.relrowsecurity
               or (select count(*) from pg_index x where x.indrelid = c.oid) <> 2
               or (select count(*) from pg_trigger t where t.tgrelid = c.oid) <> 1
               or (select count(*) from pg_constraint k where k.conrelid = c.oid and k.contype = 'c') <> 2)";
    assert_eq!(number(&store, unlike).await, 0);
    finish_one(&store).await;
    let in_default = "select count(*) from larder.finished_jobs_done_default";
    assert_eq!(number(&store, in_default).await, 0);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_reader_of_all_history_delays_days_and_nobody_else(pool: PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    day(store.pool(), "done", "completed", 10).await;
    forget_days_ahead(&store).await;
    // A report, or a backup, that takes its time.
    let mut reader = store.pool().begin().await?;
    sqlx::query("select count(*) from background_jobs")
        .execute(&mut *reader)
        .await?;

    let (made, dropped) = tokio::join!(async { (make(&store).await, make(&store).await) }, async {
        for _ in 0..20 {
            finish_one(&store).await;
        }
        prune(&store).await
    },);
    assert_eq!(
        (made, dropped),
        ((0, 0), 0),
        "they are left for the next time"
    );
    finish_one(&store).await;

    reader.rollback().await?;
    assert!(make(&store).await >= 8);
    assert_eq!(prune(&store).await, 1);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_reader_of_one_day_keeps_that_day_alone(pool: PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    for days in [9, 10, 11] {
        day(store.pool(), "done", "completed", days).await;
    }
    forget_days_ahead(&store).await;
    let mut reader = store.pool().begin().await?;
    sqlx::raw_sql(
        "do $$ begin
           execute format('lock table larder.finished_jobs_done_%s in access share mode',
                          to_char((now() at time zone 'UTC')::date - 10, 'YYYYMMDD'));
         end $$",
    )
    .execute(&mut *reader)
    .await?;

    assert_eq!(prune(&store).await, 2);
    assert!(make(&store).await >= 8);
    finish_one(&store).await;

    reader.rollback().await?;
    assert_eq!(prune(&store).await, 1);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn of_many_who_turn_the_page_at_once_none_waits_or_fails(pool: PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    for days in 8..14 {
        day(store.pool(), "done", "completed", days).await;
    }
    forget_days_ahead(&store).await;
    let turn = async || (make(&store).await, prune(&store).await);
    let turned = futures::future::join_all((0..6).map(|_| turn())).await;
    // Who was told that somebody else is at it has made and dropped nothing.
    let (made, dropped) = (make(&store).await, prune(&store).await);
    let made = made + turned.iter().map(|(made, _)| made).sum::<i32>();
    let dropped = dropped + turned.iter().map(|(_, dropped)| dropped).sum::<i32>();
    assert!(made >= 8, "{made}");
    assert_eq!(dropped, 6);
    Ok(())
}
