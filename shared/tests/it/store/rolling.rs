//! Windows that move are counted from totals, and always to what the ledger says.

use super::*;

/// Calls of all classes, over three days and into the future, many within one second.
const CALLS: &str = "
    insert into larder.api_calls (
        provider, endpoint, batch_key, class, items, lease_token, worker, reserved_at,
        reserved_credits, leased_until, settled_at, end_at, credits, requests, outcome, needs_fold
    )
    select 'coins', 'quotes', 'quotes?', (array['planned', 'reader', 'operator'])[1 + n % 3], 1,
           gen_random_uuid(), 'w', at, 9, at, at, at, n % 7, (n % 5 > 0)::int, 'ok', true
    from generate_series(1, 600) n
    cross join lateral (
        select date_trunc('second', now()) + interval '1 minute' + (n % 4) * interval '0.25 s'
               - floor(power(n % 300, 2.2)) * interval '1 second' as at
    ) t";

/// Every edge that a window can have: at a call's end and beside it, at whole seconds,
/// minutes and hours.
const WRONG: &str = "
    with edges as (
        select e.at + moved as since
        from (
            select end_at as at from larder.api_calls
            union select date_trunc(g, end_at, 'UTC')
            from larder.api_calls, unnest(array['second', 'minute', 'hour']) g
        ) e, unnest(array[interval '0', '1 microsecond', '-1 microsecond', '1 second']) moved
    )
    select count(*)
    from edges
    cross join lateral larder.ended_since('coins', since) t
    cross join lateral (
        select coalesce(sum(requests), 0) as requests, coalesce(sum(credits), 0) as credits,
               coalesce(sum(requests) filter (where class = 'reader'), 0) as reader_requests,
               coalesce(sum(credits) filter (where class = 'reader'), 0) as reader_credits
        from larder.api_calls where settled_at is not null and end_at >= since
    ) l
    where (t.requests, t.credits, t.reader_requests, t.reader_credits)
          is distinct from (l.requests, l.credits, l.reader_requests, l.reader_credits)";

async fn run(store: &Store, statement: &'static str) {
    sqlx::query(statement).execute(store.pool()).await.unwrap();
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn the_totals_of_moving_windows_are_the_sums_over_the_ledger(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = store_with(pool, vec![monthly(100)]).await;
    run(&store, CALLS).await;
    assert_eq!(number(&store, WRONG).await, 0, "nothing folded");

    run(&store, "select larder.fold('coins')").await;
    assert_eq!(number(&store, WRONG).await, 0, "all folded");
    let totals = number(&store, "select count(*) from larder.ended_calls").await;
    assert!(totals > 100, "premise: there are totals");

    // Late settlements, corrections, and calls that are not folded yet; with and without a word.
    run(&store, CALLS).await;
    run(
        &store,
        "update larder.api_calls set credits = credits + 2, end_at = end_at + interval '30 s',
             needs_fold = true where id % 5 = 0",
    )
    .await;
    run(
        &store,
        "update larder.api_calls set end_at = end_at - interval '61 s' where id % 7 = 0",
    )
    .await;
    assert_eq!(number(&store, WRONG).await, 0, "some folded");

    run(&store, "select larder.fold('coins')").await;
    assert_eq!(number(&store, WRONG).await, 0, "folded again");
    Ok(())
}
