//! Jobs of the lane `local`: claimed for handlers, ended under their tokens.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use shared::model::{JobStatus, LaneName};
use shared::store::{ClaimedJob, Claimer, JobEnd, JobOutcome};

use super::*;

const LEASE: Duration = Duration::from_secs(30);

fn claimer(store: &Store) -> Claimer {
    store.claimer("worker-a", vec!["noop".to_owned()], LEASE)
}

async fn enqueue_noops(store: &Store, jobs: usize) -> Vec<JobId> {
    let enqueued = store.enqueue(&noops(jobs, 2)).await.unwrap();
    enqueued.iter().map(|enqueued| enqueued.job.id).collect()
}

fn ids(jobs: &[ClaimedJob]) -> HashSet<JobId> {
    jobs.iter().map(|job| job.id).collect()
}

fn outcome(job: &ClaimedJob, end: JobEnd) -> JobOutcome {
    JobOutcome {
        id: job.id,
        lease_token: job.lease_token,
        end,
    }
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn each_job_is_claimed_once_in_batches(pool: sqlx::PgPool) -> TestResult {
    let store = Store::new(pool);
    let all: HashSet<JobId> = enqueue_noops(&store, 25).await.into_iter().collect();
    let mut claimer = claimer(&store);

    let mut claimed = HashSet::new();
    loop {
        let claim = claimer.claim(10).await?;
        assert!(claim.jobs.len() <= 10);
        let before = claimed.len();
        claimed.extend(ids(&claim.jobs));
        assert_eq!(claimed.len(), before + claim.jobs.len(), "each once");
        if !claim.more {
            break;
        }
    }

    assert_eq!(claimed, all);
    Ok(())
}

fn noop_at(priority: i16, run_at: Option<DateTime<Utc>>) -> JobRequest {
    JobRequest {
        priority: Priority(priority),
        run_at,
        ..JobRequest::handler("noop", json!({}))
    }
}

/// Claims until it has these jobs, as a worker does.
async fn claim_until(claimer: &mut Claimer, most: usize, wanted: &HashSet<JobId>) -> TestResult {
    let mut claimed = HashSet::new();
    loop {
        let claim = claimer.claim(most).await?;
        let before = claimed.len();
        claimed.extend(ids(&claim.jobs));
        assert_eq!(claimed.len(), before + claim.jobs.len(), "each once");
        if claimed.is_superset(wanted) {
            return Ok(());
        }
        if !claim.more && !claimer.look_back().await {
            claimer.looked_back().await;
        }
    }
}

/// Claims until there is no more.
async fn claim_all(claimer: &mut Claimer) -> HashSet<JobId> {
    let mut claimed = HashSet::new();
    loop {
        let claim = claimer.claim(10).await.unwrap();
        claimed.extend(ids(&claim.jobs));
        if !claim.more {
            return claimed;
        }
    }
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn jobs_that_claims_passed_by_are_claimed_too(pool: sqlx::PgPool) -> TestResult {
    let store = Store::new(pool);
    let mut claimer = claimer(&store);
    let first: HashSet<JobId> = enqueue_noops(&store, 10).await.into_iter().collect();
    claim_until(&mut claimer, 10, &first).await?;
    let long_ago = DateTime::UNIX_EPOCH;
    let early = (1..=3).map(|hours| noop_at(20, Some(long_ago + TimeDelta::hours(hours))));
    // More than a look shows of a priority that has a place; more priorities than have one.
    let many = (0..600).map(|nth| noop_at(20, Some(long_ago + TimeDelta::seconds(nth))));
    let others = (0..40).map(|nth| noop_at(100 + nth, None));
    let other_day = (100..140).map(|nth| noop_at(nth, Some(long_ago + TimeDelta::days(100_000))));
    for requests in [
        vec![noop_at(0, None)],
        early.collect(),
        many.collect(),
        others.collect(),
    ] {
        store
            .enqueue(&other_day.clone().collect::<Vec<_>>())
            .await?;
        let enqueued = store.enqueue(&requests).await?;
        let wanted = enqueued.iter().map(|enqueued| enqueued.job.id).collect();
        claim_until(&mut claimer, 10, &wanted).await?;
    }
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_job_that_was_passed_by_hides_none_that_stands_ahead(pool: sqlx::PgPool) -> TestResult {
    let store = Store::new(pool);
    let mut claimer = claimer(&store);
    enqueue_noops(&store, 1).await;
    assert_eq!(claim_all(&mut claimer).await.len(), 1);
    enqueue_one(&store, noop_at(20, Some(DateTime::UNIX_EPOCH))).await;
    claimer.looked_back().await;
    let (ahead, _) = enqueue_one(&store, noop_at(20, None)).await;

    assert!(claim_all(&mut claimer).await.contains(&ahead));
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn jobs_that_were_passed_by_keep_no_urgent_one_waiting(pool: sqlx::PgPool) -> TestResult {
    let store = Store::new(pool);
    let mut claimer = claimer(&store);
    enqueue_one(&store, noop_at(0, None)).await;
    enqueue_noops(&store, 1).await;
    assert_eq!(claim_all(&mut claimer).await.len(), 2);
    let passed: Vec<_> = (0..50)
        .map(|nth| noop_at(20, Some(DateTime::UNIX_EPOCH + TimeDelta::seconds(nth))))
        .collect();
    store.enqueue(&passed).await?;
    claimer.looked_back().await;
    let (urgent, _) = enqueue_one(&store, noop_at(0, None)).await;

    let mut claimed = HashSet::new();
    for _ in 0..2 {
        claimed.extend(ids(&claimer.claim(1).await?.jobs));
    }

    assert!(claimed.contains(&urgent));
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_job_that_comes_back_behind_the_last_place_is_claimed_again(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = Store::new(pool);
    let mut claimer = claimer(&store);
    let all: HashSet<JobId> = enqueue_noops(&store, 3).await.into_iter().collect();
    let jobs = claimer.claim(10).await?.jobs;
    assert_eq!(ids(&jobs), all);
    enqueue_noops(&store, 10).await;
    assert_eq!(claimer.claim(10).await?.jobs.len(), 10);

    let released = outcome(&jobs[1], JobEnd::Release);
    store.finish(&[released]).await?;

    claim_until(&mut claimer, 10, &HashSet::from([jobs[1].id])).await
}

/// A look takes as long as it likes: the comparison that it alone makes waits for a lock.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn claims_go_on_while_a_look_at_what_they_passed_by_takes_long(
    pool: sqlx::PgPool,
) -> TestResult {
    sqlx::raw_sql(
        "create schema slow;
         create function slow.waits(smallint, int) returns boolean language plpgsql as $$
         begin
             perform pg_advisory_xact_lock_shared(7);
             return $1::int > $2;
         end $$;
         create operator slow.> (function = slow.waits, leftarg = smallint, rightarg = int)",
    )
    .execute(&pool)
    .await?;
    let slow = (*pool.connect_options()).clone();
    let slow = slow.options([("search_path", "slow,pg_catalog,public")]);
    let store = Store::new(sqlx::PgPool::connect_with(slow).await?);
    let mut claimer = claimer(&store);
    enqueue_noops(&store, 10).await;
    assert_eq!(claimer.claim(10).await?.jobs.len(), 10);
    let mut held = pool.begin().await?;
    sqlx::query("select pg_advisory_xact_lock(7)")
        .execute(&mut *held)
        .await?;

    let (passed, _) = enqueue_one(&store, noop_at(0, None)).await;
    assert!(claimer.claim(10).await?.jobs.is_empty());
    assert!(!claimer.look_back().await, "it goes on");
    // Fewer than until the turn of what is longest due.
    for _ in 0..5 {
        enqueue_noops(&store, 5).await;
        assert_eq!(claimer.claim(10).await?.jobs.len(), 5);
        claimer.look_back().await;
    }
    held.rollback().await?;

    claimer.looked_back().await;
    assert_eq!(ids(&claimer.claim(10).await?.jobs), HashSet::from([passed]));
    drop(claimer);
    store.pool().close().await;
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn of_ten_claims_one_takes_what_is_longest_due(pool: sqlx::PgPool) -> TestResult {
    let store = Store::new(pool);
    let waiting = enqueue_noops(&store, 1).await[0];
    let mut claimer = claimer(&store);
    let mut taken = Vec::new();
    // More urgent jobs come faster than any are taken.
    while !taken.contains(&waiting) {
        let urgent = JobRequest {
            kind: "noop".to_owned(),
            resource: None,
            priority: Priority::READER_WAITING,
            ..refresh(single("map"))
        };
        store.enqueue(&vec![urgent; 3]).await?;
        let claimed = claimer.claim(2).await?.jobs;
        assert_eq!(claimed.len(), 2);
        taken.extend(claimed.iter().map(|job| job.id));
        assert!(taken.len() <= 20, "it is not among the first ten claims");
    }
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn kinds_without_a_handler_here_are_left_to_others(pool: sqlx::PgPool) -> TestResult {
    let store = Store::new(pool);
    let newer = JobRequest::handler("newer", json!({}));
    store.enqueue(&[newer]).await?;

    assert!(claimer(&store).claim(10).await?.jobs.is_empty());
    let mut other = store.claimer("worker-b", vec!["newer".to_owned()], LEASE);
    assert_eq!(other.claim(10).await?.jobs.len(), 1);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn nothing_is_claimed_while_the_lane_is_closed(pool: sqlx::PgPool) -> TestResult {
    let store = Store::new(pool);
    enqueue_noops(&store, 3).await;
    let mut claimer = claimer(&store);
    store
        .close_lane(&LaneName::local(), "operator", None)
        .await?;
    assert!(claimer.claim(10).await?.jobs.is_empty());

    store.open_lane(&LaneName::local()).await?;

    assert_eq!(claimer.claim(10).await?.jobs.len(), 3);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn outcomes_of_every_sort_are_recorded_together(pool: sqlx::PgPool) -> TestResult {
    let store = Store::new(pool);
    enqueue_noops(&store, 5).await;
    let jobs = claimer(&store).claim(10).await?.jobs;
    let error = || "it broke".to_owned();
    let ends = [
        JobEnd::Done,
        JobEnd::Fail { error: error() },
        JobEnd::Retry {
            after: Duration::from_secs(60),
            error: error(),
        },
        JobEnd::Release,
        JobEnd::Done,
    ];
    let outcomes: Vec<JobOutcome> = jobs
        .iter()
        .zip(ends)
        .map(|(job, end)| outcome(job, end))
        .collect();

    let held = store.finish(&outcomes).await?.held;

    assert_eq!(held.into_iter().collect::<HashSet<_>>(), ids(&jobs));
    let mut seen = Vec::new();
    for job in &jobs {
        let job = store.job(job.id).await?;
        seen.push((
            job.status,
            job.attempt,
            job.errors.as_array().unwrap().len(),
        ));
    }
    let expected = [
        (JobStatus::Completed, 1, 0),
        (JobStatus::Failed, 1, 1),
        (JobStatus::Pending, 1, 1),
        (JobStatus::Pending, 0, 0),
        (JobStatus::Completed, 1, 0),
    ];
    assert_eq!(seen, expected);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn whoever_lost_the_lease_records_nothing(pool: sqlx::PgPool) -> TestResult {
    let store = Store::new(pool);
    enqueue_noops(&store, 3).await;
    let first = claimer(&store).claim(10).await?.jobs;
    let lost = &first[1];
    sqlx::query("update larder.jobs set leased_until = now() - interval '1 s' where id = $1")
        .bind(lost.id)
        .execute(store.pool())
        .await?;
    store.rescue(3).await?;
    // The same process claims it again, so that both tokens are in one record.
    let second = claimer(&store).claim(10).await?.jobs;
    assert_eq!(ids(&second), HashSet::from([lost.id]));
    enqueue_noops(&store, 1).await;
    let third = claimer(&store).claim(10).await?.jobs;
    for end in [
        JobEnd::Done,
        JobEnd::Fail {
            error: "late".to_owned(),
        },
    ] {
        let outcomes = [outcome(lost, end)];
        assert_eq!(store.finish(&outcomes).await?.held, []);
    }
    let outcomes: Vec<JobOutcome> = first
        .iter()
        .chain(&third)
        .map(|job| outcome(job, JobEnd::Done))
        .collect();

    let held = store.finish(&outcomes).await?.held;

    assert_eq!(held.len(), 3);
    assert!(!held.contains(&lost.id));
    let job = store.job(lost.id).await?;
    assert_eq!((job.status, job.rescues), (JobStatus::Running, 1));
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_job_that_fails_its_last_attempt_has_failed(pool: sqlx::PgPool) -> TestResult {
    let store = Store::new(pool);
    let id = enqueue_noops(&store, 1).await[0];
    let mut claimer = claimer(&store);
    for _ in 0..2 {
        assert_eq!(store.job(id).await?.status, JobStatus::Pending);
        let mut jobs = Vec::new();
        while jobs.is_empty() {
            jobs = claimer.claim(1).await?.jobs;
        }
        let end = JobEnd::Retry {
            after: Duration::ZERO,
            error: "again".to_owned(),
        };
        store.finish(&[outcome(&jobs[0], end)]).await?;
    }

    let job = store.job(id).await?;
    assert_eq!((job.status, job.attempt), (JobStatus::Failed, 2));
    Ok(())
}
