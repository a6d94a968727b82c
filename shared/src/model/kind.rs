//! The kinds of jobs that there are, and what each takes as `args`.
//!
//! The worker has a handler for each name in [`HANDLED`]. The names and the types of
//! their args stand here because the enqueuer, which does not know the worker, refuses
//! what nobody could run, and because both sides should say the same about args that
//! are wrong.
//!
//! # Not here
//!
//! What args mean is the handler's to say. Whether they name something that the
//! configuration has is checked by [`crate::catalog::Catalog::check_args`].

mod webhook;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

pub use webhook::WebhookArgs;

/// The kind that refreshes one resource.
pub const REFRESH: &str = "refresh";

/// The kind that does nothing: for measuring the queue.
pub const NOOP: &str = "noop";

/// The kind that tells the user's application that resources changed.
pub const WEBHOOK: &str = "webhook";

/// Every kind that a handler of the worker runs.
pub const HANDLED: &[Handled] = &[
    Handled::taking::<AnyArgs>(NOOP),
    Handled::taking::<WebhookArgs>(WEBHOOK),
];

/// Most characters of what is said about wrong args.
const MOST_SAID: usize = 300;

/// Any object: for kinds that do not look at their args.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct AnyArgs(pub Map<String, Value>);

/// A kind that a handler of the worker runs.
#[derive(Debug, Clone, Copy)]
pub struct Handled {
    /// Its name, as it stands in `jobs.kind`.
    pub name: &'static str,
    check: fn(&Value) -> Result<(), String>,
}

impl Handled {
    /// The kind `name`, whose args are of the type `A`.
    const fn taking<A: DeserializeOwned>(name: &'static str) -> Self {
        Self {
            name,
            check: |args| parse::<A>(args).map(drop),
        }
    }
}

/// Checks that args are of the type that `kind` takes; those of an unknown kind are.
///
/// # Errors
///
/// Which part of them is wrong, and how.
pub fn check_args(kind: &str, args: &Value) -> Result<(), String> {
    let known = HANDLED.iter().find(|handled| handled.name == kind);
    known.map_or(Ok(()), |handled| (handled.check)(args))
}

/// Reads args as an `A`.
///
/// # Errors
///
/// Which part of them is wrong, and how: `target: invalid type: integer …`.
pub fn parse<A: DeserializeOwned>(args: &Value) -> Result<A, String> {
    serde_path_to_error::deserialize(args).map_err(|error| {
        let path = error.path().to_string();
        let place = match path.as_str() {
            "." => String::new(),
            path => format!("{path}: "),
        };
        let said = format!("{place}{}", error.into_inner());
        said.chars().take(MOST_SAID).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_args_is_said_with_its_place() {
        let check = |args: &str| check_args(WEBHOOK, &serde_json::from_str(args).unwrap());

        assert_eq!(check(r#"{"target": "app", "resources": []}"#), Ok(()));
        for (args, said) in [
            ("{}", "missing field `target`"),
            (r#"{"target": 1, "resources": []}"#, "target: invalid type"),
            (
                r#"{"target": "https://x", "resources": []}"#,
                "target: \"https://x\" is not a name",
            ),
            (
                r#"{"target": "app", "resources": ["a", 2]}"#,
                "resources[1]: invalid type",
            ),
            (
                r#"{"target": "app", "resources": [], "url": "x"}"#,
                "url: unknown field",
            ),
            ("[]", "invalid"),
        ] {
            let found = check(args).unwrap_err();
            assert!(found.starts_with(said), "{args}: {found}");
        }
    }

    #[test]
    fn a_kind_that_looks_at_no_args_takes_any() {
        let args = serde_json::json!({"n": [1, null]});
        assert_eq!(check_args(NOOP, &args), Ok(()));
    }

    #[test]
    fn little_is_said_about_long_args() {
        let args = serde_json::json!({ "x".repeat(10_000): 1 });
        assert!(check_args(WEBHOOK, &args).unwrap_err().len() <= MOST_SAID);
    }

    #[test]
    fn no_name_stands_for_two_kinds() {
        let mut names: Vec<_> = HANDLED.iter().map(|handled| handled.name).collect();
        names.push(REFRESH);
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
