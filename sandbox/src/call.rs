//! One call, from its arrival to its answer.
//!
//! 1. **Travel**: scripted trouble may drop the request or keep it on its way.
//! 2. **Decide**, without waiting for anything: parameters and cost are worked
//!    out, then the ledger counts the request and charges or refuses it.
//! 3. **Answer**, as late and as damaged as scripted.
//!
//! The steps run in a task of their own, so that a caller who gives up does not
//! stop a request that is on its way: it still arrives and is counted, as in life.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, Uri, header};
use axum::response::Response;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::catalogue::Catalogue;
use crate::config::KeyInfoForm;
use crate::endpoints::Endpoint;
use crate::envelope::Status;
use crate::fault::Fault;
use crate::in_flight::{InFlight, Visit};
use crate::ledger::{Ask, Ledger};
use crate::market::Market;
use crate::query::Query;
use crate::reply::Reply;
use crate::trouble::CreditReport;
use crate::trouble::board::Board;
use crate::trouble::script::Script;

const KEY_HEADER: &str = "X-CMC_PRO_API_KEY";

/// Everything that a running sandbox consists of.
pub(crate) struct World {
    pub(crate) catalogue: Catalogue,
    pub(crate) ledger: Ledger,
    pub(crate) board: Board,
    pub(crate) seed: u64,
    pub(crate) price_step_ms: i64,
    pub(crate) key_info_form: KeyInfoForm,
    /// Calls that have arrived and are not answered yet.
    pub(crate) in_flight: Arc<InFlight>,
    /// Cancelled when the sandbox stops: nothing sleeps any longer.
    pub(crate) stopping: CancellationToken,
}

impl World {
    /// Waits, unless the sandbox stops.
    async fn pause(&self, how_long: Duration) {
        if !how_long.is_zero() {
            let _ = self
                .stopping
                .run_until_cancelled(tokio::time::sleep(how_long))
                .await;
        }
    }
}

/// Tells the server to close the connection without a byte of answer.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the connection is dropped on purpose")]
pub(crate) struct Dropped;

/// Takes one request and answers it, or not.
pub(crate) async fn answer(
    world: Arc<World>,
    request: Request<Body>,
    visit: Visit,
) -> Result<Response, Dropped> {
    let (parts, _) = request.into_parts();
    let script = world.board.take(parts.uri.path());
    if script.drop_before {
        return Err(Dropped);
    }
    world.pause(script.transit).await;
    let in_flight = visit.arrive();
    let reply = decide(
        &world,
        &parts.method,
        &parts.uri,
        &parts.headers,
        &script,
        in_flight,
    );
    if script.drop_after {
        return Err(Dropped);
    }
    world.pause(script.latency).await;
    Ok(reply.into_response(&parts.headers, &script))
}

/// Counts the request and works its answer out.
fn decide(
    world: &World,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    script: &Script,
    in_flight: u64,
) -> Reply {
    let started = Instant::now();
    let path = uri.path();
    let (query, key_parameter) = Query::parse(uri);
    let key_header = headers.get(KEY_HEADER).and_then(|key| key.to_str().ok());
    let market = Market::new(
        &world.catalogue,
        world.seed,
        world.price_step_ms,
        world.ledger.clock().now().wall,
    );
    let prepared = match Endpoint::at(path) {
        None => Err(Fault::of_status(404)),
        Some(_) if method != Method::GET => Err(Fault::of_status(405)),
        Some(endpoint) => {
            query.and_then(|query| endpoint.prepare(&query, market, world.key_info_form))
        }
    };

    let wanted = prepared.as_ref();
    let verdict = world.ledger.admit(Ask {
        path,
        key: key_header.or(key_parameter.as_deref()),
        wanted: wanted
            .map(|prepared| (prepared.credits, prepared.asked.clone()))
            .map_err(Clone::clone),
        scripted: script.fault.clone(),
        trouble: script.names.clone(),
        in_flight,
    });

    let dialect = Endpoint::dialect_of(path);
    let (http, mut status, data) = match (verdict.outcome, prepared) {
        (Ok(credits), Ok(prepared)) => {
            let status = Status {
                dialect,
                at: verdict.at,
                elapsed_ms: 0,
                code: 0,
                message: None,
                credit_count: Some(json!(credits)),
                notice: verdict.usage.notice(),
            };
            let data = (prepared.data)(&verdict.usage);
            (StatusCode::OK, status, Some(data))
        }
        (Err(fault), _) | (Ok(_), Err(fault)) => {
            let status = Status::of_fault(&fault, dialect, verdict.at);
            (fault.status, status, None)
        }
    };
    status.elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let as_scripted = script
        .fault
        .as_ref()
        .is_some_and(|fault| fault.status == http);
    if http != StatusCode::OK && !as_scripted {
        // A refusal of the ledger's own, which the script does not replace.
        return Reply::json(http, status.body(None));
    }
    let data = data.map(|data| damaged(&mut status, data, script));
    let mut reply = Reply::json(http, status.body(data.as_deref()));
    if let Some((content_type, body)) = &script.body {
        reply.content_type = content_type;
        reply.body = body.clone().into_bytes();
    }
    if let Some(retry_after) = script.retry_after {
        let value = retry_after.header(verdict.at);
        reply.headers.push((header::RETRY_AFTER.to_string(), value));
    }
    reply
}

/// Changes the envelope of a success as scripted; returns its data.
fn damaged(status: &mut Status, data: String, script: &Script) -> String {
    if let Some((code, message)) = &script.error_in_success {
        status.code = *code;
        status.message = Some(message.clone());
    }
    match &script.credit_count {
        None => {}
        Some(CreditReport::Missing) => status.credit_count = None,
        Some(CreditReport::Value(value)) => status.credit_count = Some(value.clone()),
        Some(CreditReport::Times(times)) => {
            let real = status.credit_count.as_ref().and_then(Value::as_u64);
            status.credit_count = Some(json!(real.unwrap_or(0) * times));
        }
    }
    match (script.empty, data.starts_with('[')) {
        (true, true) => "[]".to_owned(),
        (true, false) => "{}".to_owned(),
        (false, _) => data,
    }
}
