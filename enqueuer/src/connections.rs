//! Accepts connections and serves them, as many as there may be.
//!
//! hyper is driven directly rather than through `axum::serve`: an answer from memory is
//! given before the router is asked, and there is a bound of connections. One that is too
//! many is closed at once, which its client sees as a refusal; what is connected, the
//! database among it, goes on.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::Request;
use axum::response::Response;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::app::App;
use crate::reads;

/// Wait after a failure to accept, which may be that of a client.
const PAUSE: Duration = Duration::from_millis(20);

/// Shortest time between two complaints.
const COMPLAIN: Duration = Duration::from_secs(60);

/// Serves until `stop`, then lets requests in flight end. With `fast`, answers from memory
/// are given without the router.
pub(crate) async fn serve(
    listener: TcpListener,
    routes: Router,
    fast: Option<App>,
    most: usize,
    stop: CancellationToken,
) -> Result<(), std::io::Error> {
    let connections = TaskTracker::new();
    let room = Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
    let mut complained: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let refused = match accepted {
            Ok((stream, address)) => match Arc::clone(&room).try_acquire_owned() {
                Ok(permit) => {
                    let serve = one(stream, address, routes.clone(), fast.clone(), stop.clone());
                    connections.spawn(async move {
                        serve.await;
                        drop(permit);
                    });
                    continue;
                }
                // Dropped, and so closed.
                Err(_) => format!("there are {most} connections, which is all there may be"),
            },
            Err(error) => {
                tokio::time::sleep(PAUSE).await;
                error.to_string()
            }
        };
        if complained.is_none_or(|at| at.elapsed() >= COMPLAIN) {
            complained = Some(Instant::now());
            tracing::warn!(reason = refused, "connections are refused");
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
    Ok(())
}

async fn one(
    stream: TcpStream,
    address: SocketAddr,
    routes: Router,
    fast: Option<App>,
    stop: CancellationToken,
) {
    // Small answers must not wait for an acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let known = fast
            .as_ref()
            .and_then(|app| reads::fast_answer(app, &request));
        let known = known.ok_or_else(|| routes.clone());
        async move {
            let response: Response<Either<Full<Bytes>, Body>> = match known {
                Ok(known) => known.map(Either::Left),
                Err(routes) => {
                    let mut request = request.map(Body::new);
                    request.extensions_mut().insert(ConnectInfo(address));
                    let Ok(response) = routes.oneshot(request).await;
                    response.map(Either::Right)
                }
            };
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .pipeline_flush(true)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        // A client that goes away in the middle of a request is nothing to report.
        _ = connection.as_mut() => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
