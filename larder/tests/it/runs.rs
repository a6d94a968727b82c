//! Runs `larder with-postgres` as a given user in a directory of its own.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::rc::Rc;

use nix::unistd::{Uid, User};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Who runs the binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// Whoever runs the tests.
    Us,
    /// An ordinary user, when root runs the tests.
    Ordinary { uid: u32, gid: u32 },
}

/// Every kind of user that can be had here: with root, root and an ordinary one;
/// otherwise only ourselves. CI runs the tests both ways.
pub(crate) fn everybody() -> Vec<Who> {
    match Uid::effective().is_root() {
        true => vec![Who::Us, ordinary()],
        false => vec![Who::Us],
    }
}

fn ordinary() -> Who {
    let user = User::from_name("nobody").unwrap().unwrap();
    Who::Ordinary {
        uid: user.uid.as_raw(),
        gid: user.gid.as_raw(),
    }
}

/// A temporary place with a copy of the binary that every user can run.
pub(crate) struct Place {
    root: Rc<TempDir>,
    who: Who,
    dir: PathBuf,
}

impl Place {
    /// A place whose directory to run in is called `name`.
    pub(crate) fn new(who: Who, name: impl AsRef<Path>) -> Self {
        let root = tempfile::Builder::new()
            .prefix("larder-test-")
            .tempdir_in("/tmp")
            .unwrap();
        open(root.path());
        let binary = root.path().join("larder");
        // By another process: while we had the copy open for writing, a test beside
        // this one could start a program that inherits it, and a file that is open
        // for writing cannot be run.
        let copied = Command::new("cp")
            .arg(env!("CARGO_BIN_EXE_larder"))
            .arg(&binary)
            .status();
        assert!(copied.unwrap().success());
        let dir = root.path().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        if let Who::Ordinary { uid, gid } = who {
            chown(&dir, Some(uid), Some(gid)).unwrap();
        }
        Self {
            root: Rc::new(root),
            who,
            dir,
        }
    }

    /// The same place, used by somebody else.
    pub(crate) fn seen_by(&self, who: Who) -> Self {
        Self {
            root: Rc::clone(&self.root),
            who,
            dir: self.dir.clone(),
        }
    }

    /// Renames the directory in which the binary runs.
    pub(crate) fn move_to(&mut self, name: &str) {
        let dir = self.root.path().join(name);
        std::fs::rename(&self.dir, &dir).unwrap();
        self.dir = dir;
    }

    /// The directory in which the binary runs.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The cluster.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir.join(".larder/postgres/data")
    }

    /// A command of this place's user.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.dir).stdin(Stdio::null());
        if let Who::Ordinary { uid, gid } = self.who {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// `larder with-postgres`, with `options` before the `--`.
    pub(crate) fn larder(&self, options: &[&str]) -> Command {
        let mut command = self.command(self.root.path().join("larder"));
        command.arg("with-postgres").args(options).arg("--");
        command
    }

    /// `larder` with these arguments, without a `DATABASE_URL`.
    pub(crate) fn itself(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(self.root.path().join("larder"));
        command.args(arguments).env_remove("DATABASE_URL");
        command
    }

    /// Runs one SQL script and returns what it prints.
    pub(crate) fn sql(&self, script: &str) -> String {
        let output = self.try_sql(script);
        assert!(output.status.success(), "{}", errors(&output));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Runs one SQL script.
    pub(crate) fn try_sql(&self, script: &str) -> Output {
        self.larder(&[])
            .args(["sh", "-c", r#"psql -XAtq "$DATABASE_URL" -c "$1""#, "sh"])
            .arg(script)
            .output()
            .unwrap()
    }

    /// Starts a command that holds Postgres until told to end.
    pub(crate) fn hold(&self, options: &[&str]) -> Held {
        let mut child = self
            .larder(options)
            .args(["sh", "-c", "echo ready; read -r line"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        if line != "ready\n" {
            let mut errors = String::new();
            child
                .stderr
                .take()
                .unwrap()
                .read_to_string(&mut errors)
                .unwrap();
            panic!("did not start: {errors}");
        }
        Held { child, input }
    }

    /// Process id of the Postgres on this place's data.
    pub(crate) fn postmaster(&self) -> Pid {
        let text = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        Pid::from_raw(text.lines().next().unwrap().parse().unwrap()).unwrap()
    }
}

/// A command that holds Postgres.
pub(crate) struct Held {
    child: Child,
    input: ChildStdin,
}

impl Held {
    /// Ends the command and waits for all to stop; returns the exit status.
    pub(crate) fn end(mut self) -> Option<i32> {
        drop(self.input);
        self.child.wait().unwrap().code()
    }

    /// Sends a signal to `larder` alone and waits for its end; returns the exit
    /// status.
    pub(crate) fn end_by(mut self, signal: Signal) -> Option<i32> {
        let pid = i32::try_from(self.child.id()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
        let status = self.child.wait().unwrap();
        // Only now, so that the command does not end because its input did.
        drop(self.input);
        status.code()
    }

    /// Kills `larder` hard, so that it stops nothing.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// What a run wrote to standard error.
pub(crate) fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Lets everybody pass through a directory.
fn open(dir: &Path) {
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).unwrap();
}
