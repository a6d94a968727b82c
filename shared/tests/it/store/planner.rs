//! Plans in rows: one at a time, kept by ticks whoever made them, and written where they moved.

use super::*;
use shared::plan::Status;
use shared::plan::trigger::{Bucket, FOR_LATE, FOR_PACE, FOR_READS};
use shared::store::{PlanSummary, PlannedCall, PlannedRow, Triggers};

const EVERY: Duration = Duration::from_secs(300);

/// A store with this many quotes that the planner paces.
async fn planned(pool: sqlx::PgPool, many: usize) -> Result<Store, Box<dyn std::error::Error>> {
    let store = store_with(pool, vec![monthly(10_000)]).await;
    for id in 1..=many {
        store.track(&quote(id), &Tracking::planned()).await?;
    }
    Ok(store)
}

fn summary(enough: usize) -> PlanSummary {
    PlanSummary {
        price: Some(0.5),
        status: Status::Ok,
        credits_a_day: 300.0,
        bounds_scale: 1.0,
        memory: Duration::from_secs(86_400),
        calls: vec![PlannedCall {
            batch_key: "quotes?id=*".to_owned(),
            items: 10,
            enough,
            price: 1.0,
            least_secs: 60.0,
        }],
        triggers: None,
    }
}

fn row(id: usize, every_secs: f64) -> PlannedRow {
    PlannedRow {
        key: quote(id).key.to_string(),
        every_secs,
        kept_age_secs: None,
        reads: 0.1,
        changes: 0.01,
        cost: 0.004,
    }
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn of_all_who_want_to_plan_one_does(pool: sqlx::PgPool) -> TestResult {
    let store = planned(pool, 3).await?;
    let wishes = (0..8).map(|_| store.lease_plan("coins", EVERY));
    let leases: Vec<_> = futures::future::try_join_all(wishes).await?;
    let leases: Vec<_> = leases.into_iter().flatten().collect();
    assert_eq!(leases.len(), 1);
    assert!(
        store
            .write_plan("coins", &leases[0], &[row(1, 900.0)], &summary(2))
            .await?
    );
    assert!(
        store.lease_plan("coins", EVERY).await?.is_none(),
        "it is planned"
    );
    assert!(
        !store
            .write_plan("coins", &leases[0], &[], &summary(2))
            .await?,
        "the lease is over"
    );

    // A planner that died is followed by another, and cannot write any more.
    let dead = store
        .lease_plan("coins", Duration::ZERO)
        .await?
        .ok_or("planned again")?;
    assert_eq!(dead.price, Some(0.5));
    assert_eq!(dead.memory, Duration::from_secs(86_400));
    number(&store, "with u as (update larder.plans set leased_until = now() - interval '1 s' returning 1) select count(*) from u").await;
    let next = store
        .lease_plan("coins", Duration::ZERO)
        .await?
        .ok_or("its lease ran out")?;
    assert!(
        !store
            .write_plan("coins", &dead, &[row(1, 5.0)], &summary(2))
            .await?
    );
    assert!(store.write_plan("coins", &next, &[], &summary(2)).await?);
    assert_eq!(
        number(
            &store,
            "select count(*) from larder.resources where every = '900 s'"
        )
        .await,
        1
    );
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn planned_resources_wait_until_their_call_is_worth_it(pool: sqlx::PgPool) -> TestResult {
    let store = planned(pool, 10).await?;
    assert_eq!(
        store.tick(false).await?.enqueued,
        10,
        "what has no answer is due at once"
    );
    let call = admit_one(&store).await;
    store.record(&answered(&call, 1, "{}")).await?;
    let lease = store
        .lease_plan("coins", EVERY)
        .await?
        .ok_or("to be planned")?;
    let rows: Vec<_> = (1..=10).map(|id| row(id, 1_000.0)).collect();
    assert!(
        store
            .write_plan("coins", &lease, &rows, &summary(6))
            .await?
    );
    let due = |ids: &'static str| {
        number(
        &store,
        Box::leak(format!("with u as (update larder.resources set next_refresh_at = now() - interval '1 s' where item::int in ({ids}) returning 1) select count(*) from u").into_boxed_str()),
    )
    };
    due("1,2,3,4,5").await;
    assert_eq!(store.tick(false).await?.due, 0, "five of six");
    due("6").await;
    assert_eq!(store.tick(false).await?.enqueued, 6);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn one_that_waited_for_a_quarter_of_its_pace_goes_alone(pool: sqlx::PgPool) -> TestResult {
    let store = planned(pool, 3).await?;
    store.tick(false).await?;
    let call = admit_one(&store).await;
    store.record(&answered(&call, 1, "{}")).await?;
    let lease = store
        .lease_plan("coins", EVERY)
        .await?
        .ok_or("to be planned")?;
    let rows: Vec<_> = (1..=3).map(|id| row(id, 1_000.0)).collect();
    assert!(
        store
            .write_plan("coins", &lease, &rows, &summary(3))
            .await?
    );
    for (late, enqueued) in [(240, 0), (260, 1)] {
        let sql = format!(
            "with u as (update larder.resources set next_refresh_at = now() - interval '{late} s' where item = '1' returning 1) select count(*) from u"
        );
        number(&store, Box::leak(sql.into_boxed_str())).await;
        assert_eq!(store.tick(false).await?.enqueued, enqueued, "{late}");
    }
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn refreshes_tell_how_often_an_answer_changes(pool: sqlx::PgPool) -> TestResult {
    let store = planned(pool, 1).await?;
    let sum = |column: &'static str| {
        number(
            &store,
            Box::leak(
                format!("select round({column} * 100)::bigint from larder.resources")
                    .into_boxed_str(),
            ),
        )
    };
    for (hash, changed) in [(1, 0), (1, 0), (2, 100), (3, 199)] {
        number(&store, "with u as (update larder.resources set next_refresh_at = now() - interval '1 h', fetched_at = fetched_at - interval '50 s' returning 1), e as (update larder.entries set requested_at = requested_at - interval '1 h') select count(*) from u").await;
        store.tick(false).await?;
        let call = admit_one(&store).await;
        let mut record = answered(&call, 1, "{}");
        for entry in &mut record.entries {
            entry.content_hash = Some(vec![hash]);
        }
        store.record(&record).await?;
        assert_eq!(sum("changes").await, changed, "{hash}");
    }
    assert!(sum("same_secs").await >= 4_800);
    assert!(sum("changed_secs").await >= 9_900);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_pace_that_is_planned_outlives_a_restart(pool: sqlx::PgPool) -> TestResult {
    let store = planned(pool, 1).await?;
    let lease = store
        .lease_plan("coins", EVERY)
        .await?
        .ok_or("to be planned")?;
    assert!(
        store
            .write_plan("coins", &lease, &[row(1, 777.0)], &summary(1))
            .await?
    );
    store.track(&quote(1), &Tracking::planned()).await?;
    let paces = "select count(*) from larder.resources where every = '777 s' and planned";
    assert_eq!(number(&store, paces).await, 1);
    store.track(&quote(1), &Tracking::every(EVERY)).await?;
    let paces = "select count(*) from larder.resources where every = '5 min' and not planned";
    assert_eq!(number(&store, paces).await, 1);
    Ok(())
}

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
