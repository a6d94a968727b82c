//! Sets up the log of a process: what is written, and in which form.
//!
//! Lines go to standard error, so that a command's output stays clean: for people on a
//! terminal, JSON anywhere else. What is logged never holds a secret, at any level: the
//! callers log names and numbers, no URLs, no headers and no bodies.

use std::collections::BTreeMap;
use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The variable holds something that is no filter.
    #[error(
        "{variable} must be a level such as info or debug, or a list such as info,worker=debug"
    )]
    BadFilter {
        /// `LARDER_LOG` or `RUST_LOG`.
        variable: &'static str,
        /// What is wrong with it.
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    /// This process has set up a log already.
    #[error("the log of this process has been set up already")]
    Twice,
}

/// What is logged unless somebody asks for more: statements are the database's business.
pub const USUAL: &str = "info,sqlx=warn";

/// What `DEBUG=true` shows: every step of Larder's own crates.
const VERBOSE: &str = "info,sqlx=warn,larder=debug,enqueuer=debug,worker=debug,shared=debug,\
                       sandbox=debug,tower_http=debug";

/// Sets up the log of this process from `LARDER_LOG`, else `RUST_LOG`, else `DEBUG=true`.
///
/// # Errors
///
/// [`LoggingError`] if the variable is no filter, or the log has been set up already.
pub fn init(environment: &BTreeMap<String, String>) -> Result<(), LoggingError> {
    init_at(environment, USUAL)
}

/// The same for a process that usually logs something else, such as a command that only
/// prints its answer.
///
/// # Errors
///
/// As [`init`].
pub fn init_at(environment: &BTreeMap<String, String>, usual: &str) -> Result<(), LoggingError> {
    let filter = filter(environment, usual)?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let done = if std::io::stderr().is_terminal() {
        builder.finish().try_init()
    } else {
        builder.json().flatten_event(true).finish().try_init()
    };
    done.map_err(|_| LoggingError::Twice)
}

fn filter(environment: &BTreeMap<String, String>, usual: &str) -> Result<EnvFilter, LoggingError> {
    for variable in ["LARDER_LOG", "RUST_LOG"] {
        if let Some(text) = environment.get(variable).filter(|text| !text.is_empty()) {
            return EnvFilter::try_new(text)
                .map_err(|source| LoggingError::BadFilter { variable, source });
        }
    }
    let verbose = environment
        .get("DEBUG")
        .is_some_and(|value| matches!(value.to_ascii_lowercase().as_str(), "true" | "1" | "yes"));
    Ok(EnvFilter::new(if verbose { VERBOSE } else { usual }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)]) -> Result<String, LoggingError> {
        let environment = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        filter(&environment, USUAL).map(|filter| filter.to_string())
    }

    #[test]
    fn larders_own_variable_wins_and_debug_is_the_weakest() {
        let all = [
            ("LARDER_LOG", "warn"),
            ("RUST_LOG", "trace"),
            ("DEBUG", "true"),
        ];
        assert_eq!(with(&all).unwrap(), "warn");
        assert_eq!(with(&all[1..]).unwrap(), "trace");
        assert!(with(&all[2..]).unwrap().contains("enqueuer=debug"));
        assert!(!with(&[("DEBUG", "false")]).unwrap().contains("debug"));
    }

    #[test]
    fn what_is_no_filter_is_refused_with_the_name_of_its_variable() {
        let refused = with(&[("LARDER_LOG", "worker=loud")]).unwrap_err();
        assert!(refused.to_string().starts_with("LARDER_LOG must be"));
    }
}
