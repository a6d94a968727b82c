//! Prepares the database at start: the schema, and the rows of the configuration.
//!
//! A database that is away, starting or read-only is waited for: the process serves
//! meanwhile, and `/readyz` says why it is not ready. What no waiting heals ends the
//! start: a login or a name that is wrong, a schema of a later release.

use std::time::Duration;

use shared::config::Secrets;
use shared::store::{Store, StoreError};

use crate::app::App;
use crate::phase::Phase;

/// Wait before the second try.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// Longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Longest time for a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// Prepares the database, however long it takes; returns early when the server stops.
///
/// # Errors
///
/// What no waiting heals.
pub(crate) async fn prepare(app: &App, url: &str, secrets: &Secrets) -> Result<(), StoreError> {
    let mut wait = FIRST_WAIT;
    loop {
        let error = match attempt(app, url, secrets).await {
            Ok(()) => {
                app.phase.set(Phase::Prepared);
                tracing::info!("the database is prepared");
                return Ok(());
            }
            Err(error) => error,
        };
        if is_hopeless(&error) {
            return Err(error);
        }
        let reason = error.chain();
        // Once for each reason: the same line every few seconds says nothing new.
        if app.phase.set(Phase::Starting(reason.clone())) {
            tracing::warn!(reason, "waiting for the database");
        }
        let slept = app.stop.run_until_cancelled(tokio::time::sleep(wait)).await;
        if slept.is_none() {
            return Ok(());
        }
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

async fn attempt(app: &App, url: &str, secrets: &Secrets) -> Result<(), StoreError> {
    Store::reach(url, CONNECT).await?;
    app.store.ping().await?;
    app.store.migrate().await?;
    let lanes = app.catalog.lanes(secrets);
    app.store.sync_all(&lanes, &app.catalog.wanted()).await
}

fn is_hopeless(error: &StoreError) -> bool {
    error.is_misconfigured() || matches!(error, StoreError::TooNew { .. } | StoreError::Migrate(_))
}
