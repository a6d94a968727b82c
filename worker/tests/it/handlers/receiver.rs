//! The user's application: keeps every message and answers as it is told.

use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;

/// A message as it arrived.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Message {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

type Answer = dyn Fn(usize) -> Response + Send + Sync;

/// An application that listens.
#[derive(Clone)]
pub(super) struct Receiver {
    pub(super) base: String,
    messages: Arc<Mutex<Vec<Message>>>,
    answer: Arc<Answer>,
}

impl Receiver {
    /// Answers the n-th message, from 0 on, with what `answer` makes.
    pub(super) async fn start(answer: impl Fn(usize) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self {
            base: format!("http://{}", listener.local_addr().unwrap()),
            messages: Arc::default(),
            answer: Arc::new(answer),
        };
        let app = axum::Router::new()
            .fallback(receive)
            .with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        receiver
    }

    /// Answers the n-th message with the n-th status, and with the last one from then on.
    pub(super) async fn answering(statuses: &'static [u16]) -> Self {
        Self::start(move |nth| {
            let status = statuses[nth.min(statuses.len() - 1)];
            StatusCode::from_u16(status).unwrap().into_response()
        })
        .await
    }

    pub(super) fn messages(&self) -> Vec<Message> {
        self.messages.lock().unwrap().clone()
    }

    /// Configuration of a target `app` that leads here.
    pub(super) fn section(&self) -> String {
        format!(
            "[webhooks.app]\nurl = '{}/hook?from=larder'\nsecret_env = 'APP_SECRET'\ntimeout = '2s'\n",
            self.base
        )
    }
}

async fn receive(
    State(receiver): State<Receiver>,
    uri: axum::http::Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let message = Message {
        path: uri.to_string(),
        headers,
        body: body.to_vec(),
    };
    let nth = {
        let mut messages = receiver.messages.lock().unwrap();
        messages.push(message);
        messages.len() - 1
    };
    (receiver.answer)(nth)
}
