//! A provider to measure admissions with: ten limits, all of them wide enough, and the
//! sandbox behind it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sandbox::{Sandbox, SandboxConfig};
use shared::model::{Priority, ProviderName, ResourceSpec};
use shared::provider::Provider;
use shared::setup::Setup;
use shared::store::{JobRequest, Store};

use super::place::Place;
use crate::cli::Failure;
use crate::commands::connect::failure;

/// The lane that is measured.
pub(super) const OPEN: &str = "coinmarketcap";

/// A lane beside it, to be closed.
pub(super) const CLOSED: &str = "beside";

/// Limits of every kind, of both units, in several zones.
const CONFIGURATION: &str = r#"
[providers.coinmarketcap.cache]
# What a measurement reads stays fresh for as long as it takes.
fresh_for = "12h"
[providers.coinmarketcap.budget]
reconcile_every = "0s"
[providers.coinmarketcap.limits]
minute = { unit = "requests", cap = 100_000_000, window = { rolling = "60s" } }
ten_minutes = { unit = "credits", cap = 100_000_000, window = { rolling = "10m" } }
any_hour = { unit = "credits", cap = 100_000_000, window = { rolling = "1h" } }
in_flight = { unit = "requests", cap = 1_000, window = { concurrency = true } }
hour = { unit = "requests", cap = 100_000_000, window = { calendar = "hour", zone = "UTC" } }
day = { unit = "credits", cap = 100_000_000, window = { calendar = "day", zone = "America/New_York" } }
day_requests = { unit = "requests", cap = 100_000_000, window = { calendar = "day", zone = "Asia/Tokyo", at = "09:00" } }
month = { unit = "credits", cap = 100_000_000, window = { calendar = "month", zone = "UTC", day = 5, at = "05:30" } }
month_requests = { unit = "requests", cap = 100_000_000, window = { calendar = "month", zone = "Europe/Berlin" } }
told = { unit = "credits", cap = 100_000_000, window = { calendar = "day", zone = "UTC" }, soft = true }

[providers.beside]
preset = "coinmarketcap"
[providers.beside.budget]
reconcile_every = "0s"
"#;

/// Jobs in one transaction that enqueues.
const CHUNK: usize = 5_000;

/// A sandbox, and a configuration whose providers call it.
pub(super) struct Upstream {
    pub(super) sandbox: Sandbox,
    pub(super) setup: Setup,
    pub(super) store: Store,
}

impl Upstream {
    /// Starts a sandbox that refuses nothing, and brings the configuration into rows.
    pub(super) async fn start(place: &Place) -> Result<Self, Failure> {
        Self::start_with(place, SandboxConfig::default().coins).await
    }

    /// The same, with a sandbox that knows so many coins.
    pub(super) async fn start_with(place: &Place, coins: usize) -> Result<Self, Failure> {
        let config = SandboxConfig {
            enforce: false,
            coins,
            ..SandboxConfig::default()
        };
        let key = config.keys.first().cloned().unwrap_or_default();
        let sandbox = Sandbox::start("127.0.0.1:0", config)
            .await
            .map_err(|error| Failure::from(&error))?;
        let setup = setup(place, &sandbox.url(), key)?;
        let store = place.store(2)?;
        let lanes = setup.catalog.lanes(&setup.secrets);
        let synced = store.sync_all(&lanes, &setup.catalog.wanted()).await;
        synced.map_err(|error| failure(&error))?;
        Ok(Self {
            sandbox,
            setup,
            store,
        })
    }

    /// The provider of the lane that is measured.
    pub(super) fn provider(&self) -> Result<&Arc<Provider>, Failure> {
        let provider = self.setup.catalog.provider(OPEN);
        provider.ok_or_else(|| Failure::new("the provider is missing"))
    }

    /// Enqueues a refresh of each resource of a lane.
    pub(super) async fn fill(
        &self,
        lane: &str,
        resources: impl Iterator<Item = String>,
    ) -> Result<(), Failure> {
        let mut requests = Vec::with_capacity(CHUNK);
        for path in resources {
            requests.push(refresh(self.resource(lane, &path)?));
            if requests.len() == CHUNK {
                self.enqueue(&requests).await?;
                requests.clear();
            }
        }
        self.enqueue(&requests).await
    }

    /// Enqueues refreshes.
    pub(super) async fn enqueue(&self, requests: &[JobRequest]) -> Result<(), Failure> {
        let enqueued = self.store.enqueue(requests).await;
        enqueued.map(drop).map_err(|error| failure(&error))
    }

    /// The resource of a lane at a path with parameters.
    pub(super) fn resource(&self, lane: &str, path: &str) -> Result<ResourceSpec, Failure> {
        let resource = self.setup.catalog.resource(&format!("{lane}:{path}"));
        resource.map_err(|error| Failure::from(&error))
    }

    /// The name of a lane, as the store takes it.
    pub(super) fn name(lane: &str) -> Result<ProviderName, Failure> {
        let name = lane.parse();
        name.map_err(|_| Failure::new("the lane's name is none"))
    }
}

/// A page of the listing: no other job can share its call.
pub(super) fn page(nth: u32) -> String {
    let (start, limit) = (nth % 5_000 + 1, nth / 5_000 + 1);
    format!("/v3/cryptocurrency/listings/latest?start={start}&limit={limit}")
}

/// A planned refresh, due at once, that nothing in the cache satisfies.
pub(super) fn refresh(resource: ResourceSpec) -> JobRequest {
    JobRequest {
        kind: "refresh".to_owned(),
        resource: Some(resource),
        args: serde_json::json!({}),
        class: "operator",
        priority: Priority::PLANNED,
        run_at: None,
        max_attempts: 5,
        must_be_newer: true,
    }
}

/// Writes the configuration into a directory, for a process that reads it.
pub(super) fn write_configuration(directory: &Path) -> Result<PathBuf, Failure> {
    let file = directory.join("larder.toml");
    std::fs::write(&file, CONFIGURATION).map_err(|error| Failure::from(&error))?;
    Ok(file)
}

/// A configuration is always read from a file; it is not needed after that.
fn setup(place: &Place, upstream: &str, key: String) -> Result<Setup, Failure> {
    let dir = tempfile::tempdir().map_err(|error| Failure::from(&error))?;
    let file = write_configuration(dir.path())?;
    let mut environment = BTreeMap::from([
        ("DATABASE_URL".to_owned(), place.database().url().to_owned()),
        ("CMC_API_KEY".to_owned(), key),
    ]);
    for lane in [OPEN, CLOSED] {
        let variable = format!("LARDER__PROVIDERS__{}__BASE_URL", lane.to_uppercase());
        environment.insert(variable, upstream.to_owned());
    }
    Setup::from_environment(environment, dir.path(), Some(file))
        .map_err(|error| Failure::from(&error))
}
