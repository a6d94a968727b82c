//! What is wrong with a provider's configuration.

use std::fmt;

/// One rule that the configuration of a provider breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderProblem {
    /// The key, below the provider's section: `endpoints.quotes_latest.path`.
    pub key: String,
    /// The value found there.
    pub value: String,
    /// What must hold: "must start with a slash".
    pub rule: String,
    /// Why it must.
    pub reason: String,
}

impl fmt::Display for ProviderProblem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} = {:?} {}: {}",
            self.key, self.value, self.rule, self.reason
        )
    }
}

/// Collects problems, so that one check shows every mistake.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<ProviderProblem>);

impl Problems {
    /// Adds the problem of `key` with this value, the rule it breaks and why the
    /// rule is there.
    pub(super) fn add(
        &mut self,
        key: impl Into<String>,
        value: impl fmt::Display,
        rule: impl Into<String>,
        reason: impl Into<String>,
    ) {
        self.0.push(ProviderProblem {
            key: key.into(),
            value: value.to_string(),
            rule: rule.into(),
            reason: reason.into(),
        });
    }

    /// All problems, if there are any.
    pub(super) fn into_result(self) -> Result<(), Vec<ProviderProblem>> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(self.0)
        }
    }
}
