//! The line that installs Postgres on this machine.

use std::path::Path;

/// Package managers in the order in which they are looked for: the program and
/// the line that installs the server with it. `scripts/install-postgres` runs the
/// same lines.
const MANAGERS: [(&str, &str); 5] = [
    ("apt-get", "apt-get install -y postgresql"),
    ("dnf", "dnf install -y postgresql-server"),
    ("apk", "apk add postgresql"),
    ("pacman", "pacman -S --noconfirm postgresql"),
    ("brew", "brew install postgresql@17"),
];

/// The command to paste into a terminal, with `sudo` where it is needed.
pub(super) fn line() -> String {
    let found = MANAGERS.iter().find(|(program, _)| on_path(program));
    match found {
        // Homebrew refuses root.
        Some(("brew", line)) => (*line).to_owned(),
        Some((_, line)) if rustix::process::geteuid().is_root() => (*line).to_owned(),
        Some((_, line)) => format!("sudo {line}"),
        None => {
            "your system's package manager (the server package of PostgreSQL 15 to 18)".to_owned()
        }
    }
}

fn on_path(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|dir| Path::new(&dir).join(program).is_file())
    })
}
