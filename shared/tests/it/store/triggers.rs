//! Reads that wait for one of the plan's calls: as many as there are tokens, over all processes.

use super::planner::{EVERY, planned, row, summary};
use super::*;
use shared::plan::trigger::{Bucket, FOR_LATE, FOR_PACE, FOR_READS};
use shared::store::{PlanSummary, Triggers};

/// A store with ten planned quotes, all fetched, whose reads may cause calls.
async fn triggering(
    pool: sqlx::PgPool,
    calls_a_sec: f64,
) -> Result<Store, Box<dyn std::error::Error>> {
    let store = planned(pool, 10).await?;
    store.tick(false).await?;
    let call = admit_one(&store).await;
    store.record(&answered(&call, 1, "{}")).await?;
    let lease = store
        .lease_plan("coins", EVERY)
        .await?
        .ok_or("to be planned")?;
    let rows: Vec<_> = (1..=10).map(|id| row(id, 1_000.0)).collect();
    let summary = PlanSummary {
        triggers: Some(Triggers {
            calls_a_sec,
            threshold_secs: 600.0,
        }),
        ..summary(6)
    };
    assert!(store.write_plan("coins", &lease, &rows, &summary).await?);
    Ok(store)
}

const QUOTES: &str = "quotes?id=*";

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn reads_take_tokens_down_to_what_is_kept_for_bounds(pool: sqlx::PgPool) -> TestResult {
    let store = triggering(pool, 1e-9).await?;
    let take = |age| store.take_trigger("coins", QUOTES, age);
    assert!(
        !take(590.0).await?.ok_or("on")?.granted,
        "not unusually old"
    );
    let mut expected = Bucket::new(600.0);
    for nth in 0..8 {
        let taken = take(5_000.0).await?.ok_or("on")?;
        assert!(taken.granted, "{nth}");
        expected = expected.fired(1.0);
        assert!((taken.bucket.tokens - expected.tokens).abs() < 1e-6);
        assert!((taken.bucket.threshold - expected.threshold).abs() < 1e-3);
    }
    assert!(expected.tokens < FOR_READS);
    assert!(
        !take(1e9).await?.ok_or("on")?.granted,
        "the rest is for bounds"
    );
    assert_eq!(store.take_trigger("nobody", QUOTES, 1e9).await?, None);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn of_many_processes_as_many_take_a_token_as_there_are(pool: sqlx::PgPool) -> TestResult {
    let store = triggering(pool, 1e-9).await?;
    let takes = (0..30).map(|_| store.take_trigger("coins", QUOTES, 1e9));
    let taken = futures::future::try_join_all(takes).await?;
    let granted = taken.iter().flatten().filter(|taken| taken.granted).count();
    assert_eq!(granted, 8);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn what_asking_again_buys_nothing_for_takes_no_token(pool: sqlx::PgPool) -> TestResult {
    let store = triggering(pool, 1e-9).await?;
    number(
        &store,
        "with u as (update larder.plans set threshold = 5 returning 1) select count(*) from u",
    )
    .await;
    let take = |age| store.take_trigger("coins", QUOTES, age);
    assert!(!take(59.0).await?.ok_or("on")?.granted);
    assert!(take(61.0).await?.ok_or("on")?.granted);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_bucket_in_rows_fills_as_the_formula_says(pool: sqlx::PgPool) -> TestResult {
    let store = triggering(pool, 0.01).await?;
    for (secs, tokens) in [(0_u32, 9.0), (100, -3.0), (7_200, 1.5), (10_000_000, 0.0)] {
        let sql = format!(
            "with u as (update larder.plans set tokens = {tokens}, threshold = 600,
                 bucket_at = clock_timestamp() - interval '{secs} s' returning 1)
             select count(*) from u"
        );
        number(&store, Box::leak(sql.into_boxed_str())).await;
        let told = store
            .take_trigger("coins", QUOTES, 0.0)
            .await?
            .ok_or("on")?;
        let start = Bucket {
            tokens,
            threshold: 600.0,
        };
        // The statements take a moment themselves.
        let (least, most) = (
            start.after(f64::from(secs), 0.01),
            start.after(f64::from(secs) + 60.0, 0.01),
        );
        assert!(
            (least.tokens..=most.tokens).contains(&told.bucket.tokens),
            "{told:?}"
        );
        assert!(
            (most.threshold..=least.threshold + 1e-9).contains(&told.bucket.threshold),
            "{told:?}"
        );
    }
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_call_that_can_wait_leaves_tokens_for_reads(pool: sqlx::PgPool) -> TestResult {
    let store = triggering(pool, 1e-9).await?;
    let due = "with t as (update larder.plans set tokens = 4.9 returning 1),
                    u as (update larder.resources set next_refresh_at = now() - interval '1 s' returning 1)
               select count(*) from u";
    number(&store, due).await;
    assert_eq!(store.tick(false).await?.due, 0, "{FOR_PACE} are not there");
    let late = "with u as (update larder.resources set next_refresh_at = now() - interval '260 s' where item = '1' returning 1)
                select count(*) from u";
    number(
        &store,
        "with u as (update larder.plans set tokens = 0.9 returning 1) select count(*) from u",
    )
    .await;
    number(&store, late).await;
    assert_eq!(store.tick(false).await?.due, 0, "nor {FOR_LATE}");
    number(
        &store,
        "with u as (update larder.plans set tokens = 1.1 returning 1) select count(*) from u",
    )
    .await;
    assert_eq!(store.tick(false).await?.enqueued, 10, "one of them is late");
    number(
        &store,
        "with j as (delete from larder.jobs returning 1) select count(*) from j",
    )
    .await;
    number(&store, due).await;
    number(
        &store,
        "with u as (update larder.plans set tokens = 5.1 returning 1) select count(*) from u",
    )
    .await;
    assert_eq!(store.tick(false).await?.enqueued, 10);
    let left = "select round(tokens * 10)::bigint from larder.plans";
    assert_eq!(number(&store, left).await, 41, "one call of ten");
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_bound_that_is_near_waits_for_no_token(pool: sqlx::PgPool) -> TestResult {
    let store = triggering(pool, 1e-9).await?;
    let due = "with t as (update larder.plans set tokens = 0 returning 1),
                    u as (update larder.resources set next_refresh_at = now() - interval '110 s',
                              max_age = case when item = '1' then interval '20 min' end
                          where item in ('1', '2') returning 1)
               select count(*) from u";
    number(&store, due).await;
    assert_eq!(
        store.tick(false).await?.enqueued,
        2,
        "the other rides along"
    );
    Ok(())
}
