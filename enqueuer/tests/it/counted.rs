//! Reads are counted alike whichever way they are answered: each part by itself.

use std::collections::BTreeMap;
use std::time::Duration;

use shared::model::{ResourceSpec, Tracking};

use super::harness::{Server, TestResult, execute, json as body};

/// Of a provider that no other test of this process reads, since they share the counters.
const OWN: &str = "[providers.counted]\npreset = \"coinmarketcap\"\n";

const READ: &str = "/proxy/counted/v3/cryptocurrency/quotes/latest?id=";

fn resource(server: &Server, id: &str) -> ResourceSpec {
    let provider = server.catalog.provider("counted").unwrap();
    let key = format!("counted.quotes_latest?id={id}");
    provider.resource(&key).unwrap()
}

/// An entry of this age, fresh for so many seconds more, or no more.
async fn entry(server: &Server, id: &str, age: f64, fresh: f64) {
    sqlx::query(
        r#"insert into larder.entries (resource_key, provider, endpoint, body, envelope, call_id,
               recorded_call, requested_at, fetched_at, fresh_until)
           select $1, 'counted', 'quotes_latest', format('{"id":%s,"price":1.1}', $2)::json,
                  '{"status":{"error_code":0},"data":null}', 1, 1, t.at, t.at,
                  clock_timestamp() + make_interval(secs => $4)
           from (select clock_timestamp() - make_interval(secs => $3) as at) t"#,
    )
    .bind(resource(server, id).key.0)
    .bind(id)
    .bind(age)
    .bind(fresh)
    .execute(server.store.pool())
    .await
    .unwrap();
}

async fn track(server: &Server, id: &str, max_age: Option<Duration>) {
    let tracking = Tracking {
        max_age,
        ..Tracking::every(Duration::from_secs(3600))
    };
    let resource = resource(server, id);
    server.store.track(&resource, &tracking).await.unwrap();
}

/// Fresh, stale, missed; how many ages, and their sum in hundreds of seconds; what the
/// requests were worth in credits.
async fn counted(server: &Server) -> [u64; 6] {
    let page = server.get("/metrics").send().await.unwrap();
    let page = page.text().await.unwrap();
    let series: BTreeMap<&str, f64> = page
        .lines()
        .filter_map(|line| line.rsplit_once(' '))
        .filter_map(|(series, value)| Some((series, value.parse().ok()?)))
        .collect();
    let of = |result: &str| {
        let series =
            format!("larder_cache_reads_total{{provider=\"counted\",result=\"{result}\"}}");
        series
    };
    [
        (of("fresh"), 1.0),
        (of("stale"), 1.0),
        (of("miss"), 1.0),
        (
            "larder_cache_age_seconds_count{provider=\"counted\"}".to_owned(),
            1.0,
        ),
        (
            "larder_cache_age_seconds_sum{provider=\"counted\"}".to_owned(),
            100.0,
        ),
        (
            "larder_read_worth_credits_total{provider=\"counted\"}".to_owned(),
            1.0,
        ),
    ]
    .map(|(name, each)| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small count"
        )]
        let whole = (series[name.as_str()] / each) as u64;
        whole
    })
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn each_part_of_a_read_is_counted_as_what_it_was(pool: sqlx::PgPool) -> TestResult {
    let dir = tempfile::TempDir::new()?;
    let file = dir.path().join("larder.toml");
    std::fs::write(&file, OWN)?;
    let file = file.to_str().ok_or("a path")?;
    let server = Server::start_with(&pool, &[("LARDER_CONFIG", file)]).await;
    assert_eq!(counted(&server).await, [0; 6], "at zero from the start");
    let page = server.get("/metrics").send().await?.text().await?;
    let cancelled = r#"larder_jobs_finished_total{lane="counted",status="cancelled"} 0"#;
    assert!(page.lines().any(|line| line == cancelled), "{page}");
    entry(&server, "1", 100.0, 3600.0).await;
    entry(&server, "2", 1000.0, -500.0).await;
    entry(&server, "3", 10_000.0, -9000.0).await;
    entry(&server, "5", 10_000.0, -9000.0).await;
    track(&server, "2", None).await;
    for bounded in ["3", "5"] {
        track(&server, bounded, Some(Duration::from_secs(5000))).await;
    }
    let read = |ids: &str, wait: u32| {
        let read = server.get(&format!("{READ}{ids}"));
        read.header("prefer", format!("wait={wait}")).send()
    };

    // Put together, and then from memory.
    body(server.get(&format!("{READ}1,2")).send().await?, 200).await;
    assert_eq!(counted(&server).await, [1, 1, 0, 2, 11, 1]);
    execute(&server.store, "alter schema larder rename to hidden").await;
    body(server.get(&format!("{READ}1,2")).send().await?, 200).await;
    execute(&server.store, "alter schema hidden rename to larder").await;
    assert_eq!(counted(&server).await, [2, 2, 0, 4, 22, 2]);

    // One that is not there makes the read fail; the other one was there.
    let failed = read("1,4", 1).await?;
    assert!(failed.status().is_server_error());
    assert_eq!(counted(&server).await, [3, 2, 1, 5, 23, 2]);

    // Past its bound: the reader waits for a newer one, and gets it.
    let renewing = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        execute(
            &server.store,
            "update larder.entries
             set fetched_at = clock_timestamp(), fresh_until = clock_timestamp() + interval '1 hour'
             where resource_key like 'counted:%id=3'",
        )
        .await;
    };
    let (renewed, ()) = tokio::join!(read("1,3", 10), renewing);
    let renewed = renewed?;
    let status = renewed.headers()["cache-status"].to_str()?.to_owned();
    assert!(status.contains("fwd=stale"), "{status}");
    body(renewed, 200).await;
    assert_eq!(counted(&server).await, [4, 2, 2, 6, 24, 3]);

    // Past its bound, and nothing newer comes: it is given as it is.
    body(read("1,5", 1).await?, 200).await;
    assert_eq!(counted(&server).await, [5, 3, 2, 8, 125, 4]);
    Ok(())
}
