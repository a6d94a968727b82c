//! What is kept, and what is forgotten: schedules, absences, history, untracked resources.

use chrono::{TimeDelta, Utc};
use shared::model::{JobStatus, Pace, Tracking};
use shared::schedule;
use shared::store::ResourceFilter;

use super::*;

fn hourly() -> Tracking {
    Tracking {
        pace: Pace::Schedule {
            expression: "0 * * * *".to_owned(),
            zone: "UTC".to_owned(),
        },
        ..Tracking::every(Duration::from_secs(60))
    }
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_schedules_tick_is_made_once_however_many_make_it(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    store.track(&quote(1), &hourly()).await?;
    store.track(&quote(2), &hourly()).await?;
    store.tick(false).await?;
    let first = admit_one(&store).await;
    store.record(&answered(&first, 1, "1")).await?;
    assert_eq!(
        schedule::make_due_ticks(&store).await?,
        0,
        "nothing from before it is made up"
    );
    assert_eq!(
        store.tick(false).await?.due,
        0,
        "between ticks nothing is due"
    );
    sqlx::query(
        "update larder.schedules
         set last_tick_at = last_tick_at - interval '3 hours', next_tick_at = now() - interval '3 hours'",
    )
    .execute(store.pool())
    .await?;

    let (one, two) = tokio::join!(
        schedule::make_due_ticks(&store),
        schedule::make_due_ticks(&store)
    );

    assert_eq!(
        one? + two?,
        2,
        "two resources, once, of three ticks that were missed"
    );
    assert_eq!(
        number(&store, "select count(*) from larder.schedule_ticks").await,
        1
    );
    assert_eq!(store.tick(false).await?.enqueued, 2);
    assert_eq!(schedule::make_due_ticks(&store).await?, 0);
    let call = admit_one(&store).await;
    store.record(&answered(&call, 1, "2")).await?;
    assert_eq!(store.tick(false).await?.due, 0);
    let resources = store
        .resources(&ResourceFilter {
            limit: 10,
            ..ResourceFilter::default()
        })
        .await?;
    assert!(resources[0].next_refresh_at.unwrap() > Utc::now_utc_for_tests());
    assert!(resources[0].is_fresh, "until the next tick");
    Ok(())
}

/// The database's clock is the system's here; only the tests compare with it.
trait NowForTests {
    fn now_utc_for_tests() -> chrono::DateTime<Utc>;
}

impl NowForTests for Utc {
    #[expect(clippy::disallowed_methods, reason = "a test, not a decision")]
    fn now_utc_for_tests() -> chrono::DateTime<Utc> {
        Utc::now() - TimeDelta::seconds(1)
    }
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_changed_pace_keeps_resources_and_a_group_that_went_untracks_them(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = Store::new(pool);
    store
        .sync(&[lane(Vec::new())], &[tracked(quote(1)), tracked(quote(2))])
        .await?;
    store.tick(false).await?;
    let call = admit_one(&store).await;
    store.record(&answered(&call, 1, "1")).await?;
    let mut slower = tracked(quote(1));
    slower.tracking = Tracking::every(Duration::from_secs(3600));

    for _ in 0..2 {
        store
            .sync(&[lane(Vec::new())], std::slice::from_ref(&slower))
            .await?;
    }

    let filter = ResourceFilter {
        limit: 10,
        ..ResourceFilter::default()
    };
    let rows = store.resources(&filter).await?;
    assert_eq!(rows.len(), 2, "none lost, none doubled");
    assert_eq!((rows[0].tracked, rows[0].every_secs), (true, Some(3600.0)));
    let from_the_last_answer = number(
        &store,
        "select count(*) from larder.resources where next_refresh_at = fetched_at + interval '1 hour'",
    )
    .await;
    assert_eq!(from_the_last_answer, 1);
    assert!(!rows[1].tracked);
    assert_eq!(
        store.entries(&[quote(2).key]).await?.len(),
        1,
        "its entry stays"
    );
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn what_does_not_exist_is_remembered_until_it_does(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    let (job, _) = enqueue_one(&store, refresh(quote(1))).await;
    let call = admit_one(&store).await;
    let mut record = answered(&call, 0, "1");
    record.entries.clear();
    record.jobs = verdicts(&call, &JobVerdict::NotFound);
    store.record(&record).await?;
    assert_eq!(store.job(job).await?.status, JobStatus::Failed);
    assert!(
        store
            .absent(&[quote(1).key, quote(2).key])
            .await?
            .contains_key(&quote(1).key)
    );

    enqueue_one(&store, refresh(quote(1))).await;
    let call = admit_one(&store).await;
    store.record(&answered(&call, 1, "1")).await?;

    assert!(store.absent(&[quote(1).key]).await?.is_empty());
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn untracked_resources_are_dropped_least_recently_read_first(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    store
        .track(&quote(9), &Tracking::every(Duration::from_secs(60)))
        .await?;
    let requests: Vec<_> = (1..=4).map(|id| refresh(quote(id))).collect();
    store.enqueue(&requests).await?;
    let call = admit_one(&store).await;
    store.record(&answered(&call, 1, "1")).await?;
    enqueue_one(&store, refresh(quote(3))).await;
    for id in [2, 1] {
        store.note_reads(&[(quote(id).key, 1.0)]).await?;
    }

    assert_eq!(store.drop_untracked("coins", 2).await?, 2);

    let filter = ResourceFilter {
        limit: 10,
        ..ResourceFilter::default()
    };
    let left: Vec<String> = store
        .resources(&filter)
        .await?
        .into_iter()
        .map(|row| row.resource_key)
        .collect();
    let expected: Vec<String> = [1, 3, 9].map(|id| quote(id).key.to_string()).into();
    assert_eq!(left, expected, "3 has a job, 1 was read last, 9 is tracked");
    assert!(store.entries(&[quote(4).key]).await?.is_empty());
    Ok(())
}
