//! Sends one request for one reservation.
//!
//! The client never sends twice on its own: no retry, no redirect (a 3xx is an
//! outcome), HTTP/1.1 only, no proxy of the system. It refuses to send once `send_by`
//! has passed, checked directly before the send: a worker that was frozen past its
//! lease must not spend what others count on.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use shared::config::ProviderSection;
use shared::provider::CallRequest;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::clock::Moment;

/// A complete reply, decompressed.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// Why a call gave no complete reply. Never contains a URL: a query may carry a key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// The lease may have run out before the request was handed over.
    #[error("not sent: the lease was about to run out")]
    TooLate,

    /// The lease was lost, or the process stops, before the request was handed over.
    #[error("not sent: stopped before sending")]
    Stopped,

    /// The connection was never established, so nothing was charged.
    #[error("cannot connect")]
    Connect(#[source] reqwest::Error),

    /// The configuration has no such request any more.
    #[error("not sent: the configuration does not know this request")]
    Unaskable,

    /// The request could not even be built.
    #[error("cannot build the request")]
    Build(#[source] reqwest::Error),

    /// No complete reply before the deadline. The provider may have charged.
    #[error("no complete answer in time")]
    Timeout,

    /// No complete reply before the process had to end. The provider may have charged.
    #[error("no complete answer before the worker had to stop")]
    GivenUp,

    /// The connection broke after the request was handed over.
    #[error("the connection broke")]
    Broken(#[source] reqwest::Error),

    /// The reply is larger than any answer may be.
    #[error("the answer has more than {max} bytes")]
    TooLarge { max: u64 },
}

impl CallError {
    /// All that [`Self::outcome`] can be, beside `bad_request`, which replies can be too.
    pub(crate) const OUTCOMES: [&str; 5] =
        ["not_sent", "connect", "timeout", "broken", "too_large"];

    /// What stands in the ledger; a closed set.
    pub(crate) fn outcome(&self) -> &'static str {
        match self {
            Self::TooLate | Self::Stopped => "not_sent",
            Self::Connect(_) => "connect",
            Self::Unaskable | Self::Build(_) => "bad_request",
            Self::Timeout | Self::GivenUp => "timeout",
            Self::Broken(_) => "broken",
            Self::TooLarge { .. } => "too_large",
        }
    }

    /// Whether the request provably never left. When unsure, no.
    pub(crate) fn was_not_sent(&self) -> bool {
        matches!(
            self,
            Self::TooLate | Self::Stopped | Self::Unaskable | Self::Connect(_) | Self::Build(_)
        )
    }

    /// The error with its causes on one line.
    pub(crate) fn in_words(&self) -> String {
        let mut words = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            words.push_str(": ");
            words.push_str(&cause.to_string());
            source = cause.source();
        }
        words
    }
}

/// Why a provider cannot be called at all.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Its base URL cannot be read.
    #[error("providers.{provider}.base_url cannot be read as a URL")]
    BadUrl {
        /// Which provider.
        provider: String,
    },
    /// A header of the configuration is none.
    #[error("providers.{provider}.headers: {name} is not a header, or its value cannot be sent")]
    BadHeader {
        /// Which provider.
        provider: String,
        /// Name of the header.
        name: String,
    },
    /// TLS or the resolver could not be set up.
    #[error("cannot set up the HTTP client")]
    SetUp(#[source] reqwest::Error),
}

/// How long calls may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) connect_timeout: Duration,
    pub(crate) call_timeout: Duration,
    pub(crate) first_byte_timeout: Duration,
    pub(crate) max_body_bytes: u64,
}

/// Calls one provider.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    key: Option<SecretString>,
    /// The key, and the query parameter that it goes into.
    query_key: Option<(String, SecretString)>,
    limits: Limits,
}

impl Client {
    /// A client for one provider. `key` goes only where its configuration says.
    ///
    /// # Errors
    ///
    /// [`ClientError`], for what no call could ever be sent with.
    pub(crate) fn new(
        name: &str,
        section: &ProviderSection,
        key: Option<&SecretString>,
        limits: Limits,
    ) -> Result<Self, ClientError> {
        // Fails when another part of the process was first, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = &section.provider;
        let base = Url::parse(&config.base_url).map_err(|_| ClientError::BadUrl {
            provider: name.to_owned(),
        })?;
        let mut headers = HeaderMap::new();
        for (header, value) in &config.headers {
            let (header, value) = parse_header(name, header, value)?;
            headers.insert(header, value);
        }
        let mut query_key = None;
        if let Some(key) = key {
            let secret = key.expose_secret();
            if let Some(header) = &config.auth.header {
                let (header, mut value) = parse_header(name, header, secret)?;
                value.set_sensitive(true);
                headers.insert(header, value);
            } else if config.auth.bearer {
                let bearer = format!("Bearer {secret}");
                let (header, mut value) = parse_header(name, "authorization", &bearer)?;
                value.set_sensitive(true);
                headers.insert(header, value);
            } else if let Some(parameter) = &config.auth.query {
                query_key = Some((parameter.clone(), key.clone()));
            }
        }
        let http = reqwest::Client::builder()
            .user_agent(concat!("larder/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .retry(reqwest::retry::never())
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .http1_only()
            .connect_timeout(limits.connect_timeout)
            .timeout(limits.call_timeout)
            .tcp_user_timeout(section.budget.max_transit)
            .build()
            .map_err(ClientError::SetUp)?;
        Ok(Self {
            http,
            base,
            key: key.cloned(),
            query_key,
            limits,
        })
    }

    /// Sends the request, with the header line `condition`, unless `send_by` has passed or `stop` was called.
    pub(crate) async fn send(
        &self,
        request: &CallRequest,
        condition: Option<&str>,
        send_by: Moment,
        stop: &CancellationToken,
    ) -> Result<Reply, CallError> {
        let mut url = self.base.clone();
        let path = format!("{}{}", self.base.path().trim_end_matches('/'), request.path);
        url.set_path(&path);
        if !request.query.is_empty() || self.query_key.is_some() {
            let mut query = url.query_pairs_mut();
            query.extend_pairs(&request.query);
            if let Some((name, key)) = &self.query_key {
                query.append_pair(name, key.expose_secret());
            }
        }
        let mut request = self.http.get(url);
        if let Some((name, value)) = condition.and_then(|line| line.split_once(": ")) {
            request = request.header(name, value);
        }
        let request = request
            .build()
            .map_err(|error| CallError::Build(error.without_url()))?;
        // The last moment at which it can still be kept back.
        if stop.is_cancelled() {
            return Err(CallError::Stopped);
        }
        if send_by.has_passed() {
            return Err(CallError::TooLate);
        }
        // The client answers once the head is there. Dropping it closes the connection.
        let begun = self.http.execute(request);
        let mut reply = tokio::time::timeout(self.limits.first_byte_timeout, begun)
            .await
            .map_err(|_| CallError::Timeout)?
            .map_err(classify)?;
        let mut body = Vec::new();
        while let Some(chunk) = reply.chunk().await.map_err(classify)? {
            let length = body.len() as u64 + chunk.len() as u64;
            if length > self.limits.max_body_bytes {
                return Err(CallError::TooLarge {
                    max: self.limits.max_body_bytes,
                });
            }
            body.extend_from_slice(&chunk);
        }
        let headers = reply
            .headers()
            .iter()
            .filter_map(|(name, value)| {
                Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
            })
            .collect();
        Ok(Reply {
            status: reply.status().as_u16(),
            headers,
            body: self.without_key(body),
        })
    }

    /// The body without our key, should the provider repeat what it was sent: its words
    /// stand in errors and logs, and its answers in the cache.
    fn without_key(&self, body: Vec<u8>) -> Vec<u8> {
        let Some(key) = self.key.as_ref().map(ExposeSecret::expose_secret) else {
            return body;
        };
        // A shorter one would be found where it is not meant.
        if key.len() < SHORTEST_SECRET {
            return body;
        }
        match std::str::from_utf8(&body) {
            Ok(text) if text.contains(key) => text.replace(key, "[key]").into_bytes(),
            // What is not UTF-8 is no answer, and nothing of it is kept.
            _ => body,
        }
    }
}

/// Fewest bytes of a key that is looked for in answers.
const SHORTEST_SECRET: usize = 8;

/// What a failed request proves: only that a connection was never made, proves anything.
fn classify(error: reqwest::Error) -> CallError {
    let error = error.without_url();
    if error.is_connect() {
        CallError::Connect(error)
    } else if error.is_timeout() {
        CallError::Timeout
    } else {
        CallError::Broken(error)
    }
}

fn parse_header(
    provider: &str,
    name: &str,
    value: &str,
) -> Result<(HeaderName, HeaderValue), ClientError> {
    let bad = || ClientError::BadHeader {
        provider: provider.to_owned(),
        name: name.to_owned(),
    };
    let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
    let value = HeaderValue::from_str(value).map_err(|_| bad())?;
    Ok((header, value))
}
