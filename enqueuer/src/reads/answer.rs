//! An answer, put together once and given many times.
//!
//! What does not change from one reader to the next is made beforehand: the body, its
//! compressed forms (when somebody first wants one), the entity tag, the headers. Ages and
//! times to live change by the second, so the headers are stamped anew twice a second,
//! whoever asks first.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use http_body_util::Full;
use sha2::{Digest as _, Sha256};
use shared::metrics::CacheReads;
use tokio::sync::OnceCell;

use super::coding::{Coding, SMALLEST};
use super::directives::Directives;
use super::headers::{self, Freshness, Source};
use super::held::State;
use super::triggers::Trigger;

/// For how many parts of a second one stamp serves.
const STAMPS_PER_SEC: f64 = 2.0;

/// Bytes of an answer beside its bodies.
const OVERHEAD: usize = 1_200;

/// Bodies from this size on are compressed on a thread of their own.
const LARGE: usize = 64 * 1024;

/// What the answers of one provider have in common.
#[derive(Debug)]
pub(super) struct Manner {
    /// Headers that never change: type, protection, vary.
    pub(super) headers: HeaderMap,
    /// Whether only those who show the secret may keep it.
    pub(super) is_private: bool,
    pub(super) reads: CacheReads,
    /// Whether reads of planned resources may cause calls.
    pub(super) trigger: Option<Arc<Trigger>>,
}

/// An answer of one body, with all that is needed to give it.
#[derive(Debug)]
pub(super) struct Answer {
    parts: Box<[Arc<State>]>,
    manner: Arc<Manner>,
    body: Bytes,
    gzip: OnceCell<Option<Bytes>>,
    brotli: OnceCell<Option<Bytes>>,
    tag: HeaderValue,
    /// When its oldest part was of age zero.
    born: f64,
    /// Until when all parts are fresh.
    fresh_until: f64,
    /// From when on a part is old that nobody refreshes ahead of need.
    renew_at: f64,
    /// Until when no part is past its bound.
    good_until: f64,
    /// When the oldest planned part was of age zero; infinite without one.
    planned_born: f64,
    /// Seconds within which asking again buys nothing.
    shortest: f64,
    /// Credits that its question would have cost as a call.
    worth: u64,
    stamp: ArcSwapOption<(u64, HeaderMap)>,
}

/// What a reader wants of an answer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wish<'r> {
    pub(super) coding: Option<&'r HeaderValue>,
    pub(super) if_none_match: Option<&'r HeaderValue>,
}

impl<'r> Wish<'r> {
    /// What the headers of a request wish for.
    pub(super) fn of(headers: &'r HeaderMap) -> Self {
        Self {
            coding: headers.get(header::ACCEPT_ENCODING),
            if_none_match: headers.get(header::IF_NONE_MATCH),
        }
    }

    fn coding(&self, body: &Bytes) -> Coding {
        match self.coding {
            Some(value) if body.len() >= SMALLEST => Coding::wanted(value),
            _ => Coding::Identity,
        }
    }
}

impl Answer {
    /// An answer made of these parts. `most` is the bound of age, in seconds, for parts
    /// that have none of their own; within `shortest`, in seconds, asking again buys nothing.
    /// `worth` is what the question would have cost as a call, in credits.
    pub(super) fn new(
        parts: Box<[Arc<State>]>,
        body: Bytes,
        manner: Arc<Manner>,
        most: Option<f64>,
        shortest: f64,
        worth: u64,
    ) -> Self {
        let least = |of: &dyn Fn(&State) -> f64| {
            let all = parts.iter().map(|state| of(state));
            all.fold(f64::INFINITY, f64::min)
        };
        let born = least(&|state| state.born);
        let fresh_until = least(&|state| state.fresh_until);
        let renew_at = least(&|state| match state.tracked {
            true => f64::INFINITY,
            false => state.fresh_until,
        });
        let good_until = least(&|state| {
            let most = state.max_age.or(most);
            most.map_or(f64::INFINITY, |most| state.born + most)
        });
        let planned_born = least(&|state| match state.planned {
            true => state.born,
            false => f64::INFINITY,
        });
        let digest = Sha256::digest(&body);
        let hex: String = digest[..12]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        // Weak, since the coded forms share it.
        let tag = HeaderValue::try_from(format!("W/\"{hex}\""));
        Self {
            tag: tag.unwrap_or(HeaderValue::from_static("W/\"\"")),
            parts,
            manner,
            body,
            gzip: OnceCell::new(),
            brotli: OnceCell::new(),
            born,
            fresh_until,
            renew_at,
            good_until,
            planned_born,
            shortest,
            worth,
            stamp: ArcSwapOption::empty(),
        }
    }

    /// What it weighs in memory, its compressed forms included, which come later.
    pub(super) fn bytes(&self) -> usize {
        OVERHEAD + self.body.len() + self.body.len() / 2 + self.parts.len() * 8
    }

    /// Credits that its question would have cost as a call.
    pub(super) fn worth(&self) -> u64 {
        self.worth
    }

    /// The states of the entries that it was made of.
    pub(super) fn parts(&self) -> &[Arc<State>] {
        &self.parts
    }

    /// Whether it may be given to a reader with these directives as it stands: it is made
    /// of the current entries, none is past its bound, none has to be renewed by a reader,
    /// and none is so old that a reader may wait for a call.
    pub(super) fn serves(&self, now: f64, directives: &Directives) -> bool {
        now < self.good_until
            && now < self.renew_at
            && directives.accept(now - self.born, self.fresh_until - now)
            && self.parts.iter().all(|state| !state.is_gone())
            && !self.may_trigger(now)
    }

    fn may_trigger(&self, now: f64) -> bool {
        let age = now - self.planned_born;
        let trigger = self.manner.trigger.as_ref();
        trigger.is_some_and(|trigger| age > self.shortest && trigger.may_fire(now, age))
    }

    /// Counts a read for the metrics: each part by itself.
    pub(super) fn count(&self, now: f64) {
        let parts = self.parts.iter();
        self.manner.reads.hits(parts.map(|state| state.at(now)));
        self.manner.reads.answered(self.worth);
    }

    /// The response, if it needs no compression that was not done yet.
    pub(super) fn respond_at_once(
        &self,
        now: f64,
        wish: &Wish<'_>,
    ) -> Option<Response<Full<Bytes>>> {
        let stamp = self.stamp(now);
        let mut headers = stamp.1.clone();
        if let Some(wanted) = wish.if_none_match
            && super::directives::names_tag(wanted, &self.tag)
        {
            return Some(not_modified(headers));
        }
        let coding = wish.coding(&self.body);
        let coded = match coding {
            Coding::Identity => None,
            Coding::Gzip => self.gzip.get()?.clone(),
            Coding::Brotli => self.brotli.get()?.clone(),
        };
        let body = match (coded, coding.name()) {
            (Some(coded), Some(name)) => {
                headers.insert(header::CONTENT_ENCODING, name);
                coded
            }
            _ => self.body.clone(),
        };
        let mut response = Response::new(Full::new(body));
        *response.headers_mut() = headers;
        Some(response)
    }

    /// The response, and how it came to be one; compresses first if that is needed.
    pub(super) async fn respond(
        self: &Arc<Self>,
        now: f64,
        wish: &Wish<'_>,
        source: Source,
    ) -> Response<Full<Bytes>> {
        let coding = wish.coding(&self.body);
        match coding {
            Coding::Identity => {}
            Coding::Gzip => self.compress(&self.gzip, coding).await,
            Coding::Brotli => self.compress(&self.brotli, coding).await,
        }
        let mut response = self
            .respond_at_once(now, wish)
            .unwrap_or_else(|| Response::new(Full::new(self.body.clone())));
        if source != Source::Hit {
            let freshness = self.freshness(now);
            headers::status(response.headers_mut(), freshness, source);
        }
        response
    }

    async fn compress(self: &Arc<Self>, cell: &OnceCell<Option<Bytes>>, coding: Coding) {
        cell.get_or_init(async || {
            if self.body.len() < LARGE {
                return coding.compress(&self.body);
            }
            let body = self.body.clone();
            let done = tokio::task::spawn_blocking(move || coding.compress(&body));
            done.await.unwrap_or_default()
        })
        .await;
    }

    fn freshness(&self, now: f64) -> Freshness {
        Freshness {
            age_secs: now - self.born,
            ttl_secs: self.fresh_until - now,
            left_secs: self.good_until - now,
        }
    }

    /// The headers as they are now.
    fn stamp(&self, now: f64) -> Arc<(u64, HeaderMap)> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "seconds since the start of the process"
        )]
        let tick = (now * STAMPS_PER_SEC) as u64;
        if let Some(stamp) = self.stamp.load_full()
            && stamp.0 == tick
        {
            return stamp;
        }
        let mut headers = self.manner.headers.clone();
        let freshness = self.freshness(now);
        headers.insert(header::ETAG, self.tag.clone());
        headers::freshness(&mut headers, freshness, self.manner.is_private);
        headers::status(&mut headers, freshness, Source::Hit);
        let stamp = Arc::new((tick, headers));
        self.stamp.store(Some(Arc::clone(&stamp)));
        stamp
    }
}

fn not_modified(mut headers: HeaderMap) -> Response<Full<Bytes>> {
    headers.remove(header::CONTENT_TYPE);
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    *response.headers_mut() = headers;
    response
}
