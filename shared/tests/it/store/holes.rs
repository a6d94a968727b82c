//! Holes of the budget protocol that the store closes, each by its number in
//! `docs/budget-holes.md`; where a test of another file closes one, it is named there.

use sqlx::{Connection, PgConnection};

use super::*;

async fn raw(on: &mut PgConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(on).await.unwrap();
}

async fn connect(store: &Store) -> PgConnection {
    let options = store.pool().connect_options();
    PgConnection::connect_with(&options).await.unwrap()
}

/// Waits until the task waits for a lock, or has not needed one.
pub(super) async fn waits_or_ends<T>(store: &Store, task: &tokio::task::JoinHandle<T>) {
    let sql = "select count(*) from pg_stat_activity
               where datname = current_database() and wait_event_type = 'Lock'";
    while !task.is_finished() && number(store, sql).await == 0 {
        tokio::task::yield_now().await;
    }
}

/// A wider difference of the clocks puts calls that have ended into further windows.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn hole_11_a_changed_grace_adds_the_windows_up_anew(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, vec![monthly(9)]).await;
    enqueue_one(&store, refresh(quote(1))).await;
    let call = admit_one(&store).await;
    store.record(&answered(&call, 1, "1")).await?;
    // It ended a minute before this month began.
    sqlx::query(
        "update larder.api_calls
         set end_at = date_trunc('month', now(), 'UTC') - interval '1 min',
             reserved_at = date_trunc('month', now(), 'UTC') - interval '2 min'",
    )
    .execute(store.pool())
    .await?;
    sqlx::query("select larder.fold('coins')")
        .execute(store.pool())
        .await?;
    let used = "select sum(spent)::bigint from larder.limit_usage('coins', now())
                where starts_at <= now() and ends_at > now()";
    assert_eq!(number(&store, used).await, 0, "premise: it ended before");

    let mut wider = lane(vec![monthly(9)]);
    wider.reset_grace = Duration::from_secs(120);
    store.sync(&[wider], &[]).await?;
    assert_eq!(number(&store, used).await, 1);

    store.sync(&[lane(vec![monthly(9)])], &[]).await?;
    assert_eq!(number(&store, used).await, 0, "and back");
    Ok(())
}

/// A heartbeat that holds the row of a call in flight does not keep it from being raised.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn hole_12_calls_in_flight_are_raised_whoever_holds_their_rows(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = store_with(pool, vec![monthly(100)]).await;
    let other = |nth| {
        let mut resource = quote(nth);
        resource.batch_key = BatchKey(format!("quotes?convert={nth}&id=*"));
        refresh(resource)
    };
    store.enqueue(&[other(1), other(2)]).await?;
    let calls = admit(&store, "worker-a", 2).await.calls;
    let mut heartbeat = connect(&store).await;
    raw(&mut heartbeat, "begin").await;
    raw(
        &mut heartbeat,
        "update larder.api_calls set leased_until = leased_until
         where id = (select max(id) from larder.api_calls)",
    )
    .await;
    let record = answered(&calls[0], 3, "1");
    let recording = tokio::spawn({
        let store = store.clone();
        async move { store.record(&record).await }
    });
    waits_or_ends(&store, &recording).await;

    raw(&mut heartbeat, "commit").await;

    assert_eq!(recording.await??.drift, 2);
    let reserved = "select reserved_credits::bigint from larder.api_calls where settled_at is null";
    assert_eq!(number(&store, reserved).await, 3);
    Ok(())
}

/// Nothing is admitted at the old price once a dearer answer is being recorded.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn hole_12_admissions_wait_for_a_price_that_is_being_learnt(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = store_with(pool, vec![monthly(100)]).await;
    enqueue_one(&store, refresh(quote(1))).await;
    let call = admit_one(&store).await;
    let mut admission = connect(&store).await;
    raw(&mut admission, "begin").await;
    raw(
        &mut admission,
        "select from larder.lanes where lane = 'coins' for no key update",
    )
    .await;
    let record = answered(&call, 3, "1");
    let recording = tokio::spawn({
        let store = store.clone();
        async move { store.record(&record).await }
    });
    waits_or_ends(&store, &recording).await;

    // It reserves at the price that it knows, and is raised since it came first.
    raw(
        &mut admission,
        "insert into larder.api_calls (provider, endpoint, batch_key, class, items, lease_token,
             worker, reserved_at, reserved_credits, leased_until)
         values ('coins', 'quotes', 'quotes?', 'planned', 1, gen_random_uuid(), 'w', now(), 1,
             now() + interval '30 s');
         commit",
    )
    .await;

    recording.await??;
    let reserved = "select reserved_credits::bigint from larder.api_calls where settled_at is null";
    assert_eq!(number(&store, reserved).await, 3);
    Ok(())
}

/// Those who ask name many keys in any order, while calls for the same keys are recorded.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn hole_13_asking_and_recording_never_deadlock(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    let mut everybody = tokio::task::JoinSet::new();
    for nth in 0..4_usize {
        let store = store.clone();
        everybody.spawn(async move {
            for round in 0..15 {
                let mut requests: Vec<_> = (1..=60).map(|id| refresh(quote(id))).collect();
                requests.rotate_left((nth * 17 + round * 7) % 60);
                if nth % 2 == 0 {
                    requests.reverse();
                }
                store.enqueue(&requests).await.unwrap();
                for call in admit(&store, &format!("worker-{nth}"), 2).await.calls {
                    store.record(&answered(&call, 1, "1")).await.unwrap();
                }
            }
        });
    }
    everybody.join_all().await;
    Ok(())
}

/// Record takes no lock that an admission holds: only what closes the lane does.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn hole_15_a_record_needs_neither_the_lane_nor_its_limits(pool: sqlx::PgPool) -> TestResult {
    let minute = LimitWindow::Rolling(Duration::from_secs(60));
    let limits = vec![monthly(9), limit("minute", Unit::Requests, 9, minute)];
    let store = store_with(pool, limits).await;
    enqueue_one(&store, refresh(quote(1))).await;
    let call = admit_one(&store).await;
    let mut admission = connect(&store).await;
    raw(&mut admission, "begin").await;
    raw(
        &mut admission,
        "select from larder.lanes where lane = 'coins' for no key update;
         select from larder.limits for no key update",
    )
    .await;

    let recorded = store.record(&answered(&call, 1, "1")).await?;

    assert!(recorded.settled);
    raw(&mut admission, "rollback").await;
    Ok(())
}

/// What a claim of the lane `local` sets is over with its transaction: the next one on the
/// same connection, which a pooler may hand on, is durable.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn hole_17_a_claim_leaves_no_setting_on_its_connection(pool: sqlx::PgPool) -> TestResult {
    let one = sqlx::postgres::PgPoolOptions::new()
        .max_connections(1)
        .connect_with((*pool.connect_options()).clone())
        .await?;
    let store = store_with(one, Vec::new()).await;
    let kinds = vec!["noop".to_owned()];
    let mut claimer = store.claimer("worker-a", kinds, Duration::from_secs(30));
    store.enqueue(&noops(1, 2)).await?;
    let before: String = sqlx::query_scalar("show synchronous_commit")
        .fetch_one(store.pool())
        .await?;

    assert_eq!(claimer.claim(1).await?.jobs.len(), 1);
    drop(claimer);

    let after: String = sqlx::query_scalar("show synchronous_commit")
        .fetch_one(store.pool())
        .await?;
    assert_eq!(before, after);
    Ok(())
}

/// Who probes is not written down, so that a probe that was killed is not waited for.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn hole_18_a_probe_whose_worker_was_killed_is_followed_by_another(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    store
        .enqueue(&[refresh(single("map")), refresh(single("listing"))])
        .await?;
    let name = shared::model::LaneName::from(&provider());
    store.close_lane(&name, "throttled:minute", None).await?;
    store.open_lane(&name).await?;
    let probe = admit(&store, "worker-a", 8).await;
    assert_eq!(probe.calls.len(), 1, "premise: one probe");
    let waits = admit(&store, "worker-b", 8).await;
    assert!(waits.calls.is_empty() && waits.busy);

    for sql in [
        "update larder.jobs set leased_until = now() - interval '1 s' where status = 'running'",
        "update larder.api_calls set leased_until = now() - interval '1 s'",
    ] {
        sqlx::query(sql).execute(store.pool()).await?;
    }
    store.rescue(3).await?;

    assert_eq!(admit(&store, "worker-b", 8).await.calls.len(), 1);
    Ok(())
}

/// The longest window is a month, and what lapsed may be charged to the next one too.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn hole_31_calls_are_kept_while_any_window_counts_them(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, vec![monthly(9)]).await;
    store
        .enqueue(&[refresh(single("map")), refresh(single("listing"))])
        .await?;
    for call in admit(&store, "worker-a", 2).await.calls {
        store
            .record(&answered(&call, call.reserved_credits, "1"))
            .await?;
    }
    sqlx::query("select larder.fold('coins')")
        .execute(store.pool())
        .await?;
    sqlx::query(
        "update larder.api_calls set reserved_at = now() - case endpoint
             when 'map' then interval '70 days' else interval '101 days' end",
    )
    .execute(store.pool())
    .await?;
    let day = Duration::from_secs(86_400);

    store
        .prune(shared::store::Retention {
            finished: day,
            failed: day,
        })
        .await?;

    let kept = "select count(*) from larder.api_calls where endpoint = 'map'";
    assert_eq!(number(&store, kept).await, 1);
    assert_eq!(
        number(&store, "select count(*) from larder.api_calls").await,
        1
    );
    Ok(())
}
