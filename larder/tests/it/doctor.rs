//! `larder doctor`: a good database passes, and each thing that is broken is named.

use std::process::Output;

use sandbox::{Sandbox, SandboxConfig};
use serde_json::Value;
use sqlx::PgPool;

use crate::commands::{larder, url_of};
use crate::runs::errors;

const KEY: &str = "doctors-key-0123456789";

/// A doctor's visit: the URL of the database, and more of the environment.
fn visit(url: Option<&str>, more: &[(&str, &str)]) -> Output {
    let (_dir, mut command) = larder(url, &["doctor"]);
    command.env_remove("CMC_API_KEY");
    command.envs(more.iter().copied()).output().unwrap()
}

/// What it prints, and whether it passes.
fn said(output: &Output) -> (String, bool) {
    assert_eq!(errors(output), "");
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line:?}");
    }
    (text, output.status.success())
}

/// A visit without the provider's key, so that nothing is asked of its host.
fn words(pool: &PgPool) -> (String, bool) {
    said(&visit(Some(&url_of(pool)), &[]))
}

fn init(pool: &PgPool) {
    let (_dir, mut command) = larder(Some(&url_of(pool)), &["init"]);
    assert!(command.output().unwrap().status.success());
}

async fn execute(pool: &PgPool, sql: &'static str) {
    sqlx::raw_sql(sql).execute(pool).await.unwrap();
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_good_database_and_a_host_that_answers_pass(pool: PgPool) {
    init(&pool);
    execute(
        &pool,
        "insert into larder.workers (worker, version) values ('w', '1')",
    )
    .await;
    let upstream = Sandbox::start("127.0.0.1:0", SandboxConfig::default()).await;
    let upstream = upstream.unwrap();
    let (url, base) = (url_of(&pool), upstream.url());
    // The sandbox answers on this thread meanwhile.
    let visited = tokio::task::spawn_blocking(move || {
        let base_url = ("LARDER__PROVIDERS__COINMARKETCAP__BASE_URL", &*base);
        visit(Some(&url), &[("CMC_API_KEY", KEY), base_url])
    });
    let (text, passed) = said(&visited.await.unwrap());
    assert!(passed, "{text}");
    for (what, found) in [
        ("configuration", "compiled-in example is in order"),
        ("database", "PostgreSQL "),
        ("pooler", "none that shares sessions"),
        ("clock", "at most 0 ms"),
        ("LISTEN", "notifications arrive over DATABASE_URL"),
        ("schema", "is this release's"),
        ("workers", "one was seen "),
        ("coinmarketcap", "its host answers, with "),
    ] {
        assert!(
            text.contains(&format!("ok    {what:<13} {found}")),
            "{text}"
        );
    }
    // Only a call shows whether a key is right.
    let untried = "warn  coinmarketcap no call was made with this key yet";
    assert!(text.contains(untried), "{text}");
    assert!(text.contains("help: start a worker"), "{text}");
    assert!(!text.contains(KEY), "{text}");
    assert_eq!(upstream.handle().total().credits, 0);
    upstream.stop().await;
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn findings_are_json_for_programs(pool: PgPool) {
    let (_dir, mut command) = larder(Some(&url_of(&pool)), &["doctor", "--json"]);
    let output = command.env_remove("CMC_API_KEY").output().unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = found["findings"].as_array().unwrap();
    let key = findings.iter().find(|it| it["what"] == "coinmarketcap");
    assert_eq!(key.unwrap()["grade"], "warning");
    assert!(
        key.unwrap()["help"]
            .as_str()
            .unwrap()
            .contains("CMC_API_KEY")
    );
}

#[sqlx::test(migrations = false)]
async fn a_schema_that_is_not_there_fails(pool: PgPool) {
    let (text, passed) = words(&pool);
    assert!(!passed, "{text}");
    assert!(text.contains("FAIL  schema        is not there"), "{text}");
    assert!(text.contains("help: larder init brings"), "{text}");
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_schema_of_a_later_release_warns_and_one_that_refuses_this_one_fails(pool: PgPool) {
    execute(
        &pool,
        "insert into larder.migrations (version, description, success, checksum, execution_time)
         values (9999, 'later', true, '', 0)",
    )
    .await;
    let (text, _) = words(&pool);
    assert!(text.contains("warn  schema"), "{text}");
    assert!(text.contains("a later release's"), "{text}");
    execute(
        &pool,
        "create or replace function larder.least_version() returns bigint
         language sql stable as 'select 9999::bigint'",
    )
    .await;
    let (text, passed) = words(&pool);
    assert!(!passed, "{text}");
    assert!(
        text.contains("help: run the release that made it"),
        "{text}"
    );
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn what_is_unwise_is_named_and_does_not_fail(pool: PgPool) {
    init(&pool);
    execute(
        &pool,
        "do $$ declare part text; begin
             for part in select inhrelid::regclass::text from pg_inherits
                         where inhparent = 'larder.finished_jobs_failed'::regclass
                           and inhrelid::regclass::text not like '%default' loop
                 execute 'drop table ' || part;
             end loop;
         end $$;
         drop view public.background_jobs;
         create table public.background_jobs (id uuid);
         alter table larder.resources disable row level security;",
    )
    .await;
    let close = ["lane", "close", "coinmarketcap", "--reason", "moving"];
    let (_dir, mut command) = larder(Some(&url_of(&pool)), &close);
    assert!(command.output().unwrap().status.success());

    let (text, passed) = words(&pool);
    assert!(passed, "{text}");
    for (what, found) in [
        ("partitions", "stand for 0 days ahead"),
        ("view", "public.background_jobs is not Larder's view"),
        ("rights", "1 tables lack row level security"),
        ("workers", "none was seen within the last minute"),
        ("coinmarketcap", "CMC_API_KEY is not set"),
        ("coinmarketcap", "its lane is closed: moving"),
    ] {
        assert!(
            text.contains(&format!("warn  {what:<13} {found}")),
            "{text}"
        );
    }
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_dead_key_and_a_host_that_is_away_fail(pool: PgPool) {
    init(&pool);
    let key_id = shared::catalog::key_id(KEY);
    let call = "insert into larder.api_calls (provider, endpoint, batch_key, class, items, lease_token, worker,
                                  key_id, reserved_at, reserved_credits, leased_until, settled_at, end_at,
                                  credits, outcome, http_status)
         select 'coinmarketcap', 'quotes_latest', 'x', 'planned', 1, gen_random_uuid(), 'w', $1,
                now, 1, now, now, now, 0, 'key_dead', 401
         from clock_timestamp() as now";
    let call = sqlx::query(call).bind(&key_id).execute(&pool);
    call.await.unwrap();
    let more = [
        ("CMC_API_KEY", KEY),
        (
            "LARDER__PROVIDERS__COINMARKETCAP__BASE_URL",
            "http://127.0.0.1:1",
        ),
    ];
    let (text, passed) = said(&visit(Some(&url_of(&pool)), &more));
    assert!(!passed, "{text}");
    assert!(
        text.contains("FAIL  coinmarketcap its host does not answer: "),
        "{text}"
    );
    assert!(text.contains("came to key_dead (401)"), "{text}");
    assert!(!text.contains(KEY), "{text}");
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn an_address_that_nobody_can_listen_on_is_a_warning(pool: PgPool) {
    let more = [(
        "DATABASE_LISTEN_URL",
        "postgres://larder@127.0.0.1:1/larder",
    )];
    let (text, passed) = said(&visit(Some(&url_of(&pool)), &more));
    assert!(passed, "{text}");
    let found = "warn  LISTEN        nothing arrives over DATABASE_LISTEN_URL";
    assert!(text.contains(found), "{text}");
}

#[test]
fn without_a_database_or_with_a_wrong_one_it_fails_and_shows_no_password() {
    let (text, passed) = said(&visit(None, &[]));
    assert!(!passed && text.contains("help: set DATABASE_URL"), "{text}");

    let url = "postgres://nobody:hunter2hunter2@127.0.0.1:1/none";
    let (text, passed) = said(&visit(Some(url), &[]));
    assert!(!passed && text.contains("help: start Postgres"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

/// A host is asked whether it is there also where there is no key to ask with, and no database.
#[tokio::test]
async fn without_a_key_or_a_database_the_host_is_asked_directly_all_the_same() {
    let upstream = Sandbox::start("127.0.0.1:0", SandboxConfig::default()).await;
    let upstream = upstream.unwrap();
    let base = upstream.url();
    let visited = tokio::task::spawn_blocking(move || {
        // Workers take no proxy of the system's either.
        let proxy = ("http_proxy", "http://127.0.0.1:1");
        let base_url = ("LARDER__PROVIDERS__COINMARKETCAP__BASE_URL", &*base);
        visit(None, &[base_url, proxy])
    });
    let (text, _) = said(&visited.await.unwrap());
    assert!(
        text.contains("warn  coinmarketcap CMC_API_KEY is not set"),
        "{text}"
    );
    assert!(
        text.contains("ok    coinmarketcap its host answers, with"),
        "{text}"
    );
    upstream.stop().await;
}

#[tokio::test]
async fn a_host_in_trouble_is_a_warning() {
    let host = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", host.local_addr().unwrap());
    let answering = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let (mut caller, _) = host.accept().await.unwrap();
        let _ = caller.read(&mut [0; 4096]).await.unwrap();
        let answer = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
        caller.write_all(answer).await.unwrap();
    });
    let visited = tokio::task::spawn_blocking(move || {
        visit(
            None,
            &[("LARDER__PROVIDERS__COINMARKETCAP__BASE_URL", &*base)],
        )
    });
    let (text, _) = said(&visited.await.unwrap());
    answering.await.unwrap();
    assert!(
        text.contains("warn  coinmarketcap its host answers, with 503"),
        "{text}"
    );
}

#[test]
fn a_wrong_configuration_fails() {
    let (text, passed) = said(&visit(None, &[("LARDER__WORKER__LEASE", "1s")]));
    assert!(!passed, "{text}");
    assert!(text.starts_with("FAIL  configuration "), "{text}");
    assert!(text.contains("help: larder check"), "{text}");
}
