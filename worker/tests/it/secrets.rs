//! The key goes to the provider and nowhere else.

use sandbox::{Trouble, TroubleKind};
use sqlx::PgPool;

use crate::rig::{KEY, Rig};
use crate::rows::ended;
use crate::spawned::Spawned;

/// Every row of every table, as text.
async fn all_rows(pool: &PgPool) -> String {
    let tables: Vec<String> = sqlx::query_scalar(
        "select c.oid::regclass::text from pg_class c
         where c.relnamespace = 'larder'::regnamespace and c.relkind = 'r'",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let mut text = String::new();
    for table in tables {
        let sql = format!("select coalesce(string_agg(t::text, E'\\n'), '') from {table} t");
        let rows: String = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .fetch_one(pool)
            .await
            .unwrap();
        text.push_str(&rows);
    }
    text
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_key_stands_in_no_log_no_table_and_no_metric(pool: PgPool) {
    let rig = Rig::new(pool, &[("QUEUE__RETRY__INITIAL", "10ms")]).await;
    // A provider that repeats what it was sent, in an error and in an answer.
    let repeating = format!(
        r#"{{"status": {{"error_code": 400, "error_message": "the key {KEY} cannot do this"}}}}"#
    );
    rig.upstream.script(Trouble::next(
        1,
        TroubleKind::Status {
            status: 400,
            body: Some(repeating),
            headers: vec![("x-your-key".to_owned(), KEY.to_owned())],
        },
    ));
    let refused = rig.enqueue(vec![rig.quote(1)]).await[0];
    let url = rig.url.replacen('@', ":word-of-the-database@", 1);
    let more = [("RUST_LOG", "trace"), ("DATABASE_URL", url.as_str())];
    let mut worker = Spawned::start(&rig, &more, &[]);
    let job = ended(&rig, refused).await;
    assert_eq!(job.status, "failed");
    assert!(job.error.unwrap().contains("cannot do this"));

    let answer = format!(
        r#"{{"status": {{"error_code": "0", "credit_count": 1, "notice": "{KEY}"}},
            "data": [{{"id": 2, "echo": "{KEY}", "last_updated": "2026-01-01T00:00:00Z"}}]}}"#
    );
    rig.upstream.script(Trouble::next(
        1,
        TroubleKind::Status {
            status: 200,
            body: Some(answer),
            headers: Vec::new(),
        },
    ));
    let answered = rig.enqueue(vec![rig.quote(2)]).await[0];
    rig.notify().await;
    assert_eq!(ended(&rig, answered).await.status, "completed");
    // And one that fails on its way, with a URL in the client's own error.
    rig.upstream
        .script(Trouble::next(1, TroubleKind::DropAfterCounting));
    let dropped = rig.enqueue(vec![rig.quote(1027)]).await[0];
    rig.notify().await;
    assert_eq!(ended(&rig, dropped).await.status, "completed");

    let mut shown = String::new();
    for page in ["/metrics", "/readyz", "/healthz"] {
        shown.push_str(&worker.page(page).await);
    }
    assert!(shown.contains("larder_api_calls_total"));
    worker.signal(rustix::process::Signal::TERM);
    assert_eq!(worker.exit().await.code(), Some(0));

    let log = worker.log();
    assert!(log.contains("\"level\":\"TRACE\""), "it logs everything");
    for (place, text) in [
        ("the log", log),
        ("the pages", shown),
        ("the tables", all_rows(&rig.pool).await),
    ] {
        for secret in [KEY, "word-of-the-database"] {
            let found = text.lines().find(|line| line.contains(secret));
            assert_eq!(found, None, "{place}");
        }
    }
}
