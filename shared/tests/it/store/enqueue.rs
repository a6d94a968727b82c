//! One live refresh of a resource, however many ask.

use super::*;
use shared::model::JobStatus;

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn asking_again_returns_the_same_job_and_raises_it(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    let (first, is_new) = enqueue_one(&store, refresh(quote(1))).await;
    assert!(is_new);
    let mut urgent = refresh(quote(1));
    urgent.priority = Priority::READER_WAITING;

    let (second, is_new) = enqueue_one(&store, urgent).await;

    assert_eq!((second, is_new), (first, false));
    assert_eq!(store.job(first).await?.priority, 0);
    enqueue_one(&store, refresh(quote(1))).await;
    assert_eq!(store.job(first).await?.priority, 0, "never lowered");
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn many_who_ask_at_once_make_one_job(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let store = store.clone();
        asking.spawn(async move {
            let requests: Vec<_> = (1..=20).map(|id| refresh(quote(id))).collect();
            store.enqueue(&requests).await.unwrap()
        });
    }

    let answers = asking.join_all().await;

    let new = answers
        .iter()
        .flatten()
        .filter(|enqueued| enqueued.is_new)
        .count();
    assert_eq!(new, 20);
    assert!(answers.iter().all(|answer| answer.len() == 20));
    for answer in &answers {
        for (enqueued, first) in answer.iter().zip(&answers[0]) {
            assert_eq!(
                enqueued.job.id, first.job.id,
                "in the order of the requests"
            );
        }
    }
    assert_eq!(number(&store, "select count(*) from larder.jobs").await, 20);
    Ok(())
}

/// A live job can end between any two statements of whoever meets it.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn every_request_is_answered_also_while_the_jobs_end(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    let requests: Vec<_> = (1..=5).map(|id| refresh(quote(id))).collect();
    let stop = tokio_util::sync::CancellationToken::new();
    let ending = tokio::spawn({
        let (store, stop) = (store.clone(), stop.clone());
        async move {
            let (all, mut ended) = (shared::store::JobSelection::default(), 0);
            while !stop.is_cancelled() {
                ended += store.cancel_many(&all).await.unwrap().cancelled;
            }
            ended
        }
    });
    let asking = (0..3).map(|_| {
        let (store, requests) = (store.clone(), requests.clone());
        async move {
            let mut new = 0;
            for _ in 0..100 {
                let answer = store.enqueue(&requests).await.unwrap();
                let keys = answer
                    .iter()
                    .map(|one| one.job.resource_key.clone().unwrap());
                let asked = requests.iter().filter_map(|one| one.resource.as_ref());
                assert!(keys.eq(asked.map(|spec| spec.key.to_string())));
                new += answer.iter().filter(|one| one.is_new).count();
            }
            new
        }
    });

    let new: usize = futures::future::join_all(asking).await.into_iter().sum();

    stop.cancel();
    let ended =
        ending.await? + u64::try_from(number(&store, "select count(*) from larder.jobs").await)?;
    assert_eq!(
        u64::try_from(new)?,
        ended,
        "each new job was told as new once"
    );
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn the_same_resource_twice_in_one_request_is_one_job(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;

    let answer = store
        .enqueue(&[refresh(quote(1)), refresh(quote(1))])
        .await?;

    assert_eq!(answer.len(), 2);
    assert_eq!(answer[0].job.id, answer[1].job.id);
    assert_eq!(answer.iter().filter(|enqueued| enqueued.is_new).count(), 1);
    Ok(())
}

/// Someone asks for newer data while a call is out: its answer may be from before the ask.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn asking_while_the_job_runs_makes_it_run_once_more(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    let (job, _) = enqueue_one(&store, refresh(quote(1))).await;
    let call = admit_one(&store).await;
    let mut newer = refresh(quote(1));
    newer.must_be_newer = true;
    assert_eq!(enqueue_one(&store, newer).await, (job, false));

    store.record(&answered(&call, 1, "1")).await?;

    assert_eq!(store.job(job).await?.status, JobStatus::Pending);
    let again = admit_one(&store).await;
    store.record(&answered(&again, 1, "2")).await?;
    assert_eq!(store.job(job).await?.status, JobStatus::Completed);
    Ok(())
}

/// A reader that misses is content with any answer, also one that is on its way.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_reader_is_satisfied_by_the_call_that_is_out(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    let (job, _) = enqueue_one(&store, refresh(quote(1))).await;
    let call = admit_one(&store).await;
    enqueue_one(&store, refresh(quote(1))).await;

    store.record(&answered(&call, 1, "1")).await?;

    assert_eq!(store.job(job).await?.status, JobStatus::Completed);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_job_whose_answer_is_there_already_ends_without_a_call(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    enqueue_one(&store, refresh(quote(1))).await;
    let call = admit_one(&store).await;
    store.record(&answered(&call, 1, "1")).await?;
    let (late, _) = enqueue_one(&store, refresh(quote(1))).await;
    sqlx::query("update larder.jobs set satisfied_after = '-infinity'")
        .execute(store.pool())
        .await?;

    let admission = admit(&store, "worker-a", 1).await;

    assert!(admission.calls.is_empty());
    assert_eq!((admission.satisfied, admission.failed), (1, 0));
    assert_eq!(store.job(late).await?.status, JobStatus::Completed);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_tick_makes_each_due_resource_into_one_job(pool: sqlx::PgPool) -> TestResult {
    let store = Store::new(pool);
    let track: Vec<_> = (1..=10).map(|id| tracked(quote(id))).collect();
    store.sync(&[lane(vec![monthly(10)])], &track).await?;
    enqueue_one(&store, refresh(quote(1))).await;

    let (one, two) = tokio::join!(store.tick(true), store.tick(true));
    let (one, two) = (one?, two?);

    assert_eq!(one.enqueued + two.enqueued, 9);
    assert!(
        [&one, &two]
            .iter()
            .all(|tick| tick.due == tick.enqueued + tick.already_waiting)
    );
    assert_eq!(number(&store, "select count(*) from larder.jobs").await, 10);
    assert_eq!(store.tick(false).await?.already_waiting, 10);
    Ok(())
}

/// A request that lost against another transaction is put in again, rather than refused.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn deadlocks_and_serialization_failures_are_tried_again(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    sqlx::raw_sql(
        "create sequence tried;
         create function lose() returns trigger language plpgsql as $$
         begin
             -- A sequence is not rolled back.
             case nextval('tried')
                 when 1 then raise exception 'lost' using errcode = '40P01';
                 when 2 then raise exception 'lost' using errcode = '40001';
                 else return null;
             end case;
         end $$;
         create trigger lose after insert on larder.jobs for each statement execute function lose()",
    )
    .execute(store.pool())
    .await?;

    let requests: Vec<_> = (1..=3).map(|id| refresh(quote(id))).collect();
    let enqueued = store.enqueue(&requests).await?;

    assert!(enqueued.iter().all(|job| job.is_new));
    assert_eq!(number(&store, "select count(*) from larder.jobs").await, 3);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn sql_users_enqueue_in_their_own_transaction(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    store
        .track(
            &quote(1),
            &Tracking::every(std::time::Duration::from_secs(60)),
        )
        .await?;
    let mut tx = store.pool().begin().await?;
    sqlx::query("select larder.enqueue('noop', '{\"a\": 1}')")
        .execute(&mut *tx)
        .await?;
    tx.rollback().await?;
    assert_eq!(number(&store, "select count(*) from larder.jobs").await, 0);

    let refresh = "select larder.enqueue('refresh', '{\"resource\": \"coins:/quotes?id=1\"}')";
    let first: uuid::Uuid = sqlx::query_scalar(refresh).fetch_one(store.pool()).await?;
    let second: uuid::Uuid = sqlx::query_scalar(refresh).fetch_one(store.pool()).await?;

    assert_eq!(first, second);
    assert_eq!(first.get_version_num(), 7);
    let unknown = sqlx::query("select larder.enqueue('refresh', '{\"resource\": \"nope\"}')")
        .execute(store.pool())
        .await;
    assert!(
        unknown
            .unwrap_err()
            .to_string()
            .contains("no resource 'nope'")
    );
    Ok(())
}

/// It looked, found nothing, and the answer came before it could ask: that costs nothing.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_reader_that_lost_the_race_with_an_answer_causes_no_call(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = store_with(pool, vec![monthly(10)]).await;
    enqueue_one(&store, refresh(quote(1))).await;
    let call = admit_one(&store).await;
    store.record(&answered(&call, 1, "1")).await?;
    let mut late = refresh(quote(1));
    late.class = "reader";

    let (job, _) = enqueue_one(&store, late.clone()).await;

    assert!(admit(&store, "worker-a", 1).await.calls.is_empty());
    assert_eq!(store.job(job).await?.status, JobStatus::Completed);
    sqlx::query("update larder.entries set fresh_until = now() - interval '1 s'")
        .execute(store.pool())
        .await?;
    enqueue_one(&store, late).await;
    assert_eq!(
        admit(&store, "worker-a", 1).await.calls.len(),
        1,
        "an old one is renewed"
    );
    Ok(())
}

/// The usual one alone goes in by fewer words than any other.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_job_of_a_handler_is_kept_as_asked_alone_or_among_others(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    let usual = JobRequest::handler("noop", serde_json::json!({"n": 1}));
    let asked = [
        usual.clone(),
        JobRequest {
            class: "reader",
            ..usual.clone()
        },
        JobRequest {
            priority: Priority(0),
            ..usual.clone()
        },
        JobRequest {
            run_at: Some(chrono::DateTime::UNIX_EPOCH),
            ..usual.clone()
        },
        JobRequest {
            max_attempts: 1,
            ..usual
        },
    ];

    let mut answered = Vec::new();
    for request in &asked {
        answered.extend(store.enqueue(std::slice::from_ref(request)).await?);
    }
    answered.extend(store.enqueue(&asked).await?);

    assert_eq!(answered.len(), 2 * asked.len());
    for (enqueued, asked) in answered.iter().zip(asked.iter().cycle()) {
        let job = store.job(enqueued.job.id).await?;
        assert_eq!(enqueued.job, job, "answered as it is kept");
        assert_eq!((&*job.lane, &*job.kind), ("local", "noop"));
        assert_eq!(
            (&job.args, job.priority, job.max_attempts),
            (&asked.args, asked.priority.0, asked.max_attempts)
        );
        match asked.run_at {
            Some(run_at) => assert_eq!(job.run_at, run_at),
            None => assert!(job.run_at <= job.created_at, "due at once"),
        }
        let class = sqlx::query_scalar::<_, String>("select class from larder.jobs where id = $1");
        let class = class.bind(job.id.0).fetch_one(store.pool()).await?;
        assert_eq!(class, asked.class);
    }
    Ok(())
}
