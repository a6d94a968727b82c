//! The worker's own small HTTP side: is it alive, is it ready, what has it counted.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use shared::store::Store;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Text of all metrics of the process.
pub type RenderMetrics = Arc<dyn Fn() -> String + Send + Sync>;

#[derive(Clone)]
struct App {
    store: Store,
    render: RenderMetrics,
}

/// Serves `/healthz`, `/readyz` and `/metrics` on a bound listener, until `stop`.
pub async fn serve(
    listener: TcpListener,
    store: Store,
    render: RenderMetrics,
    stop: CancellationToken,
) {
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(App { store, render });
    let address: Option<SocketAddr> = listener.local_addr().ok();
    tracing::debug!(?address, "serving health and metrics");
    let served = axum::serve(listener, router)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await;
    if let Err(error) = served {
        tracing::error!(%error, "health and metrics are no longer served");
    }
}

async fn ready(State(app): State<App>) -> Response {
    let checked = match app.store.ping().await {
        Ok(()) => app.store.check_schema().await,
        Err(error) => Err(error),
    };
    match checked {
        Ok(()) => "ready\n".into_response(),
        Err(error) => {
            let why = format!("not ready: {}\n", error.chain());
            (StatusCode::SERVICE_UNAVAILABLE, why).into_response()
        }
    }
}

async fn metrics(State(app): State<App>) -> Response {
    let kind = [("content-type", "text/plain; version=0.0.4; charset=utf-8")];
    (kind, (app.render)()).into_response()
}
