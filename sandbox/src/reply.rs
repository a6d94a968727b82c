//! An answer on its way to the caller: compressed, late, torn or huge.

use std::io::{self, Write};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::{StreamExt, stream};

use crate::trouble::RetryAfter;
use crate::trouble::script::Script;

/// Shorter bodies are sent as they are, as recorded: 135 bytes plain, 222 compressed.
const WORTH_COMPRESSING: usize = 200;
/// How long the first half of a torn body has to leave before the connection closes.
const TEAR: Duration = Duration::from_millis(30);
/// Huge bodies are made of pieces of this size.
const PIECE: usize = 1 << 20;

/// An answer before the network has it.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) content_type: &'static str,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn json(status: StatusCode, body: Vec<u8>) -> Self {
        Self {
            status,
            content_type: "application/json",
            headers: Vec::new(),
            body,
        }
    }

    /// Sends it as the script says.
    pub(crate) fn into_response(self, request: &HeaderMap, script: &Script) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(self.content_type),
        );
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        for (name, value) in self.headers.iter().chain(&script.headers) {
            // A header that HTTP does not allow is not sent.
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
                headers.insert(name, value);
            }
        }

        let huge = script.huge.filter(|_| self.status == StatusCode::OK);
        let asked = accepts_gzip(request) && self.body.len() >= WORTH_COMPRESSING;
        let compress = match huge {
            Some((_, gzip)) => gzip,
            None => asked || script.gzip,
        };
        if compress {
            let gzip = HeaderValue::from_static("gzip");
            headers.insert(header::CONTENT_ENCODING, gzip);
        }
        let body = if let Some((bytes, gzip)) = huge {
            huge_body(&self.body, bytes, gzip)
        } else {
            let body = if compress {
                gzip(&self.body)
            } else {
                self.body
            };
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
            in_pieces(body, script)
        };

        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = headers;
        response
    }
}

impl RetryAfter {
    /// The header's value.
    pub(crate) fn header(self, now: DateTime<Utc>) -> String {
        match self {
            Self::Seconds(seconds) => seconds.to_string(),
            Self::DateIn(seconds) => (now + TimeDelta::seconds(seconds))
                .format("%a, %d %b %Y %H:%M:%S GMT")
                .to_string(),
        }
    }
}

fn accepts_gzip(request: &HeaderMap) -> bool {
    let asked = request.get(header::ACCEPT_ENCODING);
    asked
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.contains("gzip"))
}

/// The body as it is, or slowly, or torn off in the middle.
fn in_pieces(mut body: Vec<u8>, script: &Script) -> Body {
    if script.slow.is_none() && !script.half {
        return Body::from(body);
    }
    if script.half {
        body.truncate(body.len() / 2);
    }
    let (chunk, pause) = script.slow.unwrap_or((body.len().max(1), Duration::ZERO));
    let pieces: Vec<io::Result<Bytes>> = body
        .chunks(chunk)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    let pieces = stream::iter(pieces).then(move |piece| async move {
        tokio::time::sleep(pause).await;
        piece
    });
    // The error makes the server close the connection before the promised length.
    let tear = stream::iter(script.half.then_some(())).then(|()| async {
        tokio::time::sleep(TEAR).await;
        Err(io::Error::from(io::ErrorKind::ConnectionReset))
    });
    Body::from_stream(pieces.chain(tear))
}

/// A valid success with `bytes` of padding behind it, made while it is sent.
fn huge_body(body: &[u8], bytes: u64, compressed: bool) -> Body {
    let last = usize::try_from(bytes % PIECE as u64).unwrap_or(0);
    let count = usize::try_from(bytes / PIECE as u64).unwrap_or(usize::MAX);
    let pieces = std::iter::once(body.to_vec())
        .chain(std::iter::repeat_n(vec![b' '; PIECE], count))
        .chain(std::iter::once(vec![b' '; last]));
    if !compressed {
        return Body::from_stream(stream::iter(pieces.map(Ok::<_, io::Error>)));
    }
    let mut encoder = Some(GzEncoder::new(Vec::new(), Compression::fast()));
    // One piece more than there is to write: the end of the gzip stream.
    let packed = pieces.map(Some).chain([None]).map(move |piece| {
        let (Some(open), Some(piece)) = (encoder.as_mut(), piece) else {
            return encoder.take().map_or(Ok(Vec::new()), GzEncoder::finish);
        };
        open.write_all(&piece)?;
        Ok::<_, io::Error>(std::mem::take(open.get_mut()))
    });
    Body::from_stream(stream::iter(packed))
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory cannot fail; if it did, the caller would see a broken body.
    let written = encoder.write_all(body).and_then(|()| encoder.finish());
    written.unwrap_or_default()
}
