//! What a provider, or somebody who stands in its place, cannot do to us.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use sandbox::TroubleKind;
use sqlx::PgPool;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::rig::Rig;
use crate::rows::{Call, ended, job, settled};
use crate::trouble::left_by;

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_compressed_answer_is_measured_as_it_unfolds(pool: PgPool) {
    let settings = [("WORKER__MAX_BODY_BYTES", "1048576")];
    let bomb = TroubleKind::Huge {
        bytes: 200 << 20,
        gzip: true,
    };
    let left = left_by(pool, bomb, &settings).await;
    assert_eq!(left.outcome(), "too_large");
    assert_eq!((left.call.requests, left.call.credits), (1, Some(1)));
    left.is_retried_after(60.0);
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn an_answer_that_does_not_begin_is_given_up_before_the_call_is(pool: PgPool) {
    let settings = [
        ("WORKER__FIRST_BYTE_TIMEOUT", "300ms"),
        ("WORKER__CALL_TIMEOUT", "600s"),
        ("WORKER__LEASE", "1200s"),
    ];
    let started = Instant::now();
    let left = left_by(pool, TroubleKind::Latency { ms: 500_000 }, &settings).await;
    assert!(started.elapsed() < Duration::from_secs(120));
    assert_eq!(left.outcome(), "timeout");
    assert_eq!((left.call.requests, left.call.credits), (1, Some(1)));
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn an_answer_that_begins_may_take_its_time(pool: PgPool) {
    let settings = [("WORKER__FIRST_BYTE_TIMEOUT", "2s")];
    let slowly = TroubleKind::SlowBody {
        chunk: 200,
        pause_ms: 300,
    };
    assert_eq!(left_by(pool, slowly, &settings).await.outcome(), "ok");
}

/// Answers requests on one connection with errors, and drops the connection at the
/// request of this number. Says of each request that it came.
async fn drops_at(listener: TcpListener, last: u32, came: mpsc::UnboundedSender<()>) {
    while let Ok((mut connection, _)) = listener.accept().await {
        for number in 1.. {
            if !read_head(&mut connection).await {
                break;
            }
            came.send(()).unwrap();
            if number == last {
                break;
            }
            let page = "HTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\n{}";
            connection.write_all(page.as_bytes()).await.unwrap();
        }
    }
}

async fn read_head(connection: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = connection.read_u8().await else {
            return false;
        };
        head.push(byte);
    }
    true
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_request_on_a_used_connection_is_not_sent_again_when_that_breaks(pool: PgPool) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = format!("http://{}", listener.local_addr().unwrap());
    let (came, mut arrivals) = mpsc::unbounded_channel();
    let provider = tokio::spawn(drops_at(listener, 2, came));
    let settings = [("PROVIDERS__COINMARKETCAP__BASE_URL", place.as_str())];
    let rig = Rig::new(pool, &settings).await;
    let worker = rig.worker();
    rig.enqueue(vec![rig.quote(1)]).await;
    rig.notify().await;
    let first = settled(&rig, 1).await.remove(0);
    assert_eq!(first.outcome.as_deref(), Some("provider_error"));

    rig.enqueue(vec![rig.quote(2)]).await;
    rig.notify().await;
    let second: Call = settled(&rig, 2).await.remove(1);
    worker.stop().await;
    provider.abort();
    assert_eq!(second.outcome.as_deref(), Some("broken"));
    assert_eq!((second.requests, second.credits), (1, Some(1)));
    // Two calls in the ledger, two requests on the wire.
    assert!(arrivals.recv().await.is_some() && arrivals.recv().await.is_some());
    assert!(arrivals.try_recv().is_err());
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_certificate_that_nobody_vouches_for_gets_neither_request_nor_key(pool: PgPool) {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    // Fails when another test was first, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let provider = tokio::spawn(async move {
        let (connection, _) = listener.accept().await.unwrap();
        acceptor.accept(connection).await.map(|_| ())
    });
    let place = format!("https://localhost:{port}");
    let settings = [("PROVIDERS__COINMARKETCAP__BASE_URL", place.as_str())];
    let rig = Rig::new(pool, &settings).await;
    let id = rig.enqueue(vec![rig.quote(1)]).await[0];
    let worker = rig.worker();
    let call = settled(&rig, 1).await.remove(0);
    worker.stop().await;
    assert_eq!(call.outcome.as_deref(), Some("connect"));
    assert_eq!((call.requests, call.credits), (0, Some(0)));
    let error = job(&rig.pool, id).await.error.unwrap();
    assert!(error.contains("certificate"), "{error}");
    assert!(
        provider.await.unwrap().is_err(),
        "the handshake was refused"
    );
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn one_job_can_be_followed_through_the_log_by_its_id(pool: PgPool) {
    let rig = Rig::new(pool, &[]).await;
    let id = rig.enqueue(vec![rig.quote(1)]).await[0];
    let mut worker = crate::spawned::Spawned::start(&rig, &[("DEBUG", "true")], &["--once"]);
    assert_eq!(ended(&rig, id).await.status, "completed");
    assert_eq!(worker.exit().await.code(), Some(0));
    let log = worker.log();
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of_job = |line: &&serde_json::Value| line["job"] == id.to_string();
    let said: Vec<&str> = lines
        .iter()
        .filter(of_job)
        .map(|line| line["message"].as_str().unwrap())
        .collect();
    assert_eq!(said, ["job claimed", "job completed"]);
    // And from there to the call that answered it.
    let call = &lines.iter().find(of_job).unwrap()["call"];
    let recorded = |line: &&serde_json::Value| {
        line["message"] == "call recorded" && line["call"] == *call && line["outcome"] == "ok"
    };
    assert_eq!(lines.iter().filter(recorded).count(), 1);
}
