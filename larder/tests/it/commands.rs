//! The commands for operators, each test with a database of its own.

use std::process::{Command, Output};

use serde_json::Value;
use sqlx::PgPool;
use tempfile::TempDir;

use crate::runs::{Place, Who, errors};

/// Where the database of a test is.
pub(crate) fn url_of(pool: &PgPool) -> String {
    let mut url = url::Url::parse(&std::env::var("DATABASE_URL").unwrap()).unwrap();
    url.set_path(pool.connect_options().get_database().unwrap());
    url.to_string()
}

/// `larder` in an empty directory, on this database if any.
pub(crate) fn larder(url: Option<&str>, arguments: &[&str]) -> (TempDir, Command) {
    let dir = TempDir::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_larder"));
    command.args(arguments).current_dir(dir.path());
    for name in ["DATABASE_URL", "LARDER_CONFIG", "LARDER_LOG", "RUST_LOG"] {
        command.env_remove(name);
    }
    // Nobody outside is asked whether it is there.
    let base_url = "LARDER__PROVIDERS__COINMARKETCAP__BASE_URL";
    command.env(base_url, "http://127.0.0.1:1");
    if let Some(url) = url {
        command.env("DATABASE_URL", url);
    }
    (dir, command)
}

pub(crate) fn run(pool: &PgPool, arguments: &[&str]) -> Output {
    let (_dir, mut command) = larder(Some(&url_of(pool)), arguments);
    command.output().unwrap()
}

/// What a successful run prints.
pub(crate) fn printed(pool: &PgPool, arguments: &[&str]) -> String {
    let output = run(pool, arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        errors(&output)
    );
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn json(pool: &PgPool, arguments: &[&str]) -> Value {
    serde_json::from_str(&printed(pool, arguments)).unwrap()
}

/// What a run that fails prints.
pub(crate) fn refused(pool: &PgPool, arguments: &[&str]) -> String {
    let output = run(pool, arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    assert!(output.stdout.is_empty());
    let text = errors(&output);
    assert!(text.starts_with("error: "), "{text}");
    text
}

pub(crate) fn fits(text: &str) {
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line:?}");
    }
}

#[test]
fn check_says_what_the_example_comes_to() {
    let (_dir, mut command) = larder(None, &["check"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    fits(&text);
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    assert!(text.starts_with("compiled-in example is in order: 1 provider, "));
    assert!(text.ends_with("102 tracked resources, at most 13392 credits in a month"));
}

#[test]
fn check_tells_all_problems_at_once() {
    let (dir, mut command) = larder(None, &["check", "--config", "mine.toml"]);
    let wrong = "[worker]\nlease = \"1s\"\nconcurency = 3\n[queue]\nmax_attempts = 0\n";
    std::fs::write(dir.path().join("mine.toml"), wrong).unwrap();
    command.env_remove("LARDER__PROVIDERS__COINMARKETCAP__BASE_URL");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = errors(&output);
    assert!(
        text.starts_with("error: 3 problems in mine.toml\n"),
        "{text}"
    );
    for key in ["worker.lease", "worker.concurency", "queue.max_attempts"] {
        assert!(text.contains(key), "{text}");
    }

    let json = command.arg("--json").output().unwrap();
    assert_eq!(json.status.code(), Some(1));
    let found: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(found["in_order"], false);
    let keys = found["problems"].as_array().unwrap().iter();
    let keys: Vec<&str> = keys.filter_map(|problem| problem["key"].as_str()).collect();
    assert_eq!(keys.len(), 3, "{found}");
    assert!(keys.contains(&"worker.lease"), "{found}");
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn tick_prints_what_cron_is_answered(pool: PgPool) {
    printed(&pool, &["init"]);
    let expected = serde_json::json!(
        {"due": 102, "enqueued": 0, "already_waiting": 102, "closed_lanes": []}
    );
    let never = "update larder.last_tick set at = null";
    sqlx::query(never).execute(&pool).await.unwrap();
    assert_eq!(json(&pool, &["tick", "--json"]), expected);
    let now = "select clock_timestamp() - at < interval '1 minute' from larder.last_tick";
    let now: Option<bool> = sqlx::query_scalar(now).fetch_one(&pool).await.unwrap();
    assert_eq!(now, Some(true), "metrics tell when it was");
    let text = printed(&pool, &["tick"]);
    assert_eq!(text, "102 due: 0 enqueued, 102 already waiting\n");
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn jobs_are_listed_shown_cancelled_and_retried(pool: PgPool) {
    printed(&pool, &["init"]);
    let page = json(&pool, &["jobs", "list", "--json", "--limit", "2"]);
    assert_eq!(page["jobs"].as_array().unwrap().len(), 2);
    let id = page["jobs"][1]["id"].as_str().unwrap();
    assert_eq!(page["next"], id);
    let rest = json(
        &pool,
        &["jobs", "list", "--json", "--limit", "200", "--after", id],
    );
    assert_eq!(rest["jobs"].as_array().unwrap().len(), 100);
    assert_eq!(rest["next"], Value::Null);

    let shown = printed(&pool, &["jobs", "show", id]);
    assert!(shown.contains("status      pending (due)\n"), "{shown}");
    assert_eq!(
        json(&pool, &["jobs", "show", id, "--json"]),
        page["jobs"][1]
    );

    let cancelled = printed(&pool, &["jobs", "cancel", id]);
    assert_eq!(cancelled, format!("job {id} is cancelled\n"));
    let list = ["jobs", "list", "--json", "--status", "cancelled"];
    assert_eq!(json(&pool, &list)["jobs"][0]["id"], id);
    let again = refused(&pool, &["jobs", "cancel", id]);
    assert!(
        again.contains("is cancelled\nhelp: only pending"),
        "{again}"
    );

    let retried = printed(&pool, &["jobs", "retry", id]);
    assert_eq!(retried, format!("job {id} waits again\n"));
    assert_eq!(json(&pool, &list)["jobs"], Value::Array(Vec::new()));
    refused(&pool, &["jobs", "retry", id]);
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn jobs_that_fit_are_cancelled_and_retried_together(pool: PgPool) {
    printed(&pool, &["init"]);
    let cancel = ["jobs", "cancel", "--lane", "coinmarketcap", "--limit", "2"];
    let text = printed(&pool, &cancel);
    assert_eq!(
        text,
        "2 jobs are cancelled, 0 running ones were asked to stop\n"
    );
    let all = json(&pool, &["jobs", "cancel", "--all", "--json"]);
    let expected = serde_json::json!({"matched": 100, "cancelled": 100, "cancel_requested": 0});
    assert_eq!(all, expected);

    let early = ["--created-before", "2000-01-01T00:00:00Z", "--json"];
    let none = json(&pool, &[&["jobs", "retry"][..], &early].concat());
    assert_eq!(none["matched"], 0);
    let retry = [
        "jobs",
        "retry",
        "--status",
        "cancelled",
        "--kind",
        "refresh",
    ];
    let text = printed(&pool, &retry);
    assert_eq!(
        text,
        "102 jobs wait again, 0 resources had a live job already\n"
    );

    let wrong = refused(&pool, &["jobs", "retry", "--status", "running"]);
    assert!(wrong.contains("help: give --status failed"), "{wrong}");
    let id = uuid::Uuid::nil().to_string();
    for vague in [
        &["jobs", "cancel"][..],
        &["jobs", "cancel", "--limit", "5"],
        &["jobs", "cancel", "--all", "--lane", "local"],
        &["jobs", "cancel", &id, "--all"],
    ] {
        assert_eq!(run(&pool, vague).status.code(), Some(2), "{vague:?}");
    }
    let kept = json(&pool, &["jobs", "list", "--json", "--status", "pending"]);
    assert_eq!(kept["jobs"].as_array().unwrap().len(), 20);
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_job_that_is_not_there_is_named(pool: PgPool) {
    let id = uuid::Uuid::nil().to_string();
    for action in ["show", "retry", "cancel"] {
        let text = refused(&pool, &["jobs", action, &id]);
        assert!(text.starts_with(&format!("error: there is no job {id}\n")));
    }
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn tables_fit_a_terminal(pool: PgPool) {
    assert!(printed(&pool, &["budget"]).starts_with("no providers"));
    printed(&pool, &["init"]);
    let list = printed(&pool, &["jobs", "list", "--limit", "5"]);
    assert!(list.starts_with("id  "), "{list}");
    let whole = |line: &&str| line.split(' ').next().unwrap().len() == 36;
    assert_eq!(list.lines().filter(whole).count(), 5, "{list}");
    fits(&list);
    let budget = printed(&pool, &["budget"]);
    assert!(budget.starts_with("coinmarketcap: open\nlimit"), "{budget}");
    fits(&budget);
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn budget_prints_what_the_api_answers(pool: PgPool) {
    printed(&pool, &["init"]);
    let budget = json(&pool, &["budget", "--json"]);
    let provider = &budget["providers"][0];
    let limits = provider["limits"].as_array().unwrap();
    let month = limits
        .iter()
        .find(|limit| limit["name"] == "month")
        .unwrap();
    let keys = |value: &Value| -> Vec<String> {
        let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    };
    assert_eq!(
        keys(provider),
        ["closed_until", "limits", "open", "provider", "reason"]
    );
    assert_eq!(
        keys(month),
        [
            "alert_level",
            "cap",
            "exhausted_at",
            "foreign",
            "kept",
            "kind",
            "name",
            "projected",
            "remaining",
            "remote",
            "reserved",
            "resets_at",
            "soft",
            "spent",
            "starts_at",
            "unit"
        ]
    );
    assert_eq!(
        (&month["cap"], &month["remaining"]),
        (&15_000.into(), &15_000.into())
    );
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_resource_is_tracked_and_untracked_in_any_spelling(pool: PgPool) {
    let key = "coinmarketcap:/v3/cryptocurrency/quotes/latest?id=4705";
    let early = refused(&pool, &["track", key]);
    assert!(early.contains("help: larder init"), "{early}");
    printed(&pool, &["init"]);
    let spelled = "coinmarketcap:/v3/cryptocurrency/quotes/latest?convert=USD&id=4705";
    let tracked = printed(&pool, &["track", spelled, "--every", "90s"]);
    assert_eq!(tracked, format!("{key} is tracked every 1m 30s\n"));
    assert_eq!(json(&pool, &["tick", "--json"])["enqueued"], 1);

    let again = json(&pool, &["track", spelled, "--json"]);
    assert_eq!(again, serde_json::json!({"resource": key, "tracked": true}));

    fits(
        printed(&pool, &["untrack", spelled])
            .strip_prefix(key)
            .unwrap(),
    );
    let again = refused(&pool, &["untrack", key]);
    assert_eq!(again, format!("error: {key} is not tracked\n"));
    let unknown = refused(&pool, &["track", "weather:/now"]);
    assert!(unknown.contains("there is no provider"), "{unknown}");
}

#[test]
fn without_a_database_commands_say_where_it_could_be() {
    let (_dir, mut command) = larder(None, &["budget"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        errors(&output),
        "error: DATABASE_URL is not set, and no larder up runs in this directory\n\
         help: set DATABASE_URL, or start larder up here in another terminal\n"
    );
}

#[test]
fn the_postgres_of_this_directory_is_found_while_it_runs() {
    let place = Place::new(Who::Us, "project");
    let held = place.hold(&[]);
    let found = place.itself(&["jobs", "list"]).output().unwrap();
    assert_eq!(
        errors(&found),
        "error: the database has not been migrated to this release: run `larder init`\n\
         help: larder init makes the schema\n"
    );
    held.kill();
    let killed = place.postmaster();
    rustix::process::kill_process(killed, rustix::process::Signal::KILL).unwrap();
    while rustix::process::test_kill_process(killed).is_ok() {
        std::thread::yield_now();
    }
    let gone = place.itself(&["jobs", "list"]).output().unwrap();
    assert!(errors(&gone).starts_with("error: DATABASE_URL is not set"));
}

#[test]
fn a_wrong_database_url_is_one_line_with_help_and_no_password() {
    let url = "postgres://nobody:hunter2hunter2@127.0.0.1:1/none";
    let (_dir, mut command) = larder(Some(url), &["budget"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = errors(&output);
    assert!(text.starts_with("error: "), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    assert!(text.lines().count() <= 2, "{text}");
}
