//! Jobs and calls of workers that are no more.

use shared::model::JobStatus;

use super::*;

async fn end_leases(store: &Store) {
    sqlx::query(
        "update larder.jobs set leased_until = now() - interval '1 s' where status = 'running'",
    )
    .execute(store.pool())
    .await
    .unwrap();
    sqlx::query("update larder.api_calls set leased_until = now() - interval '1 s' where settled_at is null")
        .execute(store.pool())
        .await
        .unwrap();
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_lost_workers_call_is_spent_and_occupies_its_limits_while_it_may_travel(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = store_with(
        pool,
        vec![
            monthly(10),
            limit("in_flight", Unit::Requests, 1, LimitWindow::Concurrency),
        ],
    )
    .await;
    enqueue_one(&store, refresh(single("listing"))).await;
    admit_one(&store).await;
    end_leases(&store).await;

    let rescued = store.rescue(3).await?;

    assert_eq!(rescued.lapsed.len(), 1);
    assert_eq!(store.budget().await?[0].limits[0].spent, 3);
    let blocked = admit(&store, "worker-b", 1).await;
    assert!(
        blocked.calls.is_empty(),
        "freeze and transit may still bring the request: {blocked:?}"
    );
    sqlx::query("update larder.api_calls set end_at = now() - interval '1 s'")
        .execute(store.pool())
        .await?;
    sqlx::query("update larder.lanes set closed_until = null, closed_reason = null")
        .execute(store.pool())
        .await?;
    admit_one(&store).await;
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_job_that_loses_its_worker_too_often_fails(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    let (job, _) = enqueue_one(&store, refresh(quote(1))).await;
    for _ in 0..2 {
        admit_one(&store).await;
        end_leases(&store).await;
        assert_eq!(store.rescue(2).await?.waiting, [job]);
        assert_eq!(store.job(job).await?.attempt, 0, "a rescue is no attempt");
        // From the second time on it would wait a while.
        sqlx::query("update larder.jobs set run_at = clock_timestamp()")
            .execute(store.pool())
            .await?;
    }
    admit_one(&store).await;
    end_leases(&store).await;

    let rescued = store.rescue(2).await?;

    let failed: Vec<JobId> = rescued.failed.iter().map(|lost| lost.id).collect();
    assert_eq!(failed, [job]);
    let row = store.job(job).await?;
    assert_eq!(row.status, JobStatus::Failed);
    assert!(
        row.errors[0]["error"]
            .as_str()
            .unwrap()
            .starts_with("worker_lost")
    );
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_heartbeat_keeps_a_lease_and_finds_out_when_it_is_lost(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    enqueue_one(&store, refresh(quote(1))).await;
    let call = admit_one(&store).await;
    let lease = std::time::Duration::from_secs(30);
    assert!(
        store
            .heartbeat(&[call.lease_token], lease)
            .await?
            .contains(&call.lease_token)
    );

    end_leases(&store).await;

    assert!(
        store
            .heartbeat(&[call.lease_token], lease)
            .await?
            .is_empty(),
        "an ended lease stays ended"
    );
    store.rescue(3).await?;
    assert!(
        store
            .heartbeat(&[call.lease_token], lease)
            .await?
            .is_empty()
    );
    Ok(())
}

/// Prices that stand still in the middle of an admission, as a stopped process does.
struct Frozen {
    /// Told when it stands still.
    still: tokio::sync::mpsc::UnboundedSender<()>,
    thaw: std::sync::Mutex<std::sync::mpsc::Receiver<()>>,
}

impl Pricing for Frozen {
    fn endpoint(&self, batch: &BatchKey) -> Option<EndpointName> {
        self.still.send(()).unwrap();
        // An error says that the test is over.
        let _ = self.thaw.lock().unwrap().recv();
        Prices.endpoint(batch)
    }

    fn worst_case(&self, batch: &BatchKey, items: usize) -> Option<u32> {
        Prices.worst_case(batch, items)
    }

    fn max_items(&self, batch: &BatchKey) -> usize {
        Prices.max_items(batch)
    }

    fn items_for_same_cost(&self, batch: &BatchKey, items: usize) -> usize {
        Prices.items_for_same_cost(batch, items)
    }

    fn endpoints_within(&self, credits: u32) -> Vec<EndpointName> {
        Prices.endpoints_within(credits)
    }
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_process_that_freezes_while_it_admits_blocks_its_lane_for_seconds_only(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = store_with(pool, vec![monthly(100)]).await;
    enqueue_one(&store, refresh(quote(1))).await;
    let (thaw, frozen) = std::sync::mpsc::channel();
    let (still, mut stands) = tokio::sync::mpsc::unbounded_channel();
    let freezing = store.clone();
    let runtime = tokio::runtime::Handle::current();
    let admitting = std::thread::spawn(move || {
        let provider = provider();
        let request = AdmitRequest {
            provider: &provider,
            worker: "frozen",
            key_id: Some("key-1"),
            lease: Duration::from_secs(30),
            max_calls: 1,
            by_age: false,
        };
        let prices = Frozen {
            still,
            thaw: std::sync::Mutex::new(frozen),
        };
        runtime.block_on(freezing.admit(&request, &prices))
    });
    let holds = "select count(*) from pg_stat_activity
                 where datname = current_database() and state = 'idle in transaction'";
    stands.recv().await;
    // Until the server has ended the frozen one's session.
    tokio::time::timeout(Duration::from_secs(60), async {
        while number(&store, holds).await > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await?;

    let call = admit_one(&store).await;

    assert_eq!(call.jobs.len(), 1);
    thaw.send(())?;
    assert!(admitting.join().unwrap().is_err(), "it admitted nothing");
    let calls = number(&store, "select count(*) from larder.api_calls").await;
    assert_eq!(calls, 1);
    Ok(())
}

/// Claimed together with one that kills its worker, they would fail with it otherwise.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn jobs_that_lost_their_worker_twice_come_back_apart(pool: sqlx::PgPool) -> TestResult {
    let store = Store::new(pool);
    store.enqueue(&noops(40, 1)).await?;
    let due =
        "select count(*) from larder.jobs where status = 'pending' and run_at <= clock_timestamp()";
    for again_at_once in [true, false] {
        let kinds = vec!["noop".to_owned()];
        let claimed = store
            .claimer("w", kinds, Duration::from_secs(60))
            .claim(100)
            .await?;
        assert_eq!(claimed.jobs.len(), 40);
        sqlx::query("update larder.jobs set leased_until = clock_timestamp() - interval '1 s'")
            .execute(store.pool())
            .await?;
        assert_eq!(store.rescue(3).await?.waiting.len(), 40);
        assert_eq!(number(&store, due).await == 40, again_at_once);
    }
    let spread = "select count(distinct run_at) from larder.jobs
                  where run_at < clock_timestamp() + interval '10 seconds'";
    assert_eq!(number(&store, spread).await, 40, "none waits for long");
    Ok(())
}
