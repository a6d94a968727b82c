//! Starting: with a database that is away, wrong or too new, and on a taken port.

use std::time::Duration;

use enqueuer::{Enqueuer, EnqueuerError};
use shared::store::StoreError;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::harness::{Server, TestResult, execute, json, problem, settings, url_of};

/// Hands connections on to the database, until it is aborted.
fn forward(listener: TcpListener, to: String) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut open = tokio::task::JoinSet::new();
        while let Ok((mut from, _)) = listener.accept().await {
            let to = to.clone();
            open.spawn(async move {
                let mut onward = TcpStream::connect(to).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut from, &mut onward).await;
            });
        }
    })
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_database_that_is_away_is_waited_for_at_start_and_later(
    pool: sqlx::PgPool,
) -> TestResult {
    let mut url = url::Url::parse(&url_of(&pool))?;
    let real = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
    let reserved = TcpListener::bind("127.0.0.1:0").await?;
    let address = reserved.local_addr()?;
    url.set_ip_host(address.ip()).unwrap();
    url.set_port(Some(address.port())).unwrap();
    drop(reserved);

    let server = Server::start_at(url.as_str(), &pool, &[]).await;
    server.until_ready_says("refused").await;
    assert_eq!(server.get("/healthz").send().await?.status(), 200);

    let forwarding = forward(TcpListener::bind(address).await?, real.clone());
    server.until_ready_says("no worker has been seen").await;
    server.shown("/api/budget").await;

    forwarding.abort();
    let _ = forwarding.await;
    let away = server.operator(reqwest::Method::GET, "/api/budget");
    let away = away.send().await?;
    assert!(away.headers().contains_key("retry-after"));
    let (name, detail) = problem(away, 503).await;
    assert_eq!(name, "database-away");
    assert!(!detail.contains("postgres://"), "{detail}");

    let _forwarding = forward(TcpListener::bind(address).await?, real);
    server.until_ready_says("no worker has been seen").await;
    server.shown("/api/budget").await;
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_read_only_database_is_waited_for(pool: sqlx::PgPool) -> TestResult {
    let url = format!(
        "{}?options=-c%20default_transaction_read_only%3Don",
        url_of(&pool)
    );
    let server = Server::start_at(&url, &pool, &[]).await;
    server.until_ready_says("read-only").await;
    Ok(())
}

async fn start_error(url: &str) -> EnqueuerError {
    let enqueuer = Enqueuer::bind(settings(url, &[])).await.unwrap();
    let running = enqueuer.run(CancellationToken::new());
    let ended = tokio::time::timeout(Duration::from_secs(10), running).await;
    ended.expect("it must end by itself").unwrap_err()
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_wrong_database_url_ends_the_start_with_one_line(pool: sqlx::PgPool) -> TestResult {
    let right = url::Url::parse(&url_of(&pool))?;
    let mut no_database = right.clone();
    no_database.set_path("there_is_none");
    let mut no_login = right.clone();
    no_login.set_username("nobody_of_this_name").unwrap();
    no_login.set_password(Some("marked-password")).unwrap();
    let mut no_host = right;
    no_host.set_host(Some("no-such-host.invalid"))?;
    for (url, word) in [
        (no_database, "there_is_none"),
        (no_login, "nobody_of_this_name"),
        (no_host, "lookup"),
    ] {
        let error = start_error(url.as_str()).await;
        let line = error.to_string();
        assert!(matches!(error, EnqueuerError::Database(_)), "{line}");
        assert!(line.contains(word) && !line.contains('\n'), "{line}");
        assert!(!line.contains("marked-password"), "{line}");
    }
    Ok(())
}

/// What a later release leaves behind that has only added: the one before starts again on it.
pub(crate) const AHEAD: &str = "
    insert into larder.migrations (version, description, success, checksum, execution_time)
    values (9999, 'later', true, '', 0)";

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn on_a_schema_that_was_added_to_an_older_release_starts_and_works(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = shared::store::Store::new(pool.clone());
    execute(&store, AHEAD).await;
    for table in ["lanes", "limits", "resources", "jobs", "entries"] {
        let add = format!("alter table larder.{table} add column later text default 'x'");
        sqlx::query(sqlx::AssertSqlSafe(add)).execute(&pool).await?;
    }
    let age = store.schema_age().await?;
    assert_eq!(age, shared::store::SchemaAge::Ahead { version: 9999 });

    let server = Server::start(&pool).await;

    let ticked = server.post("/api/jobs/process-pending", "").await;
    assert_eq!(json(ticked, 202).await["enqueued"], 102);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_schema_that_refuses_this_release_ends_the_start(pool: sqlx::PgPool) -> TestResult {
    let store = shared::store::Store::new(pool.clone());
    execute(&store, AHEAD).await;
    execute(&store, REFUSES).await;
    let error = start_error(&url_of(&pool)).await;
    assert!(
        matches!(
            error,
            EnqueuerError::Database(StoreError::TooNew { version: 9999 })
        ),
        "{error}"
    );
    Ok(())
}

/// What a migration does that takes away what releases before it use.
pub(crate) const REFUSES: &str = "
    create or replace function larder.least_version() returns bigint
    language sql stable as 'select 9999::bigint'";

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_taken_port_is_named_with_the_variable_that_changes_it(pool: sqlx::PgPool) -> TestResult {
    let taken = TcpListener::bind("127.0.0.1:0").await?;
    let address = taken.local_addr()?.to_string();
    let settings = settings(
        &url_of(&pool),
        &[("LARDER__ENQUEUER__LISTEN", address.as_str())],
    );
    let line = Enqueuer::bind(settings).await.unwrap_err().to_string();
    assert!(line.contains(&address), "{line}");
    assert!(line.contains("LARDER__ENQUEUER__LISTEN"), "{line}");
    Ok(())
}

#[tokio::test]
async fn without_a_secret_or_a_database_nothing_starts() {
    let mut none = settings("postgres://localhost/x", &[]);
    none.secrets.jobs_api.clear();
    let line = Enqueuer::bind(none).await.unwrap_err().to_string();
    assert!(line.contains("JOBS_API_SECRET is not set"), "{line}");
    let mut none = settings("postgres://localhost/x", &[]);
    none.secrets.database_url = None;
    let line = Enqueuer::bind(none).await.unwrap_err().to_string();
    assert!(line.contains("DATABASE_URL is not set"), "{line}");
}
