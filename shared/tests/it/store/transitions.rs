//! All 25 changes of status, tried against the database: by the operations of the store,
//! and by statements that somebody types.
//!
//! A statement that changes the status in place can at most start a job or let it wait
//! again, and only as the store does it: with the attempt counted and the lease set or
//! gone. What ends a job, or brings an ended one back, moves the row to another table;
//! there the operations decide, and the constraints see that the row is whole.

use super::*;
use shared::model::JobStatus::{self, Cancelled, Completed, Failed, Pending, Running};
use shared::store::{JobEnd, JobOutcome};

/// What moves a job from one status to another.
#[derive(Debug, Clone, Copy, PartialEq)]
enum By {
    Claim,
    Release,
    Retry,
    Rescue,
    Done,
    Fail,
    Cancel,
    /// A running job stays so, and is asked to stop.
    AskToStop,
    /// By a person.
    TryAgain,
}

/// Which operation leads from one status to another; nothing else does.
const TABLE: [(JobStatus, JobStatus, &[By]); 25] = [
    (Pending, Pending, &[]),
    (Pending, Running, &[By::Claim]),
    (Pending, Completed, &[]),
    (Pending, Failed, &[]),
    (Pending, Cancelled, &[By::Cancel]),
    (Running, Pending, &[By::Release, By::Retry, By::Rescue]),
    (Running, Running, &[By::AskToStop]),
    (Running, Completed, &[By::Done]),
    (Running, Failed, &[By::Fail]),
    // Through a request: the holder, or the rescue, ends it.
    (Running, Cancelled, &[By::AskToStop, By::Release]),
    (Completed, Pending, &[]),
    (Completed, Running, &[]),
    (Completed, Completed, &[]),
    (Completed, Failed, &[]),
    (Completed, Cancelled, &[]),
    (Failed, Pending, &[By::TryAgain]),
    (Failed, Running, &[]),
    (Failed, Completed, &[]),
    (Failed, Failed, &[]),
    (Failed, Cancelled, &[]),
    (Cancelled, Pending, &[By::TryAgain]),
    (Cancelled, Running, &[]),
    (Cancelled, Completed, &[]),
    (Cancelled, Failed, &[]),
    (Cancelled, Cancelled, &[]),
];

const OPERATIONS: [By; 8] = [
    By::Claim,
    By::Release,
    By::Retry,
    By::Rescue,
    By::Done,
    By::Fail,
    By::Cancel,
    By::TryAgain,
];

/// A handler's job, with the lease token of its last claim.
struct Job {
    store: Store,
    id: JobId,
    token: uuid::Uuid,
}

impl Job {
    async fn new(store: &Store) -> Self {
        let enqueued = store.enqueue(&noops(1, 5)).await.unwrap();
        Self {
            store: store.clone(),
            id: enqueued[0].job.id,
            token: uuid::Uuid::nil(),
        }
    }

    async fn in_status(store: &Store, status: JobStatus) -> Self {
        let mut job = Self::new(store).await;
        let way: &[By] = match status {
            Pending => &[],
            Running => &[By::Claim],
            Completed => &[By::Claim, By::Done],
            Failed => &[By::Claim, By::Fail],
            Cancelled => &[By::Cancel],
        };
        for by in way {
            job.act(*by).await;
        }
        assert_eq!(job.status().await, status);
        job
    }

    async fn status(&self) -> JobStatus {
        self.store.job(self.id).await.unwrap().status
    }

    /// Does it, or is refused.
    async fn act(&mut self, by: By) {
        let end = |end| {
            vec![JobOutcome {
                id: self.id,
                lease_token: self.token,
                end,
            }]
        };
        let error = "no".to_owned();
        match by {
            By::Claim => {
                let kinds = vec!["noop".to_owned()];
                let mut claimer = self.store.claimer("w", kinds, Duration::from_secs(30));
                let claimed = claimer.claim(100).await.unwrap();
                if let Some(job) = claimed.jobs.iter().find(|job| job.id == self.id) {
                    self.token = job.lease_token;
                }
            }
            By::Release => {
                self.store.finish(&end(JobEnd::Release)).await.unwrap();
            }
            By::Retry => {
                let after = Duration::ZERO;
                let end = end(JobEnd::Retry { after, error });
                self.store.finish(&end).await.unwrap();
            }
            By::Done => {
                self.store.finish(&end(JobEnd::Done)).await.unwrap();
            }
            By::Fail => {
                let end = end(JobEnd::Fail { error });
                self.store.finish(&end).await.unwrap();
            }
            By::Rescue => {
                sqlx::query("update larder.jobs set leased_until = now() - interval '1 s' where id = $1 and status = 'running'")
                    .bind(self.id.0)
                    .execute(self.store.pool())
                    .await
                    .unwrap();
                self.store.rescue(3).await.unwrap();
            }
            By::Cancel | By::AskToStop => {
                // Refused for one that has ended.
                let _ = self.store.cancel(self.id).await;
            }
            By::TryAgain => {
                let _ = self.store.retry(self.id).await;
            }
        }
    }
}

#[test]
fn the_table_has_all_pairs_and_agrees_with_the_model() {
    for from in JobStatus::ALL {
        for to in JobStatus::ALL {
            let rows = TABLE.iter().filter(|row| (row.0, row.1) == (from, to));
            let ways: Vec<_> = rows.map(|row| row.2).collect();
            assert_eq!(ways.len(), 1, "{from:?} to {to:?}");
            let moves = from != to && !ways[0].is_empty();
            assert_eq!(from.may_become(to), moves, "{from:?} to {to:?}");
        }
    }
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn operations_move_a_job_as_the_table_says_and_no_other_way(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    for (from, to, ways) in TABLE {
        match ways {
            // Several operations one after the other lead there.
            [By::AskToStop, By::Release] => {
                let mut job = Job::in_status(&store, from).await;
                job.act(By::AskToStop).await;
                job.act(By::Release).await;
                assert_eq!(job.status().await, to);
            }
            ways => {
                for by in ways {
                    let mut job = Job::in_status(&store, from).await;
                    job.act(*by).await;
                    assert_eq!(job.status().await, to, "{from:?} by {by:?}");
                }
            }
        }
    }
    for from in JobStatus::ALL {
        for by in OPERATIONS {
            let mut job = Job::in_status(&store, from).await;
            job.act(by).await;
            let to = job.status().await;
            let allowed = TABLE
                .iter()
                .any(|row| (row.0, row.1) == (from, to) && (from == to || row.2.contains(&by)));
            assert!(allowed, "{from:?} to {to:?} by {by:?}");
        }
    }
    Ok(())
}

/// The table that holds jobs of a status.
fn table(status: JobStatus) -> &'static str {
    match status.is_final() {
        true => "finished_jobs",
        false => "jobs",
    }
}

async fn refused(store: &Store, sql: String, id: JobId) -> bool {
    let done = sqlx::query(sqlx::AssertSqlSafe(sql.clone()))
        .bind(id.0)
        .execute(store.pool())
        .await;
    match done {
        Ok(done) => {
            assert_eq!(done.rows_affected(), 1, "{sql}");
            false
        }
        Err(sqlx::Error::Database(error)) => {
            // A constraint or the trigger, and no slip of the pen.
            let code = error.code().unwrap_or_default();
            assert!(
                ["23514", "23001", "23502"].contains(&code.as_ref()),
                "{sql}: {error}"
            );
            true
        }
        Err(error) => panic!("{sql}: {error}"),
    }
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_status_that_is_typed_in_is_refused(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    for from in JobStatus::ALL {
        for to in JobStatus::ALL {
            let job = Job::in_status(&store, from).await;
            let sql = format!(
                "update larder.{} set status = '{}' where id = $1",
                table(from),
                to.as_str()
            );
            let refused = refused(&store, sql, job.id).await;
            // A live job may be written as it is: nothing changes.
            let same = from == to && !from.is_final();
            assert_eq!(refused, !same, "{from:?} to {to:?}");
            assert_eq!(job.status().await, from);
        }
    }
    Ok(())
}

const LEASED: &str =
    "lease_token = gen_random_uuid(), leased_by = 'me', leased_until = now(), started_at = now()";
const UNLEASED: &str = "lease_token = null, leased_by = null, leased_until = null";

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_live_job_changes_only_with_its_lease_and_its_attempt(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    let cases = [
        (
            Pending,
            format!("status = 'running', attempt = attempt + 1, {LEASED}"),
            true,
        ),
        (Pending, format!("status = 'running', {LEASED}"), false),
        (
            Pending,
            format!("status = 'running', attempt = attempt + 2, {LEASED}"),
            false,
        ),
        (
            Pending,
            "status = 'running', attempt = attempt + 1, started_at = now()".to_owned(),
            false,
        ),
        (Pending, "lease_token = gen_random_uuid()".to_owned(), false),
        (Pending, "leased_until = now()".to_owned(), false),
        (Pending, "leased_by = 'me'".to_owned(), false),
        (Pending, "attempt = attempt + 1".to_owned(), false),
        (
            Pending,
            "priority = 0, run_at = now() + interval '1 h'".to_owned(),
            true,
        ),
        (Pending, "id = gen_random_uuid()".to_owned(), false),
        (Running, format!("status = 'pending', {UNLEASED}"), true),
        (
            Running,
            format!("status = 'pending', attempt = attempt - 1, {UNLEASED}"),
            true,
        ),
        (
            Running,
            format!("status = 'pending', attempt = attempt + 1, {UNLEASED}"),
            false,
        ),
        (Running, "status = 'pending'".to_owned(), false),
        (Running, UNLEASED.to_owned(), false),
        (Running, "leased_until = null".to_owned(), false),
        (Running, "leased_by = null".to_owned(), false),
        (Running, "lease_token = gen_random_uuid()".to_owned(), false),
        (Running, "attempt = attempt - 1".to_owned(), false),
        (Running, "started_at = null".to_owned(), false),
        (
            Running,
            "leased_until = now() + interval '30 s'".to_owned(),
            true,
        ),
        (Completed, "completed_at = null".to_owned(), false),
        (Completed, "completed_at = now()".to_owned(), false),
        (Failed, "errors = '[]'".to_owned(), false),
    ];
    for (from, change, allowed) in cases {
        let job = Job::in_status(&store, from).await;
        let sql = format!("update larder.{} set {change} where id = $1", table(from));
        assert_eq!(
            refused(&store, sql, job.id).await,
            !allowed,
            "{from:?}: {change}"
        );
    }
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_job_that_is_typed_in_must_be_whole(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    let live = |columns: &str, values: &str| {
        format!(
            "insert into larder.jobs (id, lane, kind, {columns}) values ($1, 'local', 'noop', {values})"
        )
    };
    let refresh = |columns: &str, values: &str| live(columns, values).replace("noop", "refresh");
    let ended = |status: &str, attempt: &str, started: &str, completed: &str| {
        format!(
            "insert into larder.finished_jobs (id, lane, kind, args, class, priority, run_at, max_attempts,
                 rescues, errors, created_at, status, attempt, started_at, completed_at)
             values ($1, 'local', 'noop', '{{}}', 'operator', 20, now(), 5, 0, '[]', now(),
                     '{status}', {attempt}, {started}, {completed})"
        )
    };
    let lease = "lease_token, leased_by, leased_until";
    let token = "gen_random_uuid(), 'me', now()";
    let cases = [
        (live("priority", "20"), true),
        (live("status", "'completed'"), false),
        (live("status", "'running'"), false),
        (live(lease, token), false),
        (
            live(&format!("status, {lease}"), &format!("'running', {token}")),
            false,
        ),
        (
            live(
                &format!("status, attempt, started_at, {lease}"),
                &format!("'running', 1, now(), {token}"),
            ),
            true,
        ),
        (
            live(
                &format!("status, started_at, {lease}"),
                &format!("'running', now(), {token}"),
            ),
            false,
        ),
        (live("attempt", "-1"), false),
        (live("max_attempts", "0"), false),
        (live("class", "'planned'"), true),
        (live("class", "'robot'"), false),
        (
            live(
                &format!("status, attempt, started_at, {lease}"),
                &format!("'completed', 1, now(), {token}"),
            ),
            false,
        ),
        (live("endpoint", "'quotes'"), false),
        (
            live("resource_key, batch_key, endpoint", "'p:/a', 'p:/a', 'a'"),
            false,
        ),
        (
            refresh("resource_key, batch_key, endpoint", "'p:/a', 'p:/a', 'a'"),
            true,
        ),
        (refresh("resource_key", "'p:/a'"), false),
        (refresh("resource_key, batch_key", "'p:/a', 'p:/a'"), false),
        (refresh("resource_key, endpoint", "'p:/a', 'a'"), false),
        (ended("completed", "1", "now()", "now()"), true),
        (ended("completed", "1", "now()", "null"), false),
        (ended("completed", "0", "now()", "now()"), false),
        (ended("failed", "1", "null", "now()"), false),
        (ended("cancelled", "0", "null", "now()"), true),
        (ended("running", "1", "now()", "now()"), false),
        (ended("pending", "0", "null", "now()"), false),
    ];
    for (sql, allowed) in cases {
        assert_eq!(
            refused(&store, sql.clone(), JobId::new()).await,
            !allowed,
            "{sql}"
        );
    }
    Ok(())
}
