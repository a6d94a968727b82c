//! Answer, cost and outcome are one; good data is never replaced by older data.

use std::time::Duration;

use chrono::{DateTime, TimeZone, Utc};
use shared::model::JobStatus;
use shared::store::{CloseUntil, LaneClose};

use super::*;

async fn body(store: &Store, id: usize) -> Option<String> {
    let entries = store.entries(&[quote(id).key]).await.unwrap();
    entries.first().map(|entry| entry.body.get().to_owned())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_recorded_call_leaves_answer_cost_and_outcome(pool: sqlx::PgPool) -> TestResult {
    let store = Store::new(pool);
    store
        .sync(&[lane(vec![monthly(10)])], &[tracked(quote(1))])
        .await?;
    store.tick(false).await?;
    let call = admit_one(&store).await;

    let recorded = store
        .record(&answered(&call, 1, r#"{"price":1.10}"#))
        .await?;

    assert!(recorded.settled);
    assert_eq!((recorded.completed, recorded.stored.len()), (1, 1));
    assert_eq!(
        body(&store, 1).await.as_deref(),
        Some(r#"{"price":1.10}"#),
        "digits are kept"
    );
    let job = store.job(call.jobs[0].id).await?;
    assert_eq!(job.status, JobStatus::Completed);
    assert!(job.completed_at.is_some());
    let ledger = store.calls(None, None, 10).await?;
    assert_eq!(
        (ledger[0].credits, ledger[0].outcome.as_deref()),
        (Some(1), Some("ok"))
    );
    assert_eq!(
        store.tick(false).await?.due,
        0,
        "the next refresh has moved"
    );
    Ok(())
}

/// A worker that was frozen past its lease comes back: its jobs run elsewhere by then.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_late_answer_settles_its_cost_once_and_finishes_nobodys_job(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = store_with(pool, vec![monthly(10)]).await;
    let (job, _) = enqueue_one(&store, refresh(single("listing"))).await;
    let late = admit_one(&store).await;
    sqlx::query("update larder.jobs set leased_until = now() - interval '1 s'")
        .execute(store.pool())
        .await?;
    sqlx::query("update larder.api_calls set leased_until = now() - interval '1 s'")
        .execute(store.pool())
        .await?;
    let rescued = store.rescue(3).await?;
    assert_eq!((rescued.waiting.len(), rescued.lapsed.len()), (1, 1));
    let current = admit_one(&store).await;
    assert_eq!(
        current.jobs[0].attempt, late.jobs[0].attempt,
        "premise: the attempt was given back"
    );

    let recorded = store.record(&answered(&late, 2, "1")).await?;

    assert_eq!(
        (recorded.settled, recorded.lost, recorded.completed),
        (true, 1, 0)
    );
    assert_eq!(store.job(job).await?.status, JobStatus::Running);
    let again = store.record(&answered(&late, 2, "1")).await?;
    assert!(!again.settled, "once");
    let credits = number(
        &store,
        "select credits::bigint from larder.api_calls order by id limit 1",
    )
    .await;
    assert_eq!(credits, 2);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn of_two_overlapping_answers_the_first_recorded_stays(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    enqueue_one(&store, refresh(quote(1))).await;
    let early = admit_one(&store).await;
    sqlx::query("update larder.jobs set leased_until = now() - interval '1 s'")
        .execute(store.pool())
        .await?;
    store.rescue(3).await?;
    let later = admit_one(&store).await;
    store.record(&answered(&later, 1, "\"later\"")).await?;

    let recorded = store.record(&answered(&early, 1, "\"early\"")).await?;

    assert!(recorded.stored.is_empty());
    assert_eq!(body(&store, 1).await.as_deref(), Some("\"later\""));
    enqueue_one(&store, refresh(quote(1))).await;
    let after = admit_one(&store).await;
    store.record(&answered(&after, 1, "\"after\"")).await?;
    assert_eq!(body(&store, 1).await.as_deref(), Some("\"after\""));
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn the_providers_own_time_decides_where_there_is_one(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    let at = |minute| -> DateTime<Utc> { Utc.with_ymd_and_hms(2026, 1, 1, 0, minute, 0).unwrap() };
    for (minute, text, wins) in [
        (5, "\"five\"", true),
        (4, "\"four\"", false),
        (5, "\"same\"", true),
        (6, "\"six\"", true),
    ] {
        enqueue_one(&store, refresh(quote(1))).await;
        let call = admit_one(&store).await;
        let mut record = answered(&call, 1, text);
        record.entries[0].provider_time = Some(at(minute));

        let recorded = store.record(&record).await?;

        assert_eq!(recorded.stored.len() == 1, wins, "{text}");
        assert_eq!(recorded.completed, 1, "the job completes all the same");
    }
    assert_eq!(body(&store, 1).await.as_deref(), Some("\"six\""));
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_call_without_an_answer_stays_spent_and_its_jobs_try_again(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = store_with(pool, vec![monthly(10)]).await;
    let (job, _) = enqueue_one(&store, refresh(single("listing"))).await;
    let call = admit_one(&store).await;
    let mut record = answered(&call, 0, "1");
    record.settlement = Settlement::GaveUp;
    record.outcome = "timeout";
    record.entries.clear();
    record.jobs = verdicts(
        &call,
        &JobVerdict::Retry {
            after: Duration::from_secs(7),
            error: "timeout: no answer".to_owned(),
        },
    );

    store.record(&record).await?;

    assert_eq!(store.budget().await?[0].limits[0].spent, 3);
    let row = store.job(job).await?;
    assert_eq!(
        (row.status, row.attempt, row.waiting.as_deref()),
        (JobStatus::Pending, 1, Some("retry"))
    );
    assert_eq!(row.errors[0]["error"], "timeout: no answer");
    let ends_later = number(
        &store,
        "select count(*) from larder.api_calls where end_at > settled_at + interval '29 s'",
    )
    .await;
    assert_eq!(ends_later, 1, "the request may still travel");
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_call_that_never_left_gives_everything_back(pool: sqlx::PgPool) -> TestResult {
    let minute = LimitWindow::Rolling(Duration::from_secs(60));
    let store = store_with(
        pool,
        vec![monthly(10), limit("minute", Unit::Requests, 5, minute)],
    )
    .await;
    enqueue_one(&store, refresh(single("listing"))).await;
    let call = admit_one(&store).await;
    let mut record = answered(&call, 0, "1");
    record.settlement = Settlement::NotSent;
    record.outcome = "connect";
    record.entries.clear();
    record.jobs = verdicts(&call, &JobVerdict::Release);

    store.record(&record).await?;

    let limits = store.budget().await?.remove(0).limits;
    assert!(
        limits.iter().all(|limit| limit.spent + limit.reserved == 0),
        "{limits:?}"
    );
    assert_eq!(store.job(call.jobs[0].id).await?.attempt, 0);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_throttled_answer_closes_the_lane_and_burns_no_attempt(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, vec![monthly(10)]).await;
    let (job, _) = enqueue_one(&store, refresh(quote(1))).await;
    let call = admit_one(&store).await;
    let mut record = answered(&call, 0, "1");
    record.outcome = "throttled";
    record.entries.clear();
    record.jobs = verdicts(&call, &JobVerdict::Release);
    record.close = Some(LaneClose {
        reason: "throttled:month".to_owned(),
        until: CloseUntil::Month,
        retry_after: None,
        by_address: false,
    });

    store.record(&record).await?;

    let closed = store.closed_lanes().await?;
    assert_eq!(closed[0].reason, "throttled:month");
    let month_end = number(
        &store,
        "select count(*) from larder.lanes
         where closed_until = date_trunc('month', now() at time zone 'UTC') at time zone 'UTC'
                              + interval '1 month 5 seconds'",
    )
    .await;
    assert_eq!(month_end, 1);
    assert_eq!(store.job(job).await?.attempt, 0);
    assert_eq!(
        store.job(job).await?.waiting.as_deref(),
        Some("lane_closed")
    );
    Ok(())
}

/// Hole 21: the answer to a call with the old key says nothing about the new key.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_dead_key_closes_the_lane_until_a_new_key_and_never_the_new_keys_lane(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    store
        .enqueue(&[refresh(single("map")), refresh(single("listing"))])
        .await?;
    let calls = admit(&store, "worker-a", 2).await.calls;
    let dead = |call: &AdmittedCall| {
        let mut record = answered(call, 0, "1");
        record.outcome = "key_dead";
        record.entries.clear();
        record.jobs = verdicts(call, &JobVerdict::Release);
        record.close = Some(LaneClose {
            reason: "key_dead".to_owned(),
            until: CloseUntil::Operator,
            retry_after: None,
            by_address: false,
        });
        record
    };
    store.record(&dead(&calls[0])).await?;
    assert_eq!(store.closed_lanes().await?[0].until, None);
    let with_key = |key: Option<&str>| LaneSpec {
        key_id: key.map(str::to_owned),
        ..lane(Vec::new())
    };
    for key in [None, Some("key-1")] {
        store.sync(&[with_key(key)], &[]).await?;
        assert_eq!(store.closed_lanes().await?.len(), 1, "{key:?} is no news");
    }
    store.sync(&[with_key(Some("key-2"))], &[]).await?;
    assert!(
        store.closed_lanes().await?.is_empty(),
        "the new key opens it"
    );

    store.record(&dead(&calls[1])).await?;

    assert!(store.closed_lanes().await?.is_empty());
    Ok(())
}

/// Hole 27: otherwise every tick pays for the same failure again.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_refresh_that_failed_for_good_is_due_later_and_later(pool: sqlx::PgPool) -> TestResult {
    let store = Store::new(pool);
    store
        .sync(&[lane(Vec::new())], &[tracked(quote(1))])
        .await?;
    let mut waits = Vec::new();
    for _ in 0..3 {
        sqlx::query("update larder.resources set next_refresh_at = now()")
            .execute(store.pool())
            .await?;
        assert_eq!(store.tick(false).await?.enqueued, 1);
        let call = admit_one(&store).await;
        let mut record = answered(&call, 1, "1");
        record.entries.clear();
        record.jobs = verdicts(
            &call,
            &JobVerdict::Fail {
                error: "not_found".to_owned(),
            },
        );
        store.record(&record).await?;
        waits.push(number(
            &store,
            "select round(extract(epoch from next_refresh_at - now()))::bigint from larder.resources",
        ).await);
    }
    assert_eq!(waits, [600, 1200, 2400]);
    Ok(())
}
