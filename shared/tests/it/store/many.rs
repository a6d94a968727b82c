//! Jobs retried and cancelled by filter.

use super::*;
use shared::model::JobStatus;
use shared::store::{Cancelled, JobFilter, JobSelection, Retried};

fn in_status(status: JobStatus) -> JobSelection {
    JobSelection {
        filter: JobFilter {
            status: Some(status),
            ..JobFilter::default()
        },
        ..JobSelection::default()
    }
}

/// Ended refreshes and handlers' jobs by the thousand, as if they had failed.
async fn failed(store: &Store, kind: &'static str, count: i32) {
    let (lane, endpoint) = match kind {
        "refresh" => ("coins", Some("quotes")),
        _ => ("local", None),
    };
    sqlx::query(
        "insert into larder.finished_jobs (id, lane, kind, endpoint, resource_key, batch_key, item, args,
             class, priority, status, run_at, attempt, max_attempts, rescues, errors, created_at,
             started_at, completed_at)
         select larder.uuid_v7(), $1, $2, $3, k.key, case when k.key is not null then 'quotes?id=*' end,
                n::text, '{}', 'operator', 20, 'failed', now(), 5, 5, 0, '[]', now(), now(), now()
         from generate_series(1, $4) n
         cross join lateral (select case when $3::text is not null then 'coins:/quotes?id=' || n end) k(key)",
    )
    .bind(lane)
    .bind(kind)
    .bind(endpoint)
    .bind(count)
    .execute(store.pool())
    .await
    .unwrap();
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn more_jobs_than_a_batch_are_retried_and_cancelled(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    failed(&store, "noop", 2_300).await;
    let some = JobSelection {
        limit: Some(1_200),
        ..JobSelection::default()
    };

    assert_eq!(store.retry_many(&some).await?.retried, 1_200);
    let rest = store.retry_many(&JobSelection::default()).await?;
    assert_eq!((rest.matched, rest.retried), (1_100, 1_100));

    let (pending, all) = (in_status(JobStatus::Pending), JobSelection::default());
    let (one, two) = tokio::join!(store.cancel_many(&pending), store.cancel_many(&all));
    assert_eq!(one?.cancelled + two?.cancelled, 2_300);
    assert_eq!(number(&store, "select count(*) from larder.jobs").await, 0);
    let ended = "select count(distinct id) from larder.finished_jobs where status = 'cancelled'";
    assert_eq!(number(&store, ended).await, 2_300);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn of_several_ended_refreshes_of_a_resource_one_waits_again(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    failed(&store, "refresh", 3).await;
    failed(&store, "refresh", 3).await;
    let (live, _) = enqueue_one(&store, refresh(quote(2))).await;

    let retried = store.retry_many(&in_status(JobStatus::Failed)).await?;

    let expected = Retried {
        matched: 6,
        retried: 2,
        already_waiting: 4,
        next: None,
    };
    assert_eq!(retried, expected);
    assert_eq!(store.job(live).await?.status, JobStatus::Pending);
    // Not the live one, whose id may be of the same millisecond.
    let older = format!(
        "select count(*) from larder.jobs j
         where id <> '{live}' and exists (select from larder.finished_jobs f
                                          where f.resource_key = j.resource_key and f.id > j.id)"
    );
    assert_eq!(number(&store, older.leak()).await, 0, "the newest one");
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn retrying_twice_at_once_retries_each_job_once(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    failed(&store, "refresh", 1_500).await;
    failed(&store, "noop", 1_500).await;
    let everything = JobSelection::default();

    let (one, two, asked) = tokio::join!(
        store.retry_many(&everything),
        store.retry_many(&everything),
        async {
            let requests: Vec<_> = (1..=1_500).map(|id| refresh(quote(id))).collect();
            store.enqueue(&requests).await
        },
    );

    let asked = asked?.iter().filter(|job| job.is_new).count();
    let retried = one?.retried + two?.retried;
    assert_eq!(retried + u64::try_from(asked)?, 3_000);
    assert_eq!(
        number(&store, "select count(*) from larder.jobs").await,
        3_000
    );
    Ok(())
}

/// An entry from before is no answer: whoever retries wants a new one.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_retried_refresh_makes_a_call_of_its_own(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, vec![monthly(10)]).await;
    enqueue_one(&store, refresh(quote(1))).await;
    let call = admit_one(&store).await;
    store.record(&answered(&call, 1, "1")).await?;
    let (job, _) = enqueue_one(&store, refresh(quote(1))).await;
    store.cancel(job).await?;

    store.retry(job).await?;

    assert_eq!(admit_one(&store).await.jobs[0].id, job);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn what_runs_is_asked_to_stop_and_other_lanes_are_left_alone(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = store_with(pool, vec![monthly(10)]).await;
    let (running, _) = enqueue_one(&store, refresh(quote(1))).await;
    admit_one(&store).await;
    let (pending, _) = enqueue_one(&store, refresh(quote(2))).await;
    let local = store.enqueue(&noops(1, 5)).await?;
    let mut lane = JobSelection::default();
    lane.filter.lane = Some("coins".to_owned());

    let cancelled = store.cancel_many(&lane).await?;

    let expected = Cancelled {
        matched: 2,
        cancelled: 1,
        cancel_requested: 1,
        next: None,
    };
    assert_eq!(cancelled, expected);
    assert!(store.job(running).await?.cancel_requested);
    assert_eq!(store.job(pending).await?.status, JobStatus::Cancelled);
    assert_eq!(store.job(local[0].job.id).await?.status, JobStatus::Pending);
    lane.filter.lane = None;
    lane.created_before = Some(chrono::DateTime::UNIX_EPOCH);
    assert_eq!(store.cancel_many(&lane).await?.matched, 0);
    Ok(())
}

/// Round by round, as the operator's page does it, while what was retried ends again at once:
/// nobody would ever come to an end of it by asking for what has ended.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn rounds_end_although_what_they_retried_ends_again(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    failed(&store, "noop", 25).await;
    let mut rounds = JobSelection {
        limit: Some(10),
        ..JobSelection::default()
    };
    let mut sizes = Vec::new();
    loop {
        let retried = store.retry_many(&rounds).await?;
        sizes.push((retried.matched, retried.retried));
        store.cancel_many(&in_status(JobStatus::Pending)).await?;
        match retried.next {
            Some(_) => rounds.behind = retried.next,
            None => break,
        }
        assert!(sizes.len() < 9, "{sizes:?}");
    }
    assert_eq!(sizes, [(10, 10), (10, 10), (5, 5)]);

    rounds = JobSelection {
        limit: Some(25),
        ..JobSelection::default()
    };
    let full = store.retry_many(&rounds).await?;
    rounds.behind = full.next;
    assert_eq!((full.matched, full.next.is_some()), (25, true));
    assert_eq!(store.retry_many(&rounds).await?, Retried::default());
    rounds = JobSelection {
        limit: Some(20),
        ..JobSelection::default()
    };
    let some = store.cancel_many(&rounds).await?;
    rounds.behind = some.next;
    let rest = store.cancel_many(&rounds).await?;
    assert_eq!((some.matched, rest.matched, rest.next), (20, 5, None));
    Ok(())
}
