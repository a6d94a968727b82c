//! What a worker counts is what stands in the tables.

use std::collections::BTreeMap;

use sandbox::{Trouble, TroubleKind};
use shared::metrics::{ALL, ENDS, Kind};
use sqlx::PgPool;

use crate::rig::{QUOTES, Rig, eventually};
use crate::rows::becomes;
use crate::spawned::Spawned;

/// So that the log tells where its pages are.
const LOUD: [(&str, &str); 1] = [("LARDER_LOG", "debug")];

const MAP: &str = "/v1/cryptocurrency/map";

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_fresh_worker_shows_every_series_of_its_own_at_zero(pool: PgPool) {
    let rig = Rig::new(pool, &[]).await;
    let worker = Spawned::start(&rig, &LOUD, &[]);
    becomes(&rig.pool, "select count(*) from larder.workers", 1).await;

    let page = worker.page("/metrics").await;

    // Reads are an enqueuer's.
    let own = (ALL.iter())
        .filter(|metric| !metric.name.contains("_read") && !metric.name.contains("_cache"));
    let names = own.filter_map(|metric| match metric.kind {
        Kind::Counter => Some(metric.name.to_owned()),
        Kind::Histogram => Some(format!("{}_count", metric.name)),
        Kind::Gauge => None,
    });
    for name in names {
        let mut series = page.lines().filter(|line| {
            line.strip_prefix(&name)
                .is_some_and(|rest| rest.starts_with(['{', ' ']))
        });
        let first = series.next();
        assert!(first.is_some(), "{name} is not in\n{page}");
        assert!(
            first
                .into_iter()
                .chain(series)
                .all(|line| line.ends_with(" 0")),
            "{name}"
        );
    }
    for lane in ["local", "coinmarketcap"] {
        for status in ENDS {
            let line =
                format!("larder_jobs_finished_total{{lane=\"{lane}\",status=\"{status}\"}} 0");
            assert!(page.contains(&line), "{line} is not in\n{page}");
        }
    }
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn however_a_job_or_a_call_ends_it_is_counted_once_as_what_it_ended_as(pool: PgPool) {
    let rig = Rig::new(pool, &[]).await;
    let quotes = (1..=5).map(|id| rig.quote(id)).collect();
    let [_, unknown, worn_out, unwanted, _] = rig.enqueue(quotes).await[..] else {
        panic!("five quotes are five jobs");
    };
    let map = rig.resource(&format!("coinmarketcap:{MAP}?limit=10"));
    let [last_attempt] = rig.enqueue(vec![map]).await[..] else {
        panic!("a resource is a job");
    };
    rig.enqueue_kind("noop", 7).await;
    rig.enqueue_kind("webhook", 2).await; // without a URL
    for (job, change) in [
        (unknown, "batch_key = '/v0/nothing', endpoint = 'nothing'"),
        (worn_out, "rescues = 100"),
        (unwanted, "cancel_requested = true"),
        (last_attempt, "max_attempts = 1"),
    ] {
        let sql = format!("update larder.jobs set {change} where id = $1");
        let sql = sqlx::AssertSqlSafe(sql);
        sqlx::query(sql)
            .bind(job.0)
            .execute(&rig.pool)
            .await
            .unwrap();
    }
    // A worker that is no more held two of them, and had a call on its way.
    sqlx::query(
        "update larder.jobs
         set status = 'running', attempt = 1, started_at = now(), lease_token = gen_random_uuid(),
             leased_by = 'gone', leased_until = now() - interval '1 s'
         where id = any($1)",
    )
    .bind([worn_out.0, unwanted.0])
    .execute(&rig.pool)
    .await
    .unwrap();
    sqlx::query(
        "insert into larder.api_calls (provider, endpoint, batch_key, class, items, lease_token,
             worker, reserved_at, reserved_credits, leased_until)
         values ('coinmarketcap', 'quotes_latest', $1, 'planned', 1, gen_random_uuid(), 'gone',
                 now() - interval '5 s', 3, now() - interval '3 s')",
    )
    .bind(QUOTES)
    .execute(&rig.pool)
    .await
    .unwrap();
    let down = TroubleKind::Status {
        status: 500,
        body: None,
        headers: Vec::new(),
    };
    rig.upstream.script(Trouble::next(1, down).on(MAP));

    let worker = Spawned::start(&rig, &LOUD, &[]);
    let live = "select count(*) from background_jobs where status in ('pending', 'running')";
    becomes(&rig.pool, live, 0).await;
    // Answered already: it completes without a call.
    let known = rig.quote(1);
    sqlx::query(
        "insert into larder.jobs (id, lane, kind, endpoint, resource_key, batch_key, item)
         values (larder.uuid_v7(), 'coinmarketcap', 'refresh', $1, $2, $3, $4)",
    )
    .bind(known.endpoint.as_str())
    .bind(&known.key.0)
    .bind(known.batch_key.as_str())
    .bind(&known.item)
    .execute(&rig.pool)
    .await
    .unwrap();
    rig.notify().await;
    becomes(&rig.pool, live, 0).await;

    let ended: Vec<(String, String, i64)> = sqlx::query_as(
        "select lane, status::text, count(*) from background_jobs group by lane, status",
    )
    .fetch_all(&rig.pool)
    .await
    .unwrap();
    let ended: BTreeMap<String, i64> = ended
        .into_iter()
        .map(|(lane, status, jobs)| {
            let name = "larder_jobs_finished_total";
            (
                format!("{name}{{lane=\"{lane}\",status=\"{status}\"}}"),
                jobs,
            )
        })
        .collect();
    let credits: i64 = sqlx::query_scalar("select sum(credits)::bigint from larder.api_calls")
        .fetch_one(&rig.pool)
        .await
        .unwrap();
    assert_eq!(ended.len(), 5, "premise: {ended:?}");
    // It counts after its commit.
    let mut seen = BTreeMap::new();
    let agreed = tokio::time::timeout(std::time::Duration::from_secs(20), async {
        eventually("the same on its page", async || {
            seen = numbers(&worker.page("/metrics").await);
            let counted = seen.iter().filter(|(series, jobs)| {
                series.starts_with("larder_jobs_finished_total") && **jobs > 0
            });
            let counted: BTreeMap<String, i64> = counted
                .map(|(series, jobs)| (series.clone(), *jobs))
                .collect();
            (counted == ended).then_some(())
        })
        .await;
    });
    assert!(agreed.await.is_ok(), "{ended:#?} is not in {seen:#?}");
    let of = |start: &str, part: &str| -> i64 {
        seen.iter()
            .filter(|(series, _)| series.starts_with(start) && series.contains(part))
            .map(|(_, value)| value)
            .sum()
    };
    assert_eq!(of("larder_api_calls_total", "outcome=\"lapsed\""), 1);
    assert_eq!(of("larder_credits_spent_total", ""), credits);
    assert_eq!(
        of("larder_calls_avoided_total", ""),
        1,
        "by the one that was known; of the two that shared a call one failed"
    );
    assert_eq!(
        of("larder_job_retries_total", ""),
        0,
        "it was the last attempt"
    );
}

/// Every series with its value, of those whose value is whole.
fn numbers(page: &str) -> BTreeMap<String, i64> {
    page.lines()
        .filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            Some((series.to_owned(), value.parse().ok()?))
        })
        .collect()
}
