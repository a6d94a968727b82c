//! Where a value was written.

use std::fmt;

use super::problems::PlaceMap;

/// Where a value was written.
///
/// Ordered as a person would go through them: the file from top to bottom, then
/// variables, then what stands in neither.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// In the configuration file, or in the example that stands in for one.
    File {
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1; only for what is not TOML.
        column: Option<usize>,
    },
    /// The configuration file as a whole, or another file that is named.
    WholeFile(String),
    /// In an environment variable.
    Variable(String),
    /// In the environment, for a problem whose key is itself a variable.
    Environment,
    /// In a preset that is compiled in.
    Preset {
        /// Name of the preset.
        name: String,
        /// Line, from 1.
        line: usize,
    },
    /// Nowhere: it is the default.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { line, column: None } => write!(out, "file, line {line}"),
            Self::File {
                line,
                column: Some(column),
            } => write!(out, "file, line {line}, column {column}"),
            Self::WholeFile(path) => path.fmt(out),
            Self::Variable(name) => name.fmt(out),
            Self::Environment => out.write_str("environment"),
            Self::Preset { name, line } => write!(out, "preset {name}, line {line}"),
            Self::Default => out.write_str("default"),
        }
    }
}

/// Where each key of a configuration was written, and how.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Places(pub(super) PlaceMap);

impl Places {
    /// Where the value of `key` was written: its own place, else that of the
    /// nearest table around it, else the defaults.
    pub fn origin_of(&self, key: &str) -> Origin {
        self.find(key).0
    }

    /// The place of `key`, and its value as written if it stands there itself.
    pub(super) fn find(&self, key: &str) -> (Origin, Option<String>) {
        if let Some((origin, value)) = self.0.get(key) {
            return (origin.clone(), value.clone());
        }
        let mut around = key;
        while let Some(end) = around.rfind(['.', '[']) {
            around = &around[..end];
            if let Some((origin, _)) = self.0.get(around) {
                return (origin.clone(), None);
            }
        }
        (Origin::Default, None)
    }
}
