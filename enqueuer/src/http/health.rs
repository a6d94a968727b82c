//! `/healthz` and `/readyz`: is the process alive, and can it do its work?

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use shared::store::StoreError;

use crate::app::App;
use crate::phase::Phase;
use crate::problem::{Kind, Problem};

/// A worker that has not been seen for this long is taken for gone.
const WORKER_SEEN: f64 = 60.0;

#[derive(Serialize, JsonSchema)]
pub(super) struct Health {
    status: &'static str,
}

/// The process answers. Says nothing of the database: restarting heals no database.
pub(super) async fn alive() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// The database can be used, its schema is this release's, and a worker is at work.
pub(super) async fn ready(State(app): State<App>) -> Result<Json<Health>, Problem> {
    match look(&app).await {
        Ok(()) => Ok(Json(Health { status: "ready" })),
        Err(reason) => {
            Err(Problem::new(Kind::NotReady, reason).retry_after(Duration::from_secs(2)))
        }
    }
}

async fn look(app: &App) -> Result<(), String> {
    if let Phase::Starting(reason) = app.phase.get() {
        return Err(reason);
    }
    let seen = async {
        app.store.ping().await?;
        app.store.check_schema().await?;
        app.store.last_worker_secs().await
    };
    match seen.await.map_err(|error: StoreError| error.chain())? {
        Some(ago) if ago <= WORKER_SEEN => Ok(()),
        Some(ago) => Err(format!(
            "the last worker was seen {ago:.0} s ago; start one"
        )),
        None => Err("no worker has been seen; start one".to_owned()),
    }
}
