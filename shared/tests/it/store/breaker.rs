//! The circuit breaker: a lane whose calls fail is left alone for a while, and tried again
//! by one call.

use super::*;

async fn store(pool: sqlx::PgPool) -> Store {
    let store = store_with(pool, Vec::new()).await;
    let requests: Vec<_> = (1..=40)
        .map(|nth| {
            let mut resource = quote(nth);
            resource.batch_key = BatchKey(format!("quotes?convert={nth}&id=*"));
            refresh(resource)
        })
        .collect();
    store.enqueue(&requests).await.unwrap();
    store
}

async fn record(store: &Store, call: &AdmittedCall, outcome: &'static str) -> Option<String> {
    let verdict = JobVerdict::Retry {
        after: Duration::from_secs(3_600),
        error: outcome.to_owned(),
    };
    let record = CallRecord {
        outcome,
        entries: Vec::new(),
        jobs: verdicts(call, &verdict),
        ..answered(call, 0, "1")
    };
    store.record(&record).await.unwrap().closed
}

async fn fail(store: &Store, times: usize) -> Option<String> {
    let mut closed = None;
    for _ in 0..times {
        let call = admit_one(store).await;
        closed = record(store, &call, "provider_error").await;
    }
    closed
}

/// For how long the lane is closed, in seconds; it is opened, as if that time had passed.
async fn pass_the_pause(store: &Store) -> f64 {
    sqlx::query_scalar(
        "update larder.lanes set closed_until = now(), closed_at = now() - (closed_until - closed_at)
         where lane = 'coins'
         returning extract(epoch from closed_until - closed_at)::float8",
    )
    .fetch_one(store.pool())
    .await
    .unwrap()
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn failures_in_a_row_close_the_lane_and_one_success_starts_the_row_anew(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = store(pool).await;
    assert_eq!(fail(&store, 4).await, None);
    let call = admit_one(&store).await;
    assert_eq!(record(&store, &call, "ok").await, None);
    assert_eq!(fail(&store, 4).await, None);
    assert_eq!(fail(&store, 1).await.as_deref(), Some("breaker"));
    assert!(admit(&store, "worker-a", 1).await.calls.is_empty());
    let waits = "select count(*) from larder.jobs where attempt = 0";
    assert_eq!(
        number(&store, waits).await,
        30,
        "the others lost no attempt"
    );
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn one_call_tries_it_again_and_each_pause_is_twice_the_last(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = store(pool).await;
    fail(&store, 5).await;
    for pause in [10.0, 20.0, 40.0, 80.0, 160.0, 300.0] {
        let paused = pass_the_pause(&store).await;
        assert!((paused - pause).abs() < 1.0, "{paused} is not {pause}");
        let tries = admit(&store, "worker-a", 8).await;
        assert_eq!(tries.calls.len(), 1, "half open");
        assert!(admit(&store, "worker-b", 8).await.busy);
        let closed = record(&store, &tries.calls[0], "timeout").await;
        assert_eq!(closed.as_deref(), Some("breaker"));
    }
    pass_the_pause(&store).await;
    let call = admit_one(&store).await;
    assert_eq!(record(&store, &call, "ok").await, None);
    // Well again: more at once, and a failure is the first of a new row.
    let more = admit(&store, "worker-a", 8).await;
    assert_eq!(more.calls.len(), 2);
    assert_eq!(record(&store, &more.calls[0], "provider_error").await, None);
    Ok(())
}

/// That the provider tells its count says nothing of the calls that fail.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_usage_report_does_not_make_a_lane_well_again(pool: sqlx::PgPool) -> TestResult {
    let store = store(pool).await;
    fail(&store, 5).await;
    pass_the_pause(&store).await;
    let asked = admit_usage(&store, Duration::ZERO).await.unwrap();
    store.record(&answered(&asked, 0, "1")).await?;
    let tries = admit(&store, "worker-a", 8).await;
    assert_eq!(tries.calls.len(), 1, "still one");
    let closed = record(&store, &tries.calls[0], "timeout").await;
    assert_eq!(closed.as_deref(), Some("breaker"));
    let paused = pass_the_pause(&store).await;
    assert!((paused - 20.0).abs() < 1.0, "{paused}");
    Ok(())
}

/// Hole 18: whoever tries is killed; that follows from the ledger and blocks nobody for good.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_try_whose_worker_was_killed_is_followed_by_another(pool: sqlx::PgPool) -> TestResult {
    let store = store(pool).await;
    fail(&store, 5).await;
    pass_the_pause(&store).await;
    admit_one(&store).await;
    for table in ["jobs", "api_calls"] {
        let sql = format!(
            "update larder.{table} set leased_until = now() - interval '1 s' where leased_until is not null"
        );
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .execute(store.pool())
            .await?;
    }
    store.rescue(3).await?;
    assert_eq!(admit(&store, "worker-b", 8).await.calls.len(), 1);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_refused_endpoint_is_not_asked_again_with_the_same_key(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    enqueue_one(&store, refresh(single("listing"))).await;
    let call = admit_one(&store).await;
    let refused = CallRecord {
        outcome: "endpoint_forbidden",
        entries: Vec::new(),
        jobs: verdicts(
            &call,
            &JobVerdict::Fail {
                error: "no".to_owned(),
            },
        ),
        ..answered(&call, 0, "1")
    };
    store.record(&refused).await?;

    let (again, _) = enqueue_one(&store, refresh(single("listing"))).await;
    enqueue_one(&store, refresh(single("map"))).await;
    let admission = admit(&store, "worker-a", 8).await;
    assert_eq!(admission.calls.len(), 1, "other endpoints go on");
    let error = store.job(again).await?.errors[0]["error"].to_string();
    assert!(error.contains("endpoint_forbidden"), "{error}");

    let mut lane = lane(Vec::new());
    lane.key_id = Some("key-2".to_owned());
    store.sync(&[lane], &[]).await?;
    enqueue_one(&store, refresh(single("listing"))).await;
    assert_eq!(
        admit(&store, "worker-a", 8).await.calls.len(),
        1,
        "a new key"
    );
    Ok(())
}

/// Hole 24: the limit of an address holds for every provider behind it.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_limit_by_address_closes_every_lane_behind_it(pool: sqlx::PgPool) -> TestResult {
    let store = Store::new(pool);
    let named = |name: &str, host: &str| {
        let mut lane = lane(Vec::new());
        lane.provider = name.parse().unwrap();
        lane.host = host.to_owned();
        lane
    };
    let lanes = [
        named("coins", "one:443"),
        named("sister", "one:443"),
        named("stranger", "two:443"),
    ];
    store.sync(&lanes, &[]).await?;
    enqueue_one(&store, refresh(single("map"))).await;
    let call = admit_one(&store).await;
    let record = CallRecord {
        outcome: "throttled",
        close: Some(shared::store::LaneClose {
            reason: "throttled:ip".to_owned(),
            until: shared::store::CloseUntil::For(Duration::from_secs(60)),
            retry_after: None,
            by_address: true,
        }),
        ..answered(&call, 0, "1")
    };
    store.record(&record).await?;
    let mut closed: Vec<String> = store
        .closed_lanes()
        .await?
        .into_iter()
        .map(|lane| lane.lane)
        .collect();
    closed.sort();
    assert_eq!(closed, ["coins", "sister"]);
    Ok(())
}
