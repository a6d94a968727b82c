//! However many ask at once, over however many processes: one job, one call, one credit.

use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};
use sqlx::postgres::PgListener;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::Child;

use super::binary::enqueuer;
use super::harness::{SECRET, Server, TestResult, number, url_of};

/// Readers, unless this machine lets a process have fewer connections.
const READERS: usize = 10_000;

/// How many connections this process may open, with its soft limit raised.
fn connections() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
    let most = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(most)
        .unwrap_or(usize::MAX)
        .saturating_sub(500)
}

/// An enqueuer in a process of its own, and where it listens.
async fn spawned(url: &str) -> (Child, String) {
    let environment = [
        ("JOBS_API_SECRET", SECRET),
        ("DATABASE_URL", url),
        ("LARDER__ENQUEUER__TICK_EVERY", "0s"),
        ("LARDER__ENQUEUER__DATABASE_CONNECTIONS", "4"),
        ("LARDER__ENQUEUER__DEFAULT_WAIT", "30s"),
    ];
    let mut running = enqueuer(&environment).spawn().unwrap();
    let output = running.stderr.take().unwrap();
    let mut lines = BufReader::new(output).lines();
    let mut address = String::new();
    let prepared = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            if let Some(found) = line["address"].as_str() {
                address = found.to_owned();
            }
            if line["message"] == "the database is prepared" {
                return;
            }
        }
        panic!("it ended");
    };
    let prepared = tokio::time::timeout(Duration::from_secs(30), prepared).await;
    prepared.expect("it is not prepared");
    // Whoever logs and is not read from would stop.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (running, address)
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn ten_thousand_readers_of_one_missing_resource_over_three_processes_cost_one_call(
    pool: sqlx::PgPool,
) -> TestResult {
    let readers = READERS.min(connections());
    let server = Server::start_untracked(&pool, &[]).await;
    let url = url_of(&pool);
    let mut running = Vec::new();
    for _ in 0..3 {
        running.push(spawned(&url).await);
    }
    sqlx::query(
        "update larder.resources set tracked = false, every = null, next_refresh_at = null",
    )
    .execute(&pool)
    .await?;
    let mut connected = Vec::with_capacity(readers);
    for nth in 0..readers {
        connected.push(TcpStream::connect(&running[nth % 3].1).await?);
    }
    let mut asked = PgListener::connect_with(&pool).await?;
    asked.listen(shared::store::JOBS_CHANNEL).await?;
    let request = b"GET /proxy/coinmarketcap/v3/cryptocurrency/quotes/latest?id=4242 HTTP/1.1\r\n\
                    Host: x\r\nConnection: close\r\n\r\n";
    for stream in &mut connected {
        stream.write_all(request).await?;
    }

    // Each process has asked, and announced its job, before the provider answers.
    for _ in 0..running.len() {
        let asked = tokio::time::timeout(Duration::from_secs(60), asked.recv());
        asked.await??;
    }
    let call = server.until_admitted().await;
    assert_eq!(call.jobs.len(), 1);
    server.answer(&call).await;
    let mut answered = 0;
    for mut stream in connected {
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        tokio::time::timeout(Duration::from_secs(60), read).await??;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(answer.contains(r#""id":4242"#), "{answer}");
        answered += 1;
    }

    assert_eq!(answered, readers);
    assert!(server.admit().await.is_none());
    let jobs =
        "select (select count(*) from larder.jobs) + (select count(*) from larder.finished_jobs)";
    assert_eq!(number(&server.store, jobs).await, 1);
    let calls = "select count(*) from larder.api_calls";
    assert_eq!(number(&server.store, calls).await, 1);
    let credits = "select sum(credits)::bigint from larder.api_calls";
    assert_eq!(number(&server.store, credits).await, 1);
    Ok(())
}

/// Beyond its descriptors it refuses connections; those that are open, and the database's,
/// go on.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn running_out_of_descriptors_refuses_new_connections_and_nothing_else(
    pool: sqlx::PgPool,
) -> TestResult {
    let url = url_of(&pool);
    let environment = [
        ("JOBS_API_SECRET", SECRET),
        ("DATABASE_URL", url.as_str()),
        ("LARDER__ENQUEUER__TICK_EVERY", "0s"),
    ];
    let few = rustix::process::Rlimit {
        current: Some(64),
        maximum: Some(200),
    };
    let mut running = enqueuer(&environment).spawn()?;
    let id = rustix::process::Pid::from_raw(i32::try_from(running.id().unwrap())?).unwrap();
    // Before it is ready: the limit is read when it begins to serve.
    rustix::process::prlimit(Some(id), Resource::Nofile, few)?;
    let mut lines = BufReader::new(running.stderr.take().unwrap()).lines();
    let mut address = String::new();
    while let Some(line) = lines.next_line().await? {
        let line: serde_json::Value = serde_json::from_str(&line)?;
        if let Some(found) = line["address"].as_str() {
            address = found.to_owned();
        }
        if line["message"] == "the database is prepared" {
            break;
        }
    }
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    let request = b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut open = Vec::new();
    for _ in 0..300 {
        if let Ok(stream) = TcpStream::connect(&address).await {
            open.push(stream);
        }
    }
    let (mut served, mut refused) = (0, 0);
    for stream in &mut open {
        let mut answer = [0; 12];
        let asked = stream.write_all(request).await;
        let read = tokio::time::timeout(Duration::from_secs(20), stream.read_exact(&mut answer));
        match (asked, read.await?) {
            (Ok(()), Ok(_)) => served += 1,
            _ => refused += 1,
        }
    }
    assert!(
        served >= 50 && refused >= 100,
        "{served} served, {refused} refused"
    );
    drop(open);
    // With room again, new ones are served.
    let mut again = false;
    for _ in 0..200 {
        let mut stream = TcpStream::connect(&address).await?;
        let mut answer = [0; 12];
        if stream.write_all(request).await.is_ok() && stream.read_exact(&mut answer).await.is_ok() {
            again = true;
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(again);
    Ok(())
}
