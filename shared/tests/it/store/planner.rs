//! Plans in rows: one at a time, kept by ticks whoever made them, and written where they moved.

use super::*;
use shared::plan::Status;
use shared::store::{PlanSummary, PlannedCall, PlannedRow};

pub(super) const EVERY: Duration = Duration::from_secs(300);

/// A store with this many quotes that the planner paces.
pub(super) async fn planned(
    pool: sqlx::PgPool,
    many: usize,
) -> Result<Store, Box<dyn std::error::Error>> {
    let store = store_with(pool, vec![monthly(10_000)]).await;
    for id in 1..=many {
        store.track(&quote(id), &Tracking::planned()).await?;
    }
    Ok(store)
}

pub(super) fn summary(enough: usize) -> PlanSummary {
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

pub(super) fn row(id: usize, every_secs: f64) -> PlannedRow {
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
async fn a_planned_call_is_filled_with_what_is_due_next_and_may_have_changed(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = planned(pool, 10).await?;
    store.tick(false).await?;
    let call = admit_one(&store).await;
    store.record(&answered(&call, 1, "{}")).await?;
    let lease = (store.lease_plan("coins", EVERY).await?).ok_or("to be planned")?;
    let rows: Vec<_> = (1..=10).map(|id| row(id, 1_000.0)).collect();
    store
        .write_plan("coins", &lease, &rows, &summary(1))
        .await?;
    // Asking again buys nothing for a minute: what was asked 50 s ago is left out.
    number(
        &store,
        "with u as (
             update larder.resources
             set next_refresh_at = now() + (item::int - 1) * interval '1 minute' - interval '1 s',
                 fetched_at = now() - case when item::int > 7 then interval '50 s' else interval '70 s' end
             returning 1),
             e as (update larder.entries set requested_at = requested_at - interval '1 h')
         select count(*) from u",
    )
    .await;
    assert_eq!(store.tick(false).await?.enqueued, 1);
    let call = admit_one(&store).await;
    let mut items: Vec<usize> = (call.jobs.iter())
        .filter_map(|job| job.item.as_deref()?.parse().ok())
        .collect();
    items.sort_unstable();
    assert_eq!(items, [1, 2, 3, 4, 5, 6, 7]);
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
