//! What `larder up` makes up for what the environment does not say.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sandbox::{Sandbox, SandboxConfig};
use shared::catalog::Catalog;
use uuid::Uuid;

use crate::cli::Failure;
use crate::commands::sandbox::DEFAULT_KEY;
use crate::postgres::{Durability, PrivatePostgres};

/// Where the sandbox listens.
const SANDBOX: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8082);

/// Where the providers stand that the sandbox can stand in for.
const COINMARKETCAP: &str = "https://pro-api.coinmarketcap.com";

/// What was started, or made, because the environment did not name one.
pub(crate) struct MadeUp {
    postgres: Option<PrivatePostgres>,
    sandbox: Option<Sandbox>,
    /// The file with the secret that was made.
    secret_file: Option<PathBuf>,
}

impl MadeUp {
    /// Starts what is missing, and tells `environment` of it.
    pub(crate) async fn start(
        directory: &Path,
        catalog: &Catalog,
        environment: &mut BTreeMap<String, String>,
    ) -> Result<Self, Failure> {
        let mut made_up = Self {
            postgres: None,
            sandbox: None,
            secret_file: None,
        };
        if !is_set(environment, "JOBS_API_SECRET") && !is_set(environment, "CRON_SECRET") {
            let file = secret_file(directory)?;
            environment.insert(
                "JOBS_API_SECRET_FILE".to_owned(),
                file.display().to_string(),
            );
            made_up.secret_file = Some(file);
        }
        let keyless = keyless(catalog, environment);
        if !keyless.is_empty() {
            let sandbox = start_sandbox(environment).await?;
            for (base_url, key) in keyless {
                environment.insert(base_url, sandbox.url());
                environment.insert(key, DEFAULT_KEY.to_owned());
            }
            made_up.sandbox = Some(sandbox);
        }
        if !is_set(environment, "DATABASE_URL") {
            let postgres = PrivatePostgres::start(directory, Durability::Full).await?;
            environment.insert("DATABASE_URL".to_owned(), postgres.url());
            made_up.postgres = Some(postgres);
        }
        Ok(made_up)
    }

    /// URL of the private Postgres.
    pub(crate) fn database_url(&self) -> Option<String> {
        self.postgres.as_ref().map(PrivatePostgres::url)
    }

    /// URL of the sandbox.
    pub(crate) fn sandbox_url(&self) -> Option<String> {
        self.sandbox.as_ref().map(Sandbox::url)
    }

    /// The file with the secret that was made.
    pub(crate) fn secret_file(&self) -> Option<&Path> {
        self.secret_file.as_deref()
    }

    /// Waits for the end of what should not end.
    pub(crate) async fn ends(&mut self) -> Failure {
        match &mut self.postgres {
            Some(postgres) => Failure::from(postgres.ends().await),
            None => std::future::pending().await,
        }
    }

    /// Stops what was started, the database last.
    pub(crate) async fn stop(self) {
        if let Some(sandbox) = self.sandbox {
            sandbox.stop().await;
        }
        if let Some(postgres) = self.postgres {
            postgres.stop().await;
        }
    }
}

fn is_set(environment: &BTreeMap<String, String>, name: &str) -> bool {
    [name.to_owned(), format!("{name}_FILE")]
        .iter()
        .any(|name| environment.get(name).is_some_and(|value| !value.is_empty()))
}

/// The providers that the sandbox stands in for: those that would call CoinMarketCap
/// itself and have no key. For each, the variables that set its base URL and its key.
fn keyless(catalog: &Catalog, environment: &BTreeMap<String, String>) -> Vec<(String, String)> {
    catalog
        .providers()
        .filter(|provider| provider.config().base_url.trim_end_matches('/') == COINMARKETCAP)
        .filter_map(|provider| {
            let key = provider.config().key_env.clone()?;
            let name = provider.name().as_str().to_ascii_uppercase();
            (!is_set(environment, &key))
                .then(|| (format!("LARDER__PROVIDERS__{name}__BASE_URL"), key))
        })
        .collect()
}

async fn start_sandbox(environment: &BTreeMap<String, String>) -> Result<Sandbox, Failure> {
    let address = match environment.get("LARDER_SANDBOX_LISTEN") {
        Some(given) => given.parse().map_err(|_| {
            Failure::new("LARDER_SANDBOX_LISTEN must be an address such as 127.0.0.1:8082")
        })?,
        None => SANDBOX,
    };
    Sandbox::start(address, SandboxConfig::default())
        .await
        .map_err(|error| {
            Failure::from(&error).with_help(format!(
                "{address} is taken: set LARDER_SANDBOX_LISTEN to another address, \
                 or CMC_API_KEY to call CoinMarketCap itself"
            ))
        })
}

/// The file with the secret, made at the first start and kept.
fn secret_file(directory: &Path) -> Result<PathBuf, Failure> {
    let home = directory.join(".larder");
    let file = home.join("jobs-api-secret");
    let made = || -> std::io::Result<()> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o711)
            .create(&home)?;
        let mut secret = match std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&file)
        {
            Ok(secret) => secret,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(()),
            Err(error) => return Err(error),
        };
        // Two random uuids: 244 random bits.
        let text = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        secret.write_all(text.as_bytes())
    };
    made().map_err(|error| {
        Failure::new(format!("cannot write {}: {error}", file.display()))
            .with_help("run larder up where you may write, or set JOBS_API_SECRET")
    })?;
    Ok(file)
}
