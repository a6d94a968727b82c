//! Why admission is a lock, then counts, then claims: the other orders overspend.
//!
//! Two connections do by hand what an admission does, one step at a time, with a cap of
//! one call. The broken orders are here so that nobody has to believe it.

use sqlx::{Connection, PgConnection, PgPool};

use super::*;

const READ_COMMITTED: &str = "begin isolation level read committed";
const REPEATABLE_READ: &str = "begin isolation level repeatable read";

async fn prepared(pool: &PgPool) -> (PgConnection, PgConnection) {
    let one = limit("in_flight", Unit::Requests, 1, LimitWindow::Concurrency);
    store_with(pool.clone(), vec![one]).await;
    let connect = || async {
        let options = pool.connect_options();
        PgConnection::connect_with(&options).await.unwrap()
    };
    (connect().await, connect().await)
}

async fn run(on: &mut PgConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(on).await.unwrap();
}

async fn lock(on: &mut PgConnection) {
    run(
        on,
        "select from larder.lanes where lane = 'coins' for no key update",
    )
    .await;
}

async fn count(on: &mut PgConnection) -> i64 {
    let sql = "select spent + reserved from larder.limit_usage('coins', clock_timestamp())";
    sqlx::query_scalar(sql).fetch_one(on).await.unwrap()
}

async fn lock_and_count(on: &mut PgConnection) -> i64 {
    let sql = "with locked as materialized (
                   select lane from larder.lanes where lane = 'coins' for no key update
               )
               select u.spent + u.reserved from locked
               cross join lateral larder.limit_usage(locked.lane, clock_timestamp()) u";
    sqlx::query_scalar(sql).fetch_one(on).await.unwrap()
}

/// Reserves if nothing was counted, and commits.
async fn claim(on: &mut PgConnection, counted: i64) {
    if counted == 0 {
        run(
            on,
            "insert into larder.api_calls (provider, endpoint, batch_key, class, items,
                 lease_token, worker, reserved_at, reserved_credits, leased_until)
             values ('coins', 'listing', 'listing?', 'planned', 1, gen_random_uuid(), 'w',
                 clock_timestamp(), 1, clock_timestamp() + interval '30 s')",
        )
        .await;
    }
    run(on, "commit").await;
}

/// Runs `second` on the second connection until it waits for a lock, then `first`, and
/// answers the second connection once it has got the lock.
async fn while_second_waits<F, T>(
    pool: &PgPool,
    mut second: PgConnection,
    step: impl FnOnce(PgConnection) -> F,
    first: impl Future<Output = ()>,
) -> T
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let pid: i32 = sqlx::query_scalar("select pg_backend_pid()")
        .fetch_one(&mut second)
        .await
        .unwrap();
    let waiting = tokio::spawn(step(second));
    loop {
        let waits: bool = sqlx::query_scalar(
            "select coalesce(wait_event_type = 'Lock', false) from pg_stat_activity where pid = $1",
        )
        .bind(pid)
        .fetch_one(pool)
        .await
        .unwrap();
        if waits {
            break;
        }
        tokio::task::yield_now().await;
    }
    first.await;
    waiting.await.unwrap()
}

async fn admitted(pool: PgPool) -> i64 {
    number(&Store::new(pool), "select count(*) from larder.api_calls").await
}

/// The lock first: the second counts what the first has written.
async fn lock_count_claim(pool: &PgPool, begin: &'static str) {
    let (mut a, mut b) = prepared(pool).await;
    run(&mut a, begin).await;
    run(&mut b, begin).await;
    lock(&mut a).await;
    let step = |mut b: PgConnection| async move {
        lock(&mut b).await;
        b
    };
    let first = async {
        let counted = count(&mut a).await;
        claim(&mut a, counted).await;
    };
    let mut b = while_second_waits(pool, b, step, first).await;
    let counted = count(&mut b).await;
    claim(&mut b, counted).await;
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn hole_04_a_lock_of_its_own_and_later_counts_hold(pool: PgPool) {
    lock_count_claim(&pool, READ_COMMITTED).await;
    assert_eq!(admitted(pool).await, 1);
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn hole_04_under_repeatable_read_it_overspends(pool: PgPool) {
    lock_count_claim(&pool, REPEATABLE_READ).await;
    assert_eq!(admitted(pool).await, 2);
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn hole_04_without_the_lock_it_overspends(pool: PgPool) {
    let (mut a, mut b) = prepared(&pool).await;
    run(&mut a, READ_COMMITTED).await;
    run(&mut b, READ_COMMITTED).await;
    let (first, second) = (count(&mut a).await, count(&mut b).await);
    claim(&mut a, first).await;
    claim(&mut b, second).await;
    assert_eq!(admitted(pool).await, 2);
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn hole_04_with_lock_and_count_in_one_statement_it_overspends(pool: PgPool) {
    let (mut a, mut b) = prepared(&pool).await;
    run(&mut a, READ_COMMITTED).await;
    run(&mut b, READ_COMMITTED).await;
    let first = lock_and_count(&mut a).await;
    let step = |mut b: PgConnection| async move {
        let counted = lock_and_count(&mut b).await;
        (b, counted)
    };
    let (mut b, second) = while_second_waits(&pool, b, step, claim(&mut a, first)).await;
    claim(&mut b, second).await;
    assert_eq!(admitted(pool).await, 2);
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn hole_04_with_the_count_before_the_lock_it_overspends(pool: PgPool) {
    let (mut a, mut b) = prepared(&pool).await;
    run(&mut a, READ_COMMITTED).await;
    run(&mut b, READ_COMMITTED).await;
    let (first, second) = (count(&mut a).await, count(&mut b).await);
    lock(&mut a).await;
    claim(&mut a, first).await;
    lock(&mut b).await;
    claim(&mut b, second).await;
    assert_eq!(admitted(pool).await, 2);
}
