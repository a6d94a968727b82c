//! What `larder up`, enqueuer and worker in one process, costs the database while nobody
//! asks it anything.

use std::process::Stdio;
use std::time::{Duration, Instant};

use sqlx::PgPool;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::commands::larder;
use crate::relay::Relay;

/// Both with nothing in memory, and with copies that have to be kept right.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn an_idle_larder_up_does_at_most_two_statements_a_second(pool: PgPool) {
    let relay = Relay::start(&pool).await;
    let (_dir, command) = larder(Some(&relay.url()), &["up"]);
    let mut up = Command::from(command)
        .env_remove("CMC_API_KEY")
        // Its own sandbox is to answer.
        .env_remove("LARDER__PROVIDERS__COINMARKETCAP__BASE_URL")
        .env("JOBS_API_SECRET", "operators-secret-1")
        .env("LARDER_SANDBOX_LISTEN", "127.0.0.1:0")
        .env("LARDER__ENQUEUER__LISTEN", "127.0.0.1:0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(up.stdout.take().unwrap()).lines();
    let address = loop {
        let line = lines.next_line().await.unwrap().unwrap();
        if let Some((_, address)) = line.split_once("HTTP API       http://") {
            break address.to_owned();
        }
    };
    // Until its first read is answered, which waits for the first call.
    read(&address).await;
    for copies in [false, true] {
        if copies {
            read(&address).await;
        }
        // What its start and the read leave to do is done by then.
        tokio::time::sleep(Duration::from_secs(5)).await;
        let (before, started) = (relay.statements(), Instant::now());
        tokio::time::sleep(Duration::from_secs(20)).await;
        let done = f64::from(u32::try_from(relay.statements() - before).unwrap());
        let seconds = started.elapsed().as_secs_f64();
        assert!(done > 0.0, "it looks");
        assert!(
            done / seconds <= 2.0,
            "{done} statements in {seconds} s, copies: {copies}"
        );
    }
}

/// Reads a coin that the example tracks.
async fn read(address: &str) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = "GET /proxy/coinmarketcap/v3/cryptocurrency/quotes/latest?id=1 HTTP/1.1\r\n\
                   host: larder\r\nprefer: wait=30\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
