//! What only the environment may know.
//!
//! Every secret comes from a variable, or from the file that `NAME_FILE` names,
//! as containers mount them. None is ever in the configuration file, in a message
//! or in `Debug`.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::origin::Origin;
use super::problems::{ConfigErrors, Problem, Problems};

/// Fewest bytes of a secret that programs send us.
const FEWEST_BYTES: usize = 16;

/// Most bytes that are read of a file with a secret.
const MOST_BYTES: u64 = 64 << 10;

/// How the errors of secrets are headed.
const SUBJECT: &str = "the environment";

/// What only the environment may know.
#[derive(Clone)]
pub struct Secrets {
    /// `DATABASE_URL`: where Postgres is. Never print it; see [`without_password`].
    pub database_url: Option<SecretString>,
    /// `DATABASE_LISTEN_URL`: where to listen, if `DATABASE_URL` goes through a
    /// pooler that cannot.
    pub database_listen_url: Option<SecretString>,
    /// `JOBS_API_SECRET`, several separated by commas, and `CRON_SECRET`: each of
    /// them opens `/api`. Empty if neither is set.
    pub jobs_api: Vec<SecretString>,
    /// `READ_API_SECRET`: what readers must send, if anything.
    pub read_api: Option<SecretString>,
    named: BTreeMap<String, SecretString>,
}

impl Secrets {
    /// Reads every secret; `variables` are those that the configuration names, for
    /// providers' keys and for what signs webhooks.
    ///
    /// A variable that is empty counts as not set, since that is how Compose
    /// hands on what it has not got.
    ///
    /// # Errors
    ///
    /// [`ConfigErrors`] with every secret that cannot be used: an unreadable
    /// file, a variable given both ways, a secret that is too short or cannot
    /// stand in a header, a URL that is not one of Postgres. That one is missing
    /// is no error here: `larder up` needs none. See [`Secrets::require`].
    pub fn read<'a>(
        environment: &BTreeMap<String, String>,
        variables: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, ConfigErrors> {
        let mut problems = Problems::default();
        let mut secrets = Self {
            database_url: secret(environment, "DATABASE_URL", &mut problems),
            database_listen_url: secret(environment, "DATABASE_LISTEN_URL", &mut problems),
            jobs_api: Vec::new(),
            read_api: secret(environment, "READ_API_SECRET", &mut problems),
            named: BTreeMap::new(),
        };
        for name in ["JOBS_API_SECRET", "CRON_SECRET"] {
            if let Some(list) = secret(environment, name, &mut problems) {
                secrets.jobs_api.extend(split(name, &list, &mut problems));
            }
        }
        for name in variables {
            if let Some(key) = secret(environment, name, &mut problems) {
                check_header(name, &key, &mut problems);
                secrets.named.insert(name.to_owned(), key);
            }
        }
        secrets.check(&mut problems);
        problems.into_result(SUBJECT)?;
        Ok(secrets)
    }

    /// The key in the variable `name`, if it is set.
    pub fn provider_key(&self, name: &str) -> Option<&SecretString> {
        self.named.get(name)
    }

    /// The secret in the variable `name` that signs messages, if it is set.
    pub fn webhook_secret(&self, name: &str) -> Option<&SecretString> {
        self.named.get(name)
    }

    /// An error that names every variable of `needed` that is not set.
    ///
    /// Each comes with what it is needed for: `("DATABASE_URL", "jobs stand in
    /// Postgres")`.
    ///
    /// # Errors
    ///
    /// [`ConfigErrors`] if any is missing.
    pub fn require(&self, needed: &[(&str, &str)]) -> Result<(), ConfigErrors> {
        let mut problems = Problems::default();
        for (name, reason) in needed {
            let there = match *name {
                "DATABASE_URL" => self.database_url.is_some(),
                "DATABASE_LISTEN_URL" => self.database_listen_url.is_some(),
                "JOBS_API_SECRET" => !self.jobs_api.is_empty(),
                "READ_API_SECRET" => self.read_api.is_some(),
                other => self.named.contains_key(other),
            };
            if !there {
                let rule = format!("must be set, or {name}_FILE");
                refuse(name, &rule, reason, &mut problems);
            }
        }
        problems.into_result(SUBJECT)
    }

    fn check(&self, problems: &mut Problems) {
        for (name, url) in [
            ("DATABASE_URL", &self.database_url),
            ("DATABASE_LISTEN_URL", &self.database_listen_url),
        ] {
            if let Some(url) = url {
                check_database_url(name, url, problems);
            }
        }
        let Some(read) = &self.read_api else { return };
        check_header("READ_API_SECRET", read, problems);
        check_length("READ_API_SECRET", read, "", problems);
        let same = |jobs: &SecretString| jobs.expose_secret() == read.expose_secret();
        if self.jobs_api.iter().any(same) {
            let reason = "whoever may read could otherwise enqueue jobs";
            refuse(
                "READ_API_SECRET",
                "must differ from JOBS_API_SECRET",
                reason,
                problems,
            );
        }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named: Vec<_> = self.named.keys().collect();
        out.debug_struct("Secrets")
            .field("database_url", &self.database_url.is_some())
            .field("database_listen_url", &self.database_listen_url.is_some())
            .field("jobs_api", &self.jobs_api.len())
            .field("read_api", &self.read_api.is_some())
            .field("named", &named)
            .finish()
    }
}

/// Where a database is, without password and parameters, for messages.
pub fn without_password(database_url: &SecretString) -> String {
    let Ok(mut url) = Url::parse(database_url.expose_secret()) else {
        return "(a URL that cannot be read)".to_owned();
    };
    // Fails only for a URL without a host, which has no password either.
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

/// The value of the variable `name`, or the content of the file `NAME_FILE`.
fn secret(
    environment: &BTreeMap<String, String>,
    name: &str,
    problems: &mut Problems,
) -> Option<SecretString> {
    let given = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    let file_name = format!("{name}_FILE");
    let (value, path) = (given(name), given(&file_name));
    if value.is_some() && path.is_some() {
        let rule = format!("must not be set together with {file_name}");
        refuse(
            name,
            &rule,
            "which of the two holds is not defined",
            problems,
        );
        return None;
    }
    if let Some(value) = value {
        return Some(SecretString::from(value.as_str()));
    }
    let path = path?;
    match content(path) {
        Ok(text) if !text.is_empty() => Some(SecretString::from(text)),
        Ok(_) => {
            let reason = format!("{path} is empty");
            refuse(
                &file_name,
                "must name a file with a secret in it",
                &reason,
                problems,
            );
            None
        }
        Err(error) => {
            let reason = format!("{path}: {error}");
            refuse(
                &file_name,
                "must name a file that can be read",
                &reason,
                problems,
            );
            None
        }
    }
}

/// The content of a file, without the one newline that editors put at its end.
fn content(path: &str) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(path)?
        .take(MOST_BYTES)
        .read_to_string(&mut text)?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

/// The secrets of a list separated by commas.
fn split(name: &str, list: &SecretString, problems: &mut Problems) -> Vec<SecretString> {
    let parts = list.expose_secret().split(',').map(str::trim);
    let secrets: Vec<_> = parts
        .filter(|part| !part.is_empty())
        .map(SecretString::from)
        .collect();
    for secret in &secrets {
        check_header(name, secret, problems);
        check_length(name, secret, ", each of several", problems);
    }
    if secrets.is_empty() {
        refuse(
            name,
            "must hold a secret",
            "there is nothing between its commas",
            problems,
        );
    }
    secrets
}

fn check_length(name: &str, secret: &SecretString, several: &str, problems: &mut Problems) {
    if secret.expose_secret().len() < FEWEST_BYTES {
        let rule = format!("must have at least {FEWEST_BYTES} bytes{several}");
        let reason = "it can be tried out over the network; `openssl rand -hex 32` makes one";
        refuse(name, &rule, reason, problems);
    }
}

fn check_header(name: &str, secret: &SecretString, problems: &mut Problems) {
    if !secret
        .expose_secret()
        .bytes()
        .all(|byte| byte.is_ascii_graphic())
    {
        let rule = "must consist of printable ASCII characters without spaces";
        refuse(name, rule, "it could not be sent in a header", problems);
    }
}

fn check_database_url(name: &str, url: &SecretString, problems: &mut Problems) {
    let rule = "must be a URL such as postgres://user:password@host:5432/database";
    match Url::parse(url.expose_secret()) {
        Ok(url) if matches!(url.scheme(), "postgres" | "postgresql") => {}
        Ok(_) => refuse(name, rule, "it does not begin with postgres://", problems),
        Err(error) => {
            let reason = format!(
                "{error}; characters such as @ : / # ? in a password are written as %40 %3A %2F %23 %3F"
            );
            refuse(name, rule, &reason, problems);
        }
    }
}

fn refuse(name: &str, rule: &str, reason: &str, problems: &mut Problems) {
    problems.push(Problem {
        key: name.to_owned(),
        value: None,
        origin: Origin::Environment,
        rule: rule.to_owned(),
        reason: reason.to_owned(),
        suggestion: None,
    });
}
