//! What is wrong with a configuration, all at once.
//!
//! A start that stops at the first mistake makes a person start ten times. So
//! nothing here ends the loading: problems are collected with the place where
//! each value was written, and shown together.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::origin::{Origin, Places};

/// One thing that is wrong, and how to put it right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Path of the key, such as `worker.lease`; empty if a whole file is meant.
    pub key: String,
    /// The value as it was written; `None` if it is missing or must not be shown.
    pub value: Option<String>,
    /// Where it was written.
    pub origin: Origin,
    /// What it must be.
    pub rule: String,
    /// Why, or what would happen otherwise; may be empty.
    pub reason: String,
    /// What was probably meant.
    pub suggestion: Option<String>,
}

/// Collects problems, each with the place of its key.
#[derive(Debug, Default)]
pub struct Problems {
    places: Places,
    found: Vec<Problem>,
    keys: BTreeSet<String>,
}

impl Problems {
    /// An empty collection that knows where each key was written.
    pub(super) fn new(places: Places) -> Self {
        Self {
            places,
            ..Self::default()
        }
    }

    /// Adds a broken rule of `key`, whose value is `value`.
    ///
    /// Left out if the key already has a problem: what is wrong with a value
    /// that could not be read would only repeat itself.
    pub(super) fn add(&mut self, key: &str, value: impl Shown, rule: &str, reason: &str) {
        let (value, origin) = match self.places.find(key) {
            (origin, Some(written)) => (written, origin),
            (_, None) => (value.shown(), Origin::Default),
        };
        self.push(Problem {
            key: key.to_owned(),
            value: Some(value),
            origin,
            rule: rule.to_owned(),
            reason: reason.to_owned(),
            suggestion: None,
        });
    }

    /// Adds a broken rule of `key`, whose value, if it has one, is as written.
    pub fn refuse(&mut self, key: &str, rule: &str, reason: &str) {
        self.refuse_suggesting(key, rule, reason, None);
    }

    /// Adds a broken rule of `key`, and what was probably meant.
    pub fn refuse_suggesting(
        &mut self,
        key: &str,
        rule: &str,
        reason: &str,
        suggestion: Option<String>,
    ) {
        let (origin, value) = self.places.find(key);
        self.push(Problem {
            key: key.to_owned(),
            value,
            origin,
            rule: rule.to_owned(),
            reason: reason.to_owned(),
            suggestion,
        });
    }

    /// Adds a problem whose place is known.
    pub fn push(&mut self, problem: Problem) {
        if problem.key.is_empty() || self.keys.insert(problem.key.clone()) {
            self.found.push(problem);
        }
    }

    /// Adds that `key` breaks `rule` towards `other`, unless either is broken already.
    pub(super) fn contradiction(
        &mut self,
        key: &str,
        value: impl Shown,
        rule: &str,
        (other, its): (&str, impl Shown),
        reason: &str,
    ) {
        if !self.keys.contains(other) {
            self.add(
                key,
                value,
                &format!("{rule} {other} ({})", its.shown()),
                reason,
            );
        }
    }

    /// Adds a problem if a value is out of `range`.
    pub(super) fn within<N: PartialOrd + Shown>(
        &mut self,
        key: &str,
        value: N,
        range: RangeInclusive<N>,
        reason: &str,
    ) {
        if !range.contains(&value) {
            let rule = format!(
                "must be from {} to {}",
                range.start().shown(),
                range.end().shown()
            );
            self.add(key, value, &rule, reason);
        }
    }

    /// Whether `key` has a problem already.
    pub fn has(&self, key: &str) -> bool {
        self.keys.contains(key)
    }

    /// Whether `key`, or anything in it, has a problem already.
    pub(super) fn has_below(&self, key: &str) -> bool {
        let mut from_here = self.keys.range(key.to_owned()..);
        from_here.next().is_some_and(|found| {
            let rest = found.strip_prefix(key);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }

    /// The same problems, with the places of the keys known from now on.
    pub(super) fn knowing(self, places: Places) -> Self {
        Self { places, ..self }
    }

    /// The collection as a result: an error if anything is in it.
    ///
    /// # Errors
    ///
    /// [`ConfigErrors`] with every problem, in the order of the file.
    pub fn into_result(self, subject: &str) -> Result<(), ConfigErrors> {
        let mut problems = self.found;
        if problems.is_empty() {
            return Ok(());
        }
        problems.sort_by(|one, other| (&one.origin, &one.key).cmp(&(&other.origin, &other.key)));
        Err(ConfigErrors {
            subject: subject.to_owned(),
            problems,
        })
    }
}

/// Everything that is wrong with a configuration.
///
/// Its text is made to stand after `error: `, and shows no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors {
    subject: String,
    problems: Vec<Problem>,
}

impl ConfigErrors {
    /// The problems, in the order of the file.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// One problem of its own, such as a file that cannot be read.
    pub(super) fn one(subject: &str, origin: Origin, rule: &str, reason: &str) -> Self {
        Self {
            subject: subject.to_owned(),
            problems: vec![Problem {
                key: String::new(),
                value: None,
                origin,
                rule: rule.to_owned(),
                reason: reason.to_owned(),
                suggestion: None,
            }],
        }
    }

    /// Both, as one report about what `self` is about.
    pub fn and(mut self, other: Self) -> Self {
        self.problems.extend(other.problems);
        self
    }
}

/// Column at which the place of a value is shown.
const PLACE_COLUMN: usize = 43;

impl fmt::Display for ConfigErrors {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = match self.problems.len() {
            1 => "1 problem".to_owned(),
            many => format!("{many} problems"),
        };
        writeln!(out, "{count} in {}", self.subject)?;
        for problem in &self.problems {
            writeln!(out, "\n{problem}")?;
        }
        write!(
            out,
            "\nNothing was started. Check a file without starting: larder check --config FILE"
        )
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = match (&self.key, &self.value) {
            (key, _) if key.is_empty() => String::new(),
            (key, Some(value)) => format!("{key} = {value}"),
            (key, None) => key.clone(),
        };
        if subject.is_empty() {
            write!(out, "  {}", self.origin)?;
        } else {
            write!(out, "  {subject:<PLACE_COLUMN$} ({})", self.origin)?;
        }
        write!(out, "\n    {}", self.rule)?;
        if !self.reason.is_empty() {
            write!(out, ":\n    {}", self.reason)?;
        }
        if let Some(meant) = &self.suggestion {
            write!(out, "\n    did you mean {meant}?")?;
        }
        Ok(())
    }
}

/// The one of `known` that `given` was probably meant to be.
///
/// Two slips at most, and fewer than the half of a short word: a far-fetched
/// suggestion is worse than none.
pub(super) fn closest<'a>(
    given: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let given = given.to_ascii_lowercase();
    let most = (given.chars().count() / 2).min(2);
    known
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(&given, word), word))
        .filter(|(slips, _)| *slips <= most)
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, word)| word)
}

/// A value that can be shown as it would stand in the file.
pub(super) trait Shown {
    /// The value in TOML.
    fn shown(&self) -> String;
}

impl Shown for Duration {
    fn shown(&self) -> String {
        // In the library's words 3650 days are 9 years, 11 months and some hours.
        match (
            self.as_secs() / 86_400,
            self.as_secs() % 86_400,
            self.subsec_nanos(),
        ) {
            (days @ 1.., 0, 0) => format!("\"{days}d\""),
            _ => format!("\"{}\"", humantime::format_duration(*self)),
        }
    }
}

macro_rules! shown {
    ($($type:ty => $format:literal),*) => {$(
        impl Shown for $type {
            fn shown(&self) -> String {
                format!($format, self)
            }
        }
    )*};
}

shown!(u32 => "{}", u64 => "{}", f64 => "{:?}", SocketAddr => "\"{}\"", &str => "{:?}", &String => "{:?}");

/// Places by key.
pub(super) type PlaceMap = BTreeMap<String, (Origin, Option<String>)>;
