//! The binaries `worker` and `enqueuer`, as they are shipped.
//!
//! `cargo test --workspace` builds them beside `larder`. A run for one crate alone does
//! not, so they are built then, rather than an old one be tried.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// What both are made of, beside their own sources.
const SHARED: [&str; 5] = [
    "Cargo.lock",
    "larder.toml",
    "migrations",
    "shared/presets",
    "shared/src",
];

#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) worker: PathBuf,
    pub(crate) enqueuer: PathBuf,
}

impl Programs {
    pub(crate) fn find() -> Self {
        let beside = Path::new(env!("CARGO_BIN_EXE_larder")).parent().unwrap();
        if !(is_current(beside, "worker") && is_current(beside, "enqueuer")) {
            build(beside);
        }
        Self {
            worker: beside.join("worker"),
            enqueuer: beside.join("enqueuer"),
        }
    }
}

/// Whether a binary is there and nothing that it is made of is younger.
fn is_current(beside: &Path, name: &str) -> bool {
    let Some(built) = changed(&beside.join(name)) else {
        return false;
    };
    let own = format!("{name}/src");
    let sources = SHARED.iter().copied().chain([own.as_str()]);
    sources.map(|source| newest(&root().join(source))).max() <= Some(built)
}

/// When the youngest file in a directory was changed.
fn newest(path: &Path) -> SystemTime {
    match std::fs::read_dir(path) {
        Ok(entries) => {
            let inside = entries.map(|entry| newest(&entry.unwrap().path()));
            inside.max().unwrap_or(SystemTime::UNIX_EPOCH)
        }
        Err(_) => changed(path).unwrap(),
    }
}

fn changed(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|file| file.modified()).ok()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn build(beside: &Path) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args([
            "build",
            "--quiet",
            "--package",
            "worker",
            "--package",
            "enqueuer",
        ])
        .arg("--target-dir")
        .arg(beside.parent().unwrap())
        .current_dir(root());
    if beside.ends_with("release") {
        command.arg("--release");
    }
    // What cargo says about this package: build scripts would take it for a change.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    assert!(
        command.status().unwrap().success(),
        "cannot build the binaries"
    );
}
