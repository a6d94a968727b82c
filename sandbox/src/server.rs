//! Accepts connections, and closes some of them on purpose.
//!
//! hyper is driven directly rather than through `axum::serve`, because a service
//! that fails is the one way to close a connection without a byte of answer.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use axum::response::Response;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::admin;
use crate::call::{self, Dropped, World};
use crate::handle::Handle;
use crate::in_flight::Presence;

/// How long calls in flight have to end once the sandbox stops.
const GRACE: Duration = Duration::from_secs(1);

/// Serves until `world.stopping` is cancelled, then lets calls in flight end.
pub(crate) async fn run(listener: TcpListener, world: Arc<World>) {
    let router = Router::new()
        .nest("/_sandbox", admin::routes())
        .fallback(api)
        .with_state(Handle::new(Arc::clone(&world)));
    let connections = TaskTracker::new();
    let kill = CancellationToken::new();
    loop {
        let accepted = world.stopping.run_until_cancelled(listener.accept()).await;
        match accepted {
            None => break,
            Some(Ok((stream, _))) => {
                let serve = serve(stream, router.clone(), world.stopping.clone());
                let kill = kill.clone();
                connections.spawn(async move { kill.run_until_cancelled(serve).await });
            }
            Some(Err(error)) => {
                // Such as too many open files: worth another try a little later.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(GRACE, connections.wait())
        .await
        .is_err()
    {
        kill.cancel();
        connections.wait().await;
    }
}

async fn serve(stream: TcpStream, router: Router, stopping: CancellationToken) {
    // Small answers must not wait for an acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let router = router.clone();
        async move {
            let Ok(response) = router.oneshot(request.map(Body::new)).await;
            match response.extensions().get::<Dropped>() {
                Some(dropped) => Err(*dropped),
                None => Ok(response),
            }
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

async fn api(State(handle): State<Handle>, request: Request<Body>) -> Response {
    let world = Arc::clone(handle.world());
    // Dropped with this future: when the answer is there, or when the caller has gone.
    let presence = Presence::new(&world.in_flight);
    let visit = presence.visit();
    let answered = tokio::spawn(call::answer(world, request, visit)).await;
    answered.ok().and_then(Result::ok).unwrap_or_else(|| {
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(Dropped);
        response
    })
}
