//! Finds the programs of Postgres and picks a version.
//!
//! Looked for on PATH first, then where `pg_config` points, then where packages
//! put them (Debian and Ubuntu keep them off PATH), newest first. Data that
//! exists already decides the version; otherwise the first one found is taken.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::PostgresError;

/// Major versions that Larder is tested with.
const SUPPORTED: std::ops::RangeInclusive<u16> = 15..=18;

/// Parents of versioned installations, as `(directory, prefix, suffix)`.
const PACKAGED: [(&str, &str, &str); 4] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/opt/homebrew/opt", "postgresql@", "bin"),
    ("/usr/local/opt", "postgresql@", "bin"),
];

/// One installation of the server's programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries {
    dir: PathBuf,
    major: u16,
}

impl Binaries {
    /// Path of one program, for example `initdb`.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Major version, for example 15.
    pub(super) fn major(&self) -> u16 {
        self.major
    }
}

/// Every installation on this machine, the preferred one first.
pub(super) async fn find() -> Vec<Binaries> {
    let mut found: Vec<Binaries> = Vec::new();
    for dir in directories().await {
        let Some(dir) = installation_in(&dir) else {
            continue;
        };
        if found.iter().any(|known| known.dir == dir) {
            continue;
        }
        if let Some(major) = major_of(&dir.join("postgres")).await {
            found.push(Binaries { dir, major });
        }
    }
    found
}

/// Picks the installation for data made by `made_by`, or for new data.
pub(super) fn choose(
    found: &[Binaries],
    data: &Path,
    made_by: Option<u16>,
) -> Result<Binaries, PostgresError> {
    if found.is_empty() {
        return Err(PostgresError::Missing);
    }
    let supported = |binaries: &&Binaries| SUPPORTED.contains(&binaries.major);
    if !found.iter().any(|binaries| supported(&binaries)) {
        return Err(PostgresError::Unsupported {
            found: listed(found),
        });
    }
    let fits = |binaries: &&Binaries| made_by.is_none_or(|made_by| made_by == binaries.major);
    match (found.iter().filter(supported).find(fits), made_by) {
        (Some(binaries), _) => Ok(binaries.clone()),
        (None, made_by) => Err(PostgresError::OtherVersion {
            data: data.to_owned(),
            made_by: made_by.unwrap_or_default(),
            installed: listed(found),
        }),
    }
}

fn listed(found: &[Binaries]) -> String {
    let versions: Vec<String> = found
        .iter()
        .map(|binaries| format!("{} in {}", binaries.major, binaries.dir.display()))
        .collect();
    versions.join(", ")
}

async fn directories() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut directories: Vec<PathBuf> = std::env::split_paths(&path).collect();
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output().await {
        let dir = String::from_utf8_lossy(&output.stdout);
        directories.push(PathBuf::from(dir.trim()));
    }
    for (parent, prefix, suffix) in PACKAGED {
        let mut versions = versions_in(Path::new(parent), prefix);
        versions.sort_unstable_by(|a, b| b.cmp(a));
        directories.extend(versions.into_iter().map(|(_, dir)| dir.join(suffix)));
    }
    directories
}

fn versions_in(parent: &Path, prefix: &str) -> Vec<(u16, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let version = leading_number(name.to_str()?.strip_prefix(prefix)?)?;
            Some((version, entry.path()))
        })
        .collect()
}

/// The real directory of the programs, when `dir` holds both of them.
///
/// A `postgres` on PATH is often a link into the real directory, and Postgres
/// finds its own files from there.
fn installation_in(dir: &Path) -> Option<PathBuf> {
    let real = dir.join("postgres").canonicalize().ok()?;
    let real = real.parent()?.to_owned();
    (real.join("postgres").is_file() && real.join("initdb").is_file()).then_some(real)
}

/// Major version that `postgres --version` reports; works as root too.
async fn major_of(postgres: &Path) -> Option<u16> {
    let output = Command::new(postgres)
        .arg("--version")
        .output()
        .await
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    parse_version(&text)
}

/// Reads `postgres (PostgreSQL) 15.16 (Debian 15.16-1)`, `… 18beta1`, `… 9.6.24`.
fn parse_version(text: &str) -> Option<u16> {
    let (_, version) = text.split_once("(PostgreSQL)")?;
    leading_number(version.trim_start())
}

/// The number that a version starts with: 15 of `15`, `15.4` and `15beta2`.
pub(super) fn leading_number(text: &str) -> Option<u16> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installed(majors: &[u16]) -> Vec<Binaries> {
        majors
            .iter()
            .map(|&major| Binaries {
                dir: format!("/pg/{major}/bin").into(),
                major,
            })
            .collect()
    }

    #[test]
    fn versions_are_read_in_all_their_spellings() {
        let read = |version: &str| parse_version(&format!("postgres (PostgreSQL) {version}\n"));
        assert_eq!(read("15.16 (Debian 15.16-0+deb12u1)"), Some(15));
        assert_eq!(read("18beta1"), Some(18));
        assert_eq!(read("9.6.24"), Some(9));
        assert_eq!(parse_version("something else"), None);
    }

    #[test]
    fn existing_data_decides_the_version() {
        let both = installed(&[17, 15]);
        let data = Path::new("data");
        assert_eq!(choose(&both, data, None).unwrap().major(), 17);
        assert_eq!(choose(&both, data, Some(15)).unwrap().major(), 15);

        let error = choose(&installed(&[17]), data, Some(15)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "data was made by Postgres 15, and installed is 17 in /pg/17/bin"
        );
    }

    #[test]
    fn versions_outside_15_to_18_are_refused_by_name() {
        let error = choose(&installed(&[13, 19]), Path::new("data"), None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Larder needs Postgres 15 to 18, and found 13 in /pg/13/bin, 19 in /pg/19/bin"
        );
        assert!(matches!(
            choose(&[], Path::new("data"), None),
            Err(PostgresError::Missing)
        ));
    }
}
