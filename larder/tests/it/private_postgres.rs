//! The private Postgres starts whatever happened before, or says why it cannot.
//!
//! What depends on the user is tried as every kind of user that can be had
//! (`runs::everybody`).

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Command, Stdio};

use nix::unistd::Uid;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::runs::{Place, Who, errors, everybody};

const KEEP: &str = "create table kept (n int); insert into kept values (42)";
const KEPT: &str = "select n from kept";

#[test]
fn a_later_run_finds_the_data_in_any_directory_it_is_moved_to() {
    let long = "a-long-name-".repeat(12);
    let names = ["with spaces, a comma and ünïcödé", "it's \"quoted\"", &long];
    for who in everybody() {
        let mut place = Place::new(who, "plain");
        place.sql(KEEP);
        assert_eq!(place.sql(KEPT), "42", "{who:?}");
        for name in names {
            place.move_to(name);
            assert_eq!(place.sql(KEPT), "42", "{who:?} in {name}");
        }
    }
}

#[test]
fn commits_are_durable_and_nothing_listens_on_the_network() {
    let place = Place::new(Who::Us, "dir");
    assert_eq!(
        place.sql("show fsync; show synchronous_commit; show listen_addresses"),
        "on\non"
    );
    assert_eq!(
        place.sql("select current_user || current_database()"),
        "larderlarder"
    );
}

#[test]
fn files_and_socket_are_closed_to_others() {
    for who in everybody() {
        let place = Place::new(who, "dir");
        let held = place.hold(&[]);
        for name in ["postgres", "postgres/data", "postgres/run"] {
            let metadata = std::fs::metadata(place.dir().join(".larder").join(name)).unwrap();
            assert_eq!(metadata.permissions().mode() & 0o777, 0o700, "{name}");
            assert_ne!(metadata.uid(), 0, "{name} of {who:?}");
        }
        held.end();
    }
}

#[test]
fn a_second_larder_in_the_same_directory_is_refused() {
    let place = Place::new(Who::Us, "dir");
    let held = place.hold(&[]);

    let second = place.try_sql("select 1");

    assert_eq!(second.status.code(), Some(1));
    let message = errors(&second);
    assert!(
        message.starts_with("error: another Larder runs in this directory"),
        "{message}"
    );
    assert_eq!(held.end(), Some(1), "`read` at the end of its input");
    assert_eq!(place.sql("select 1"), "1");
}

#[test]
fn a_postgres_left_by_a_killed_larder_is_stopped_and_replaced() {
    for who in everybody() {
        let place = Place::new(who, "dir");
        place.sql(KEEP);
        let held = place.hold(&[]);
        let old = place.postmaster();
        held.kill();
        assert!(test_kill_process(old).is_ok(), "premise: Postgres lives on");

        assert_eq!(place.sql(KEPT), "42");

        assert!(!runs_postgres(old));
    }
}

#[test]
fn data_survive_the_killing_of_larder_and_of_postgres() {
    let place = Place::new(Who::Us, "dir");
    place.sql(KEEP);
    kill_all(&place);

    assert_eq!(place.sql(KEPT), "42");
}

#[test]
fn a_process_id_that_is_used_again_does_not_block_the_start() {
    for who in everybody() {
        let place = Place::new(who, "dir");
        place.sql(KEEP);
        kill_all(&place);
        // A living process of the same user, which alone Postgres takes seriously.
        let owner = std::fs::metadata(place.data()).unwrap().uid();
        let mut other = Command::new("cat");
        if Uid::effective().is_root() {
            std::os::unix::process::CommandExt::uid(&mut other, owner);
        }
        let mut other = other
            .current_dir("/")
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let file = place.data().join("postmaster.pid");
        let text = std::fs::read_to_string(&file).unwrap();
        let rest = text.split_once('\n').unwrap().1;
        std::fs::write(&file, format!("{}\n{rest}", other.id())).unwrap();

        let kept = place.try_sql(KEPT);

        assert!(other.try_wait().unwrap().is_none(), "it was left alone");
        other.kill().unwrap();
        other.wait().unwrap();
        assert_eq!(kept.stdout, b"42\n", "{}", errors(&kept));
    }
}

#[test]
fn damaged_data_are_reported_with_what_to_do() {
    let place = Place::new(Who::Us, "dir");
    place.sql("select 1");
    std::fs::remove_file(place.data().join("global/pg_control")).unwrap();

    let run = place.try_sql("select 1");

    assert_eq!(run.status.code(), Some(1));
    let message = errors(&run);
    assert!(
        message.starts_with("error: Postgres did not start"),
        "{message}"
    );
    assert!(message.contains("help: the data is damaged"), "{message}");
    assert!(
        message.contains("pg_control"),
        "the log is quoted: {message}"
    );
}

#[test]
fn data_of_another_version_and_half_a_directory_are_refused() {
    let place = Place::new(Who::Us, "dir");
    place.sql("select 1");
    let version = place.data().join("PG_VERSION");

    std::fs::write(&version, "14\n").unwrap();
    let message = errors(&place.try_sql("select 1"));
    assert!(message.contains("was made by Postgres 14"), "{message}");
    assert!(message.contains("help: install Postgres 14"), "{message}");

    std::fs::remove_file(&version).unwrap();
    let message = errors(&place.try_sql("select 1"));
    assert!(
        message.contains("not a complete Postgres data directory"),
        "{message}"
    );
}

#[test]
fn a_start_that_was_killed_while_making_the_data_is_made_again() {
    let place = Place::new(Who::Us, "dir");
    place.sql("select 1");
    let half = place.data().with_file_name("data.new");
    std::fs::rename(place.data(), &half).unwrap();

    assert_eq!(place.sql("select 1"), "1");
    assert!(!half.exists());
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let place = Place::new(Who::Us, "dir");
    // Stops root too, unlike permissions.
    std::fs::write(place.dir().join(".larder"), "a file").unwrap();

    let run = place.try_sql("select 1");

    assert_eq!(run.status.code(), Some(1));
    let message = errors(&run);
    assert!(message.contains(".larder"), "{message}");
    assert!(message.contains("\nhelp: "), "{message}");
}

#[test]
fn as_root_below_a_closed_directory_the_data_stand_elsewhere() {
    if !Uid::effective().is_root() {
        // An ordinary user's directory is never closed to Postgres, which runs
        // as the same user. CI runs this as root.
        return;
    }
    let place = Place::new(Who::Us, "closed/dir");
    let closed = place.dir().parent().unwrap();
    std::fs::set_permissions(closed, std::fs::Permissions::from_mode(0o700)).unwrap();

    place.sql(KEEP);

    let link = place.dir().join(".larder/postgres");
    let target = std::fs::read_link(&link).unwrap();
    assert!(
        target.starts_with("/var/lib/larder"),
        "{}",
        target.display()
    );
    assert_eq!(place.sql(KEPT), "42");

    // Whoever deletes `.larder` starts anew, and the old files stay.
    std::fs::remove_dir_all(place.dir().join(".larder")).unwrap();
    assert!(!place.try_sql(KEPT).status.success());
    assert!(target.join("data").exists());
    let second = std::fs::read_link(&link).unwrap();
    std::fs::remove_dir_all(target).unwrap();
    std::fs::remove_dir_all(second).unwrap();
}

#[test]
fn data_of_an_ordinary_user_serve_root_too_and_the_other_way_round() {
    let [us, ordinary] = everybody()[..] else {
        // Takes two users; CI runs this as root.
        return;
    };
    let theirs = Place::new(ordinary, "dir");
    theirs.sql(KEEP);
    let as_root = theirs.seen_by(us);
    assert_eq!(as_root.sql(KEPT), "42");
    assert_eq!(as_root.seen_by(ordinary).sql(KEPT), "42");
}

#[test]
fn the_exit_status_of_the_command_is_passed_on() {
    let place = Place::new(Who::Us, "dir");
    let mut exit = place.larder(&["--fast"]);
    assert_eq!(
        exit.args(["sh", "-c", "exit 7"]).status().unwrap().code(),
        Some(7)
    );
    let mut killed = place.larder(&["--fast"]);
    let status = killed.args(["sh", "-c", "kill -9 $$"]).status().unwrap();
    assert_eq!(status.code(), Some(137));
    let mut missing = place.larder(&["--fast"]);
    assert_eq!(
        missing.arg("no-such-program").status().unwrap().code(),
        Some(1)
    );
}

#[test]
fn a_fast_one_leaves_nothing_and_clears_up_after_a_killed_one() {
    for who in everybody() {
        let place = Place::new(who, "dir");
        let run = || {
            let mut run = place.larder(&["--fast"]);
            run.env("TMPDIR", place.dir());
            run
        };
        let is_empty = || std::fs::read_dir(place.dir()).unwrap().next().is_none();
        assert!(run().arg("true").status().unwrap().success());
        assert!(is_empty());

        // Tells the data directory before it kills its parent, `larder`.
        let killed = run()
            .args([
                "sh",
                "-c",
                r#"psql -XAtq "$DATABASE_URL" -c 'show data_directory'; kill -9 $PPID"#,
            ])
            .output()
            .unwrap();
        let data = String::from_utf8(killed.stdout).unwrap();
        let file = std::path::Path::new(data.trim()).join("postmaster.pid");
        let text = std::fs::read_to_string(file).unwrap();
        let old = Pid::from_raw(text.lines().next().unwrap().parse().unwrap()).unwrap();
        assert!(runs_postgres(old), "premise: it was left behind");

        assert!(run().arg("true").status().unwrap().success());

        assert!(is_empty());
        assert!(!runs_postgres(old));
    }
}

#[test]
fn a_terminated_larder_ends_its_command_and_its_postgres() {
    let place = Place::new(Who::Us, "dir");
    let held = place.hold(&[]);
    let postgres = place.postmaster();

    assert_eq!(held.end_by(Signal::TERM), Some(143));

    assert!(!runs_postgres(postgres));
    assert!(
        !place.data().join("postmaster.pid").exists(),
        "stopped in order"
    );
}

#[test]
#[cfg(target_os = "linux")]
fn secrets_of_our_environment_do_not_reach_postgres() {
    let place = Place::new(Who::Us, "dir");
    let output = place
        .larder(&[])
        .env("JOBS_API_SECRET", "marked-secret")
        .args(["sh", "-c", r#"psql -XAtq "$DATABASE_URL" -c "select pg_read_file('/proc/self/environ')" | tr '\0' '\n'"#])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    let environment = String::from_utf8_lossy(&output.stdout);
    assert!(!environment.contains("marked-secret"), "{environment}");
}

/// Kills `larder` and Postgres's main process at once, as a power cut would.
fn kill_all(place: &Place) {
    let held = place.hold(&[]);
    let postmaster = place.postmaster();
    held.kill();
    kill_process(postmaster, Signal::KILL).unwrap();
}

/// Whether the process lives; one that nobody has reaped yet does not.
fn runs_postgres(pid: Pid) -> bool {
    match std::fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())) {
        Ok(command_line) => !command_line.is_empty(),
        Err(_) => test_kill_process(pid) != Err(Errno::SRCH),
    }
}
