//! The database: whether it answers, and whether what Larder keeps in it is in order.

use shared::setup::Setup;
use shared::store::{DatabaseHealth, SchemaAge, SchemaHealth, Store, StoreError};

use super::findings::Findings;
use super::{notifications, server};
use crate::commands::connect::CONNECT;

/// Days of partitions that should stand ahead at least; workers make eight.
const FEWEST_DAYS: i64 = 3;

/// Dead rows for each live one at which the queue is slow to read.
const MANY_DEAD: f64 = 5.0;

/// Looks at the database; answers it if it can be used.
pub(super) async fn look(setup: &Setup, url: &str, findings: &mut Findings) -> Option<Store> {
    if let Err(error) = Store::reach(url, CONNECT).await {
        let help = match error.is_misconfigured() {
            true => "check DATABASE_URL: user, password, host, port and database",
            false => "start Postgres, or look whether a firewall stands between",
        };
        findings.bad("database", &error.chain(), help);
        return None;
    }
    let store = Store::connect_lazy(url, 2).ok()?;
    let health = server::look(&store, findings).await?;
    notifications::look(setup, url, &store, findings).await;
    match store.schema_age().await {
        Ok(age) => {
            match age {
                SchemaAge::Current => findings.good("schema", "is this release's"),
                SchemaAge::Ahead { version } => {
                    let found = format!("is a later release's, with migration {version}");
                    findings.warn("schema", &found, "bring this process to that release too");
                }
            }
            schema(&store, &health, findings).await;
        }
        Err(StoreError::NotMigrated) => {
            let found = "is not there, or is an earlier release's";
            findings.bad("schema", found, "larder init brings it up to date");
        }
        Err(error) => {
            let help = "run the release that made it, or a later one";
            findings.bad("schema", &error.chain(), help);
        }
    }
    Some(store)
}

async fn schema(store: &Store, health: &DatabaseHealth, findings: &mut Findings) {
    match store.schema_health().await {
        Ok(found) => tables(&found, health, findings),
        Err(error) => {
            let help = "grant what is missing: larder init --roles, as the owner";
            findings.warn("schema", &error.chain(), help);
        }
    }
    match store.last_worker_secs().await {
        Ok(Some(ago)) if ago <= 60.0 => {
            findings.good("workers", &format!("one was seen {ago:.0} s ago"));
        }
        Ok(_) => {
            let found = "none was seen within the last minute";
            findings.warn("workers", found, "start one: worker, or larder up");
        }
        Err(error) => findings.warn("workers", &error.chain(), "see above"),
    }
}

fn tables(found: &SchemaHealth, health: &DatabaseHealth, findings: &mut Findings) {
    let days = format!("stand for {} days ahead", found.days_ahead);
    match found.days_ahead < FEWEST_DAYS {
        true => findings.warn("partitions", &days, "start a worker: it makes them"),
        false => findings.good("partitions", &days),
    }
    if found.misplaced_rows > 0 {
        let rows = format!("{} rows stand in a default one", found.misplaced_rows);
        let help = "nothing is lost; workers prune them like the others";
        findings.warn("partitions", &rows, help);
    }
    if !found.has_view {
        let found = "public.background_jobs is not Larder's view";
        let help = "rename what is called so, then larder init: docs/from-the-old-scheduler.md";
        findings.warn("view", found, help);
    }
    if found.open_tables > 0 && health.owns_schema {
        let tables = format!("{} tables lack row level security", found.open_tables);
        let help = "turn it on again: alter table … enable row level security";
        findings.warn("rights", &tables, help);
    }
    if found.dead_share > MANY_DEAD {
        let rows = format!(
            "the queue has {:.0} dead rows for each live one",
            found.dead_share
        );
        let help = "look for a long transaction, then: vacuum larder.jobs";
        findings.warn("vacuum", &rows, help);
    }
}
