//! The configuration as operators meet it.

use std::collections::BTreeMap;
use std::path::Path;

use shared::catalog::Catalog;
use shared::config::{ConfigErrors, Loaded, Source};

mod example;
mod golden;
mod lanes;
mod loading;
mod secrets;

/// Loads `text` as a file of its own; without text, what stands in for a file.
pub(crate) fn loaded(
    text: Option<&str>,
    environment: &[(&str, &str)],
) -> Result<Loaded, ConfigErrors> {
    let directory = tempfile::tempdir().unwrap();
    if let Some(text) = text {
        std::fs::write(directory.path().join("larder.toml"), text).unwrap();
    }
    let (_, loaded) = Catalog::load(&source(directory.path(), environment))?;
    Ok(loaded)
}

/// A source that looks into `directory`.
pub(crate) fn source(directory: &Path, environment: &[(&str, &str)]) -> Source {
    Source {
        path: None,
        directory: directory.to_owned(),
        environment: variables(environment),
    }
}

/// An environment of these variables.
pub(crate) fn variables(environment: &[(&str, &str)]) -> BTreeMap<String, String> {
    environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}
