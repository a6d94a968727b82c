//! What is printed for people fits a terminal of 80 columns; ids, keys and what a shell has to
//! take are not broken.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use sqlx::PgPool;

use crate::commands::{larder, printed, refused, url_of};
use crate::lanes::close;
use crate::runs::errors;

fn too_long(text: &str) -> Vec<&str> {
    // What cannot be broken: a key, an id, a path, JSON.
    let fixed = |line: &str| line.split_whitespace().any(|word| word.len() > 60);
    let lines = text.lines();
    lines
        .filter(|line| line.chars().count() > 80 && !fixed(line))
        .collect()
}

/// The names of the subcommands that a help text lists.
fn subcommands(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = listed.take_while(|line| !line.is_empty());
    let names = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

fn help_of(command: &[String]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_larder"))
        .args(command)
        .arg("--help")
        .env("COLUMNS", "200")
        .output()
        .unwrap();
    assert!(output.status.success(), "{command:?}: {}", errors(&output));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_help_text_fits_a_terminal() {
    let mut waiting = vec![Vec::new()];
    let mut seen = 0;
    while let Some(command) = waiting.pop() {
        let help = help_of(&command);
        assert_eq!(too_long(&help), Vec::<&str>::new(), "{command:?}");
        seen += 1;
        for name in subcommands(&help) {
            waiting.push([command.clone(), vec![name]].concat());
        }
    }
    assert!(seen > 30, "premise: they were found, {seen}");
    let help = larder(None, &["help", "jobs"]).1.output().unwrap();
    assert!(help.status.success(), "{}", errors(&help));
}

/// What a provider has told makes the longest lines of all.
const TOLD: &str = "
    with call as (
        insert into larder.api_calls (
            provider, endpoint, batch_key, class, items, lease_token, worker, reserved_at,
            reserved_credits, leased_until, settled_at, end_at, credits, outcome, needs_fold
        )
        select 'coinmarketcap', 'key_info', 'x', 'planned', 1, gen_random_uuid(), 'w', now, 1,
               now, now, now, 12345, 'ok', true
        from clock_timestamp() as now
        returning id
    )
    insert into larder.limit_reports (
        limit_id, window_starts_at, call_id, used, cap, ours, read_at, expires_at
    )
    select l.id, date_trunc('month', now(), 'UTC'), call.id, 14000, 15000, 1, now(), 'infinity'
    from larder.limits l, call where l.name = 'month'";

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn what_commands_print_fits_a_terminal(pool: PgPool) {
    let told = printed(&pool, &["init", "--roles"]);
    assert_eq!(too_long(&told), Vec::<&str>::new());
    sqlx::query(TOLD).execute(&pool).await.unwrap();
    let reason = "a reason that somebody wrote down in many words, more than one line can hold";
    for lane in ["local", "coinmarketcap"] {
        close(&pool, lane, reason);
    }
    let error = r#"update larder.jobs set errors = jsonb_build_array(jsonb_build_object(
        'attempt', 1, 'at', now(), 'error', repeat('it went wrong ', 30)))"#;
    sqlx::query(error).execute(&pool).await.unwrap();
    let id: uuid::Uuid = sqlx::query_scalar("select id from larder.jobs limit 1")
        .fetch_one(&pool)
        .await
        .unwrap();
    let id = id.to_string();
    for arguments in [
        &["budget"][..],
        &["check"],
        &["plan"],
        &["plan", "--measured"],
        &["tick"],
        &["doctor"],
        &["lane", "list"],
        &["jobs", "list"],
        &["jobs", "show", &id],
        &["track", "coinmarketcap:/v1/fiat/map"],
        &["untrack", "coinmarketcap:/v1/fiat/map"],
        &["plan", "simulate", "--items", "50", "--readers", "1"],
    ] {
        let text = printed(&pool, arguments);
        assert_eq!(too_long(&text), Vec::<&str>::new(), "{arguments:?}");
    }
    let budget = printed(&pool, &["budget"]);
    assert!(
        budget.contains("the provider counted 14000 of 15000"),
        "{budget}"
    );
}

#[sqlx::test]
async fn the_tables_of_measurements_fit_a_terminal(pool: PgPool) {
    for arguments in [
        &["bench", "drain", "--jobs", "300", "--runs", "2"][..],
        &["bench", "wake", "--jobs", "3", "--rate", "50"],
        &["bench", "closed", "--jobs", "300", "--samples", "3"],
        &[
            "bench", "enqueue", "--bulk", "500", "--single", "40", "--runs", "1",
        ],
    ] {
        let text = printed(&pool, arguments);
        assert!(text.starts_with("what "), "{text}");
        assert_eq!(too_long(&text), Vec::<&str>::new(), "{arguments:?}");
    }
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn what_larder_up_greets_with_fits_a_terminal(pool: PgPool) {
    let (_dir, mut command) = larder(Some(&url_of(&pool)), &["up"]);
    command
        .env_remove("LARDER__PROVIDERS__COINMARKETCAP__BASE_URL")
        .env_remove("CMC_API_KEY")
        .env_remove("JOBS_API_SECRET")
        .env("LARDER__ENQUEUER__LISTEN", "127.0.0.1:0")
        .env("LARDER_SANDBOX_LISTEN", "127.0.0.1:0");
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        lines.push(line.unwrap());
        if lines.last().unwrap().starts_with("Ctrl-C stops") {
            break;
        }
    }
    let pid = i32::try_from(child.id()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());

    // What a shell takes stands on one line, however long.
    lines.retain(|line| !line.starts_with("  curl "));
    let text = lines.join("\n");
    for said in ["it asks for the secret in", "(the sandbox; set CMC_API_KEY"] {
        assert!(text.contains(said), "{text}");
    }
    assert_eq!(too_long(&text), Vec::<&str>::new());
}

/// An error and its help are a line each, so that a log or a program has them whole.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn an_error_is_a_line_and_its_help_another(pool: PgPool) {
    for arguments in [
        &["jobs", "show", "00000000-0000-7000-8000-000000000000"][..],
        &["lane", "open", "nobody"],
        &["track", "coinmarketcap:/v9/nothing"],
        &["untrack", "coinmarketcap:/v1/fiat/map"],
    ] {
        let text = refused(&pool, arguments);
        let kinds: Vec<&str> = text
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|it| it.0)
            .collect();
        assert!(matches!(kinds[..], ["error"] | ["error", "help"]), "{text}");
        assert_eq!(text.lines().count(), kinds.len(), "{text}");
    }
    // A configuration has many problems, which are told as a page.
    let text = refused(&pool, &["check", "--config", "no-such-file.toml"]);
    assert_eq!(too_long(&text), Vec::<&str>::new());
}

/// On a terminal words are in colour, unless `NO_COLOR` has a value: an empty one counts as none.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn an_empty_no_color_forbids_nothing(pool: PgPool) {
    let shown = |value: Option<&str>| {
        let (dir, _) = larder(None, &[]);
        // A terminal of its own.
        let mut command = Command::new("script");
        command
            .args([
                "-qec",
                concat!(env!("CARGO_BIN_EXE_larder"), " doctor"),
                "/dev/null",
            ])
            .current_dir(dir.path())
            .env("DATABASE_URL", url_of(&pool))
            .env(
                "LARDER__PROVIDERS__COINMARKETCAP__BASE_URL",
                "http://127.0.0.1:1",
            )
            .env_remove("NO_COLOR")
            .stdin(Stdio::null());
        if let Some(value) = value {
            command.env("NO_COLOR", value);
        }
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("database"), "{text}");
        text.contains("\u{1b}[")
    };
    assert!(shown(None), "premise: there is a terminal");
    assert!(shown(Some("")));
    for value in ["1", "0", "false"] {
        assert!(!shown(Some(value)), "{value}");
    }
    let piped = printed(&pool, &["lane", "list"]);
    assert!(!piped.contains('\u{1b}'), "{piped}");
}
