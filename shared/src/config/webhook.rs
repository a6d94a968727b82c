//! `[webhooks.x]`: addresses of the user's application that are told what changed.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::problems::Problems;
use super::shown::is_variable;

/// `[webhooks.x]`: one address that jobs of the kind `webhook` can name.
///
/// Jobs carry the name and never the address, so that whoever may enqueue cannot make
/// a worker call whatever it can reach.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookTarget {
    /// Where messages are sent to. Kept out of logs and rows: a path or a query can be
    /// what keeps strangers out.
    pub url: String,

    /// The variable that holds the secret which signs messages: `whsec_` and base64,
    /// or any text.
    pub secret_env: String,

    /// Deadline for one message, from connecting to the answer.
    #[serde(with = "humantime_serde", default = "usual_timeout")]
    #[schemars(with = "String")]
    pub timeout: Duration,
}

fn usual_timeout() -> Duration {
    Duration::from_secs(10)
}

impl WebhookTarget {
    /// Adds to `problems` every rule that the table at `path` breaks.
    pub(super) fn check(&self, path: &str, handler_timeout: Duration, problems: &mut Problems) {
        let key = |name: &str| format!("{path}.{name}");
        if let Err((rule, reason)) = check_url(&self.url) {
            problems.refuse(&key("url"), rule, reason);
        }
        if !is_variable(&self.secret_env) {
            problems.refuse(
                &key("secret_env"),
                "must be the name of a variable: capital letters, digits and _",
                "a secret must never stand in the configuration itself",
            );
        }
        problems.within(
            &key("timeout"),
            self.timeout,
            Duration::from_millis(100)..=Duration::from_secs(600),
            "no message arrives in no time, and one without end holds its slot",
        );
        if self.timeout > handler_timeout {
            problems.contradiction(
                &key("timeout"),
                self.timeout,
                "must be at most",
                ("worker.handler_timeout", handler_timeout),
                "the handler would be dropped before its message is answered",
            );
        }
    }
}

fn check_url(url: &str) -> Result<(), (&'static str, &'static str)> {
    let url = Url::parse(url).map_err(|_| {
        (
            "must be a URL, such as https://app.example.com/webhooks/larder",
            "messages go there",
        )
    })?;
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback) {
        return Err((
            "must start with https:// unless the host is this machine",
            "messages would travel readable by others",
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err((
            "must not hold a name or password",
            "the signature says who sends; secrets come from the environment or a file only",
        ));
    }
    if url.fragment().is_some() {
        return Err(("must not have a fragment", "it would never be sent"));
    }
    Ok(())
}
