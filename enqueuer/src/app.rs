//! What every handler shares, and how requests reach the handlers.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use shared::catalog::Catalog;
use shared::config::Config;
use shared::metrics::Recorder;
use shared::store::{Notifier, ResourceCounts, Store, WaitingCounts, Wake};
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;

use crate::census::Census;
use crate::door::Door;
use crate::lists::Lists;
use crate::phase::CurrentPhase;
use crate::problem::{Cause, Kind, Problem};
use crate::reads::{Copies, Demand, Flights, Keeper, Manners, Misses, Renewals};
use crate::{http, metrics_page, reads};

/// What every handler shares. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct App(Arc<Shared>);

/// The parts of an [`App`].
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) store: Store,
    pub(crate) notifier: Notifier,
    pub(crate) wake: Wake,
    pub(crate) recorder: Recorder,
    /// Opens `/api`.
    pub(crate) operators: Door,
    /// Opens `/proxy`; `None` if nothing is asked of readers.
    pub(crate) readers: Option<Door>,
    /// Whether only this machine can connect.
    pub(crate) is_loopback: bool,
    /// Waiting jobs by lane.
    pub(crate) waiting: Census<WaitingCounts>,
    /// Tracked resources by state.
    pub(crate) resources: Census<ResourceCounts>,
    pub(crate) copies: Copies,
    pub(crate) flights: Flights,
    pub(crate) keeper: Keeper,
    pub(crate) manners: Manners,
    pub(crate) misses: Misses,
    pub(crate) renewals: Renewals,
    pub(crate) demand: Demand,
    pub(crate) lists: Lists,
    pub(crate) phase: CurrentPhase,
    /// Cancelled when the server stops.
    pub(crate) stop: CancellationToken,
}

impl App {
    pub(crate) fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }

    pub(crate) fn config(&self) -> &Config {
        self.catalog.config()
    }
}

impl Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// Everything that the API's address answers.
pub(crate) fn router(app: App) -> Router {
    let limit = usize::try_from(app.config().enqueuer.max_body_bytes).unwrap_or(usize::MAX);
    let mut routes = Router::new()
        .merge(http::routes())
        .merge(reads::routes(app.config()));
    if app.config().enqueuer.metrics_listen.is_none() {
        routes = routes.merge(metrics_routes());
    }
    let routes = routes
        .method_not_allowed_fallback(async || {
            Problem::new(Kind::MethodNotAllowed, "the header Allow says which are")
        })
        .fallback(async || Problem::new(Kind::NotFound, "GET /openapi.json lists what there is"))
        .layer(DefaultBodyLimit::max(limit));
    finish(routes, app)
}

/// What the address of `/metrics` answers, where it is another one.
pub(crate) fn metrics_router(app: App) -> Router {
    let routes =
        metrics_routes().fallback(async || Problem::new(Kind::NotFound, "there is only /metrics"));
    finish(routes, app)
}

fn metrics_routes() -> Router<App> {
    Router::new().route("/metrics", get(metrics_page::show))
}

fn finish(routes: Router<App>, app: App) -> Router {
    routes
        .layer(from_fn_with_state(app.clone(), in_time))
        .layer(CatchPanicLayer::custom(
            |_: Box<dyn std::any::Any + Send>| {
                Problem::new(Kind::Internal, "the log of the server says more")
                    .because("a handler panicked".to_owned())
                    .into_response()
            },
        ))
        .layer(from_fn(log))
        .with_state(app)
}

/// Ends what takes longer than `enqueuer.request_timeout`.
async fn in_time(State(app): State<App>, request: Request, next: Next) -> Response {
    let most = app.config().enqueuer.request_timeout;
    match tokio::time::timeout(most, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(
            Kind::TimedOut,
            format!("it took more than {} s", most.as_secs_f64()),
        )
        .into_response(),
    }
}

/// Logs each request, without its query, which may hold a secret.
async fn log(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let path: String = request.uri().path().chars().take(200).collect();
    let response = next.run(request).await;
    let status = response.status().as_u16();
    let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    match response.extensions().get::<Cause>() {
        Some(Cause(cause)) => {
            tracing::warn!(%method, path, status, took_ms, cause, "request failed");
        }
        None => tracing::debug!(%method, path, status, took_ms, "request answered"),
    }
    response
}
