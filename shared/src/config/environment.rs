//! The environment that a process runs in, with `.env` and `.env.local`.

use std::collections::BTreeMap;
use std::path::Path;

use super::origin::Origin;
use super::problems::ConfigErrors;

/// The environment: that of the process, over `.env.local`, over `.env` of `directory`.
///
/// The process's own environment is read, never changed, so that nothing depends
/// on who called this first. Variables whose name or value is not UTF-8 are left
/// out, since no variable of Larder's may be such.
///
/// # Errors
///
/// [`ConfigErrors`] if one of the two files exists and cannot be read. A line is
/// never shown, because it may hold a secret.
pub fn environment(directory: &Path) -> Result<BTreeMap<String, String>, ConfigErrors> {
    let mut merged = BTreeMap::new();
    for name in [".env", ".env.local"] {
        merged.extend(read(&directory.join(name))?);
    }
    let real = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    merged.extend(real);
    Ok(merged)
}

fn read(path: &Path) -> Result<Vec<(String, String)>, ConfigErrors> {
    let lines = match dotenvy::from_path_iter(path) {
        Ok(lines) => lines,
        Err(error) if error.not_found() => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(path, &error)),
    };
    lines
        .collect::<Result<_, _>>()
        .map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &dotenvy::Error) -> ConfigErrors {
    let (rule, reason) = match error {
        dotenvy::Error::Io(cause) => ("must be readable, or not exist", cause.to_string()),
        _ => (
            "must consist of lines NAME=value",
            "a value with spaces, quotes or # needs single quotes around it".to_owned(),
        ),
    };
    let file = path.display().to_string();
    ConfigErrors::one(&file, Origin::WholeFile(file.clone()), rule, &reason)
}
