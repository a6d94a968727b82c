//! The short way: a fresh answer that was put together before, and nothing else.
//!
//! Taken before the router, so that the common read costs a look into a table and a copy of
//! some headers. Whatever is not common (a preference, an origin, an answer that has to be
//! renewed, fetched, composed or compressed first, a wrong secret, the first one after a pause) goes the whole way, which
//! would give the same answer.

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Request, header};
use axum::response::Response;
use http_body_util::Full;

use super::answer::Wish;
use super::directives::Directives;
use crate::app::App;
use crate::door::bearer;

/// The answer to a request, if it can be given at once.
pub(crate) fn answer<B>(app: &App, request: &Request<B>) -> Option<Response<Full<Bytes>>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return None;
    }
    let words = request.uri().path_and_query()?.as_str();
    if !words.starts_with("/proxy/") || app.copies.attention.is_paused() {
        return None;
    }
    let answer = app.copies.answer(words)?;
    let mut directives = Directives::default();
    let mut wish = Wish::default();
    for (name, value) in request.headers() {
        if *name == header::CACHE_CONTROL {
            directives.add(value);
        } else if *name == header::ACCEPT_ENCODING {
            wish.coding = Some(value);
        } else if *name == header::IF_NONE_MATCH {
            wish.if_none_match = Some(value);
        } else if *name == header::ORIGIN || name.as_str() == "prefer" {
            return None;
        }
    }
    if !may_read(app, words, request.headers()) {
        return None;
    }
    let now = app.copies.now();
    if !answer.serves(now, &directives) {
        return None;
    }
    let response = answer.respond_at_once(now, &wish)?;
    answer.count(now);
    app.copies.attention.note_read();
    for state in answer.parts() {
        app.demand.count(&state.counter);
        state.note_read();
    }
    tracing::debug!(path = request.uri().path(), "answered from memory");
    Some(response)
}

/// Whether the right secret is shown, where one is needed.
fn may_read(app: &App, words: &str, headers: &HeaderMap) -> bool {
    let Some(door) = &app.readers else {
        return true;
    };
    let name = words["/proxy/".len()..]
        .split('/')
        .next()
        .unwrap_or_default();
    let own = app.catalog.provider(name);
    let own = own.and_then(|provider| provider.config().auth.header.as_deref());
    let own = own.and_then(|own| headers.get(own));
    let own = own.map(axum::http::HeaderValue::as_bytes);
    let mut shown = [&[][..]; 2];
    let mut count = 0;
    for secret in bearer(headers).into_iter().chain(own) {
        shown[count] = secret;
        count += 1;
    }
    count > 0 && door.is_right(&shown[..count])
}
