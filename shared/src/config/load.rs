//! From a file, the environment and the presets to a checked configuration.
//!
//! | step | what it can find wrong |
//! |---|---|
//! | read the file | it is missing, a directory, too large, not UTF-8, not TOML |
//! | set `LARDER__…` | a variable that names nothing |
//! | lay over presets | an unknown preset |
//! | make structs | unknown keys, wrong types, missing keys |
//! | check | values out of range, values that contradict each other |
//!
//! What cannot be read as a tree ends the loading, since nothing can be said
//! about what is in it. Everything after that is found together.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::origin::{Origin, Places};
use super::problems::{ConfigErrors, Problems};
use super::tree::{Item, Lines};
use super::{Config, EXAMPLE, layers, overrides, sections};

/// Most bytes that a configuration file may have: 1 MiB.
const MOST_BYTES: u64 = 1 << 20;

/// How the example that stands in for a file is called.
pub const EXAMPLE_ORIGIN: &str = "compiled-in example";

/// Where a configuration comes from.
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// The file that the command line names; it must exist.
    pub path: Option<PathBuf>,
    /// Where `larder.toml` is looked for when no file is named; empty is the
    /// current directory.
    pub directory: PathBuf,
    /// The environment, as [`super::environment()`] gives it.
    pub environment: BTreeMap<String, String>,
}

/// A configuration that is in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// What it says.
    pub config: Config,
    /// The file it came from, or [`EXAMPLE_ORIGIN`].
    pub origin: String,
    /// Where each key was written.
    pub places: Places,
}

impl Loaded {
    /// An empty collection of problems that knows where each key was written.
    pub fn problems(&self) -> Problems {
        Problems::new(self.places.clone())
    }
}

/// Loads a configuration.
///
/// The file is the one that `--config` or `LARDER_CONFIG` names, else
/// `larder.toml` if it exists, else the compiled-in example.
///
/// # Errors
///
/// [`ConfigErrors`] with everything that is wrong.
pub fn load(source: &Source) -> Result<Loaded, ConfigErrors> {
    load_with(source, |_, _| {})
}

/// Loads a configuration, with further checks by `check`.
///
/// `check` sees what could be read even if something else is wrong, so that what
/// it finds is reported with the rest. It is how the provider engine, which this
/// module must not know, refuses a provider.
///
/// # Errors
///
/// [`ConfigErrors`] with everything that is wrong.
pub fn load_with(
    source: &Source,
    check: impl FnOnce(&Config, &mut Problems),
) -> Result<Loaded, ConfigErrors> {
    let (text, origin) = text(source)?;
    let mut root = tree(&text, &origin)?;
    let mut early = Problems::default();
    overrides::apply(&mut root, &source.environment, true, &mut early);
    layers::lay_over_presets(&mut root, &mut early);
    overrides::apply(&mut root, &source.environment, false, &mut early);
    root.label("");
    let mut places = Places::default();
    root.places(&mut places);
    let mut problems = early.knowing(places.clone());
    let config = sections::read(root, &mut problems);
    check(&config, &mut problems);
    problems.into_result(&origin)?;
    Ok(Loaded {
        config,
        origin,
        places,
    })
}

/// The text of the configuration and how its origin is called.
fn text(source: &Source) -> Result<(String, String), ConfigErrors> {
    let variable = source.environment.get("LARDER_CONFIG");
    let variable = variable.filter(|path| !path.is_empty()).map(PathBuf::from);
    let named_by = match (&source.path, &variable) {
        (Some(_), _) => "--config names it",
        (None, Some(_)) => "LARDER_CONFIG names it",
        (None, None) => "it is looked for where the process runs",
    };
    let found = source.path.clone().or(variable).or_else(|| {
        let usual = source.directory.join("larder.toml");
        // Anything but "there is none" is to be reported, not passed over.
        let missing = matches!(usual.try_exists(), Ok(false));
        (!missing).then_some(usual)
    });
    match found {
        Some(path) => Ok((read(&path, named_by)?, path.display().to_string())),
        None => Ok((EXAMPLE.to_owned(), EXAMPLE_ORIGIN.to_owned())),
    }
}

fn read(path: &Path, named_by: &str) -> Result<String, ConfigErrors> {
    let name = path.display().to_string();
    let refuse = |rule: &str, reason: &str| {
        ConfigErrors::one(&name, Origin::WholeFile(name.clone()), rule, reason)
    };
    let unreadable = |error: std::io::Error| {
        refuse(
            "must be a file that can be read",
            &format!("{error}; {named_by}"),
        )
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.is_dir() {
        return Err(refuse("must be a file, not a directory", named_by));
    }
    // One byte more than allowed is read, and not the length asked for: a pipe has none.
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > MOST_BYTES {
        let reason = "so large a file is hardly a configuration";
        return Err(refuse("must have at most 1 MiB", reason));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..valid]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            + 1;
        let origin = Origin::File { line, column: None };
        let reason = format!("byte {} of the file is not", valid + 1);
        ConfigErrors::one(&name, origin, "must be UTF-8", &reason)
    })
}

fn tree(text: &str, origin: &str) -> Result<Item, ConfigErrors> {
    let place = |line| Origin::File { line, column: None };
    Item::parse(text, &place).map_err(|(offset, message)| {
        let (line, column) = Lines::of(text).position(text, offset);
        let column = Some(column);
        let name = match message.as_str() {
            "duplicate key" => full_name(text, offset),
            _ => None,
        };
        let name = name.map(|name| format!(" {name}")).unwrap_or_default();
        let rule = format!("must be TOML: {message}{name}");
        ConfigErrors::one(origin, Origin::File { line, column }, &rule, "")
    })
}

/// The full name of the key at this offset, if its line begins with it or is the
/// header of a table.
fn full_name(text: &str, offset: usize) -> Option<String> {
    let header = |line: &str| {
        let inner = line.trim_start().strip_prefix('[')?.trim_start_matches('[');
        Some(inner.split(']').next()?.trim().to_owned())
    };
    let (before, after) = text.split_at_checked(offset)?;
    let (above, start) = before.rsplit_once('\n').unwrap_or(("", before));
    let line = after.lines().next().unwrap_or_default();
    if let Some(name) = header(&format!("{start}{line}")) {
        return Some(name);
    }
    if !start.trim().is_empty() {
        return None;
    }
    let key = line.split('=').next()?.trim();
    let table = above.lines().rev().find_map(header).unwrap_or_default();
    Some(super::tree::join(&table, key))
}
