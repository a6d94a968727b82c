//! A provider that can say that nothing has changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::PgPool;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::rig::Rig;
use crate::rows::{calls, ended, number};

/// A provider whose answers carry the tag `"one"`, and which sends nothing to whoever names
/// it; counts the answers with and without a body.
async fn provider() -> (String, Arc<[AtomicU32; 2]>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let counts = Arc::new([AtomicU32::new(0), AtomicU32::new(0)]);
    let counted = Arc::clone(&counts);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            let request = String::from_utf8(request).unwrap().to_lowercase();
            let answer = if request.contains("if-none-match: \"one\"") {
                counted[1].fetch_add(1, Ordering::SeqCst);
                "HTTP/1.1 304 Not Modified\r\nETag: \"one\"\r\nConnection: close\r\n\r\n".to_owned()
            } else {
                counted[0].fetch_add(1, Ordering::SeqCst);
                let body = r#"{"status":{"timestamp":"2026-01-01T00:00:00.000Z","error_code":0,"credit_count":1},"data":[{"id":1,"price":1.10},{"id":1027,"price":2.20}]}"#;
                let length = body.len();
                format!(
                    "HTTP/1.1 200 OK\r\nETag: \"one\"\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                )
            };
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (url, counts)
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn what_has_not_changed_is_renewed_without_being_sent_again(pool: PgPool) {
    let (url, counts) = provider().await;
    let settings = [
        ("PROVIDERS__COINMARKETCAP__BASE_URL", url.as_str()),
        ("PROVIDERS__COINMARKETCAP__VALIDATORS", "true"),
    ];
    let rig = Rig::new(pool, &settings).await;
    let worker = rig.worker();
    let seen = || [0, 1].map(|at| counts[at].load(Ordering::SeqCst));
    // The order in which they were asked for does not matter, but that it is the same two.
    for (ids, expected) in [
        (vec![1, 1027], [1, 0]),
        (vec![1027, 1], [1, 1]),
        (vec![1], [2, 1]),
        (vec![1, 1027], [3, 1]),
        (vec![1, 1027], [3, 2]),
    ] {
        let before = "select coalesce(sum(revision), 0)::bigint from larder.entries";
        let revisions = number(&rig.pool, before).await;
        let quotes = ids.iter().map(|id| rig.quote(*id)).collect();
        for job in rig.enqueue(quotes).await {
            assert_eq!(ended(&rig, job).await.status, "completed", "{ids:?}");
        }
        assert_eq!(seen(), expected, "{ids:?}");
        assert!(number(&rig.pool, before).await > revisions, "it is renewed");
    }
    worker.stop().await;
    let unchanged = "select count(*) from larder.entries where changed_at < fetched_at and fresh_until > fetched_at";
    assert_eq!(number(&rig.pool, unchanged).await, 2);
    let spent: Vec<(Option<String>, Option<i32>)> = calls(&rig.pool)
        .await
        .into_iter()
        .map(|call| (call.outcome, call.credits))
        .collect();
    let free = (Some("not_modified".to_owned()), Some(0));
    assert_eq!(
        spent.iter().filter(|call| **call == free).count(),
        2,
        "{spent:?}"
    );
}
