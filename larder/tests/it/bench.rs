//! `larder bench`: that it measures, and leaves nothing behind.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sqlx::PgPool;

use crate::commands::{larder, url_of};

/// What a measurement printed, and the database that it took place in.
fn measure(url: &str, arguments: &[&str]) -> (Vec<Value>, String) {
    let (_dir, mut command) = larder(Some(url), arguments);
    let output = command.env("LARDER_LOG", "larder=info").output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    (lines.collect(), database_in(&log).unwrap())
}

/// The database's name, in a log.
fn database_in(log: &str) -> Option<String> {
    let at = log.find("larder_bench_")?;
    let name: String = log[at..]
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
        .collect();
    Some(name)
}

/// What each line is about.
fn of(lines: &[Value]) -> Vec<&str> {
    let of = lines.iter().map(|line| line["of"].as_str().unwrap());
    of.collect()
}

async fn exists(pool: &PgPool, database: &str) -> bool {
    sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
        .bind(database)
        .fetch_one(pool)
        .await
        .unwrap()
}

#[sqlx::test]
async fn drain_compares_the_queue_with_bare_sql(pool: PgPool) {
    let arguments = [
        "bench",
        "drain",
        "--jobs",
        "700",
        "--runs",
        "2",
        "--workers",
        "2",
        "--json",
    ];
    let (lines, database) = measure(&url_of(&pool), &arguments);
    assert_eq!(
        of(&lines),
        ["bare_sql", "queue", "bare_sql", "queue", "median"]
    );
    assert!(lines[1]["jobs_per_second"].as_f64().unwrap() > 0.0);
    assert!(lines[4]["ratio"].as_f64().unwrap() > 0.0);
    assert!(!exists(&pool, &database).await);
}

#[sqlx::test]
async fn wake_times_every_job(pool: PgPool) {
    let arguments = ["bench", "wake", "--jobs", "5", "--rate", "50", "--json"];
    let (lines, database) = measure(&url_of(&pool), &arguments);
    assert_eq!(of(&lines), ["bare_sql", "queue", "ratio"]);
    for line in &lines[..2] {
        assert!(line["p50_ms"].as_f64() <= line["max_ms"].as_f64());
    }
    assert!(!exists(&pool, &database).await);
}

#[sqlx::test]
async fn admit_compares_an_admission_with_a_durable_commit(pool: PgPool) {
    let arguments = [
        "bench",
        "admit",
        "--jobs",
        "60",
        "--per-call",
        "2",
        "--ledger",
        "100",
        "--runs",
        "12",
        "--json",
    ];
    let (lines, database) = measure(&url_of(&pool), &arguments);
    assert_eq!(of(&lines), ["admit", "record", "durable_commit", "ratio"]);
    assert_eq!(lines[0]["limits"], 10);
    assert!(lines[0]["p50_ms"].as_f64() <= lines[0]["p99_ms"].as_f64());
    assert!(lines[3]["admit_to_commit"].as_f64().unwrap() > 0.0);
    assert!(!exists(&pool, &database).await);
}

#[sqlx::test]
async fn calls_counts_what_was_recorded(pool: PgPool) {
    let arguments = [
        "bench",
        "calls",
        "--calls",
        "30",
        "--workers",
        "2",
        "--runs",
        "2",
        "--json",
    ];
    let (lines, database) = measure(&url_of(&pool), &arguments);
    assert_eq!(of(&lines), ["calls", "calls", "median"]);
    assert!(lines[2]["calls_per_second"].as_f64().unwrap() > 0.0);
    assert!(!exists(&pool, &database).await);
}

#[sqlx::test]
async fn closed_measures_beside_waiting_jobs_and_without_them(pool: PgPool) {
    let arguments = [
        "bench",
        "closed",
        "--jobs",
        "300",
        "--samples",
        "3",
        "--runs",
        "2",
        "--json",
    ];
    let (lines, database) = measure(&url_of(&pool), &arguments);
    assert_eq!(of(&lines), ["without", "with", "without", "with", "ratio"]);
    let waiting: Vec<_> = lines[..4].iter().map(|line| &line["jobs"]).collect();
    assert_eq!(waiting, [0, 300, 0, 300]);
    assert!(lines[4]["ratio"].as_f64().unwrap() > 0.0);
    assert!(!exists(&pool, &database).await);
}

#[sqlx::test]
async fn enqueue_compares_with_bare_inserts(pool: PgPool) {
    let arguments = [
        "bench", "enqueue", "--bulk", "500", "--single", "40", "--runs", "1", "--json",
    ];
    let (lines, database) = measure(&url_of(&pool), &arguments);
    assert!(!lines.is_empty());
    assert!(!exists(&pool, &database).await);
}

#[sqlx::test]
async fn a_hangup_ends_the_measurement_too(pool: PgPool) {
    // Under nohup no hangup ends anything, as its caller wants it.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    if ignored.is_some_and(|mask| mask & 1 == 1) {
        return;
    }
    is_ended_by(&pool, Signal::HUP).await;
}

#[sqlx::test]
async fn a_signal_ends_the_measurement_and_drops_its_database(pool: PgPool) {
    is_ended_by(&pool, Signal::INT).await;
}

async fn is_ended_by(pool: &PgPool, signal: Signal) {
    let (_dir, mut command) = larder(
        Some(&url_of(pool)),
        &["bench", "wake", "--jobs", "100000", "--rate", "10"],
    );
    let mut child = command
        .env("LARDER_LOG", "larder=info")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while database_in(&line).is_none() {
        line.clear();
        assert_ne!(log.read_line(&mut line).unwrap(), 0, "ended early");
    }
    let database = database_in(&line).unwrap();
    assert!(exists(pool, &database).await);

    let pid = i32::try_from(child.id()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();

    assert_eq!(child.wait().unwrap().code(), Some(1));
    let mut rest = String::new();
    log.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("error: interrupted\n"), "{rest}");
    assert!(!exists(pool, &database).await);
}

/// What a measurement that was killed has left is dropped by the next one; a new one may be
/// another measurement's that has only begun.
#[sqlx::test]
async fn databases_that_were_left_over_are_dropped(pool: PgPool) {
    let now: i64 = sqlx::query_scalar("select extract(epoch from now())::bigint")
        .fetch_one(&pool)
        .await
        .unwrap();
    let names = [now - 7_200, now].map(|at| format!("larder_bench_{at}_0123456789ab"));
    let statement = |text: String| sqlx::raw_sql(sqlx::AssertSqlSafe(text));
    for name in &names {
        let create = statement(format!("create database {name} template template0"));
        create.execute(&pool).await.unwrap();
    }
    let arguments = ["bench", "wake", "--jobs", "1", "--rate", "50", "--json"];
    measure(&url_of(&pool), &arguments);
    assert!(!exists(&pool, &names[0]).await);
    assert!(exists(&pool, &names[1]).await);
    let drop = statement(format!("drop database {}", names[1]));
    drop.execute(&pool).await.unwrap();
}

#[sqlx::test]
async fn a_role_that_may_not_create_databases_is_told_what_to_do(pool: PgPool) {
    let role = format!("larder_poor_{}", uuid::Uuid::new_v4().simple());
    let statement = |text: String| sqlx::raw_sql(sqlx::AssertSqlSafe(text));
    statement(format!("create role {role}"))
        .execute(&pool)
        .await
        .unwrap();
    let mut url = url::Url::parse(&url_of(&pool)).unwrap();
    url.query_pairs_mut()
        .append_pair("options", &format!("-crole={role}"));
    let (_dir, mut command) = larder(Some(url.as_str()), &["bench", "drain", "--jobs", "10"]);

    let output = command.output().unwrap();

    statement(format!("drop role {role}"))
        .execute(&pool)
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.starts_with("error: this role may not create databases"),
        "{text}"
    );
    assert!(text.contains("\nhelp: let an administrator run"), "{text}");
}
