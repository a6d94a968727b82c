//! Which database a command is about.
//!
//! `DATABASE_URL` names it; without it, the private Postgres of a `larder up` that runs
//! in this directory is taken, so that in a second terminal the same commands work.

use std::time::Duration;

use std::path::PathBuf;

use secrecy::ExposeSecret;
use shared::config::{Secrets, environment};
use shared::store::{Store, StoreError};

use crate::cli::Failure;
use crate::postgres::running_url;

/// `DATABASE_URL`, from the environment or its files.
pub(super) fn environment_url() -> Result<Option<String>, Failure> {
    let environment = environment(&here()?).map_err(|error| Failure::from(&error))?;
    let secrets = Secrets::read(&environment, []).map_err(|error| Failure::from(&error))?;
    let url = secrets.database_url.as_ref();
    Ok(url.map(|url| url.expose_secret().to_owned()))
}

fn here() -> Result<PathBuf, Failure> {
    std::env::current_dir().map_err(|error| Failure::from(&error))
}

/// Longest time for one try to connect.
pub(super) const CONNECT: Duration = Duration::from_secs(5);

/// The database, found to answer and to have the schema of this release.
pub(super) async fn store() -> Result<Store, Failure> {
    let url = match environment_url()? {
        Some(url) => Some(url),
        None => running_url(&here()?),
    };
    let url = url.ok_or_else(|| {
        Failure::new("DATABASE_URL is not set, and no larder up runs in this directory")
            .with_help("set DATABASE_URL, or start larder up here in another terminal")
    })?;
    let opened = async {
        // Says what is wrong with a connection, where the pool would only say that it waited.
        Store::reach(&url, CONNECT).await?;
        let store = Store::connect_lazy(&url, 2)?;
        store.check_schema().await?;
        Ok(store)
    };
    opened.await.map_err(|error: StoreError| failure(&error))
}

/// An error of the store as people see it.
pub(super) fn failure(error: &StoreError) -> Failure {
    let failure = Failure::new(error.chain());
    match error {
        StoreError::NotMigrated => failure.with_help("larder init makes the schema"),
        _ if error.is_misconfigured() => {
            failure.with_help("check DATABASE_URL: user, password, host, port and database")
        }
        _ => failure,
    }
}
