//! The first process of a container: it gets its signals, and takes note of orphans.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::chaos::process::{can_be_first, children};

use super::{PATIENCE, Site, directory, not_run};

fn signal(process: u32, signal: Signal) {
    let id = Pid::from_raw(process.cast_signed()).unwrap();
    kill_process(id, signal).unwrap();
}

async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Whether a command succeeds.
fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

async fn as_first_process(site: &Site, program: &Path, says: &str) {
    let log = site.dir.join(format!("first-{says}.log").replace(' ', "-"));
    let mut outside = Command::new("unshare")
        .args(["--pid", "--fork", "--kill-child"])
        .arg(program)
        .current_dir(&site.dir)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs(site.variables.iter().cloned())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let said = || std::fs::read_to_string(&log).unwrap();
    until(says, || said().contains(says).then_some(())).await;
    let first = children(outside.id())[0];

    // Its parent ends at once, so it is given to the first process of its container.
    let inside = ["--target", &first.to_string(), "--pid", "--"].map(str::to_owned);
    let orphan = ["sh", "-c", "sleep 1000 & exit 0"].map(str::to_owned);
    assert!(succeeds(Command::new("nsenter").args(inside).args(orphan)));
    let orphan = until("an orphan", || children(first).first().copied()).await;
    signal(orphan, Signal::KILL);
    until("its end is noted", || {
        children(first).is_empty().then_some(())
    })
    .await;

    signal(first, Signal::TERM);
    let status = until("it stops", || outside.try_wait().unwrap()).await;
    assert!(status.success(), "{status}: {}", said());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_process_of_a_container_stops_when_told_and_leaves_no_zombies() {
    if !can_be_first() {
        not_run("this user may not make a process namespace");
        return;
    }
    let dir = directory();
    let site = Site::start(dir.path(), 0).await;
    as_first_process(&site, &site.programs.worker, "worker started").await;
    as_first_process(&site, &site.programs.enqueuer, "listening").await;
    site.stop().await;
}
