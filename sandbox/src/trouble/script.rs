//! All the trouble of one call, added up.

use std::time::Duration;

use super::{CreditReport, RetryAfter, TroubleKind};
use crate::fault::Fault;

/// What is done to one call and its answer. The default does nothing.
#[derive(Debug, Default)]
pub(crate) struct Script {
    /// For the ledger.
    pub(crate) names: Vec<String>,
    pub(crate) drop_before: bool,
    pub(crate) drop_after: bool,
    pub(crate) transit: Duration,
    pub(crate) latency: Duration,
    /// An error that the ledger records instead of a success.
    pub(crate) fault: Option<Fault>,
    pub(crate) retry_after: Option<RetryAfter>,
    pub(crate) headers: Vec<(String, String)>,
    /// A body, with its content type, in place of the provider's.
    pub(crate) body: Option<(&'static str, String)>,
    pub(crate) empty: bool,
    pub(crate) error_in_success: Option<(u32, String)>,
    pub(crate) credit_count: Option<CreditReport>,
    pub(crate) slow: Option<(usize, Duration)>,
    pub(crate) half: bool,
    pub(crate) gzip: bool,
    /// Size, and whether it is compressed.
    pub(crate) huge: Option<(u64, bool)>,
}

const HTML: &str = "<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head>\
                    <body><center><h1>502 Bad Gateway</h1></center></body></html>\n";

impl Script {
    pub(super) fn add(&mut self, kind: &TroubleKind) {
        let name = match kind {
            TroubleKind::Transit { ms } => {
                self.transit += Duration::from_millis(*ms);
                "transit"
            }
            TroubleKind::Latency { ms } => {
                self.latency += Duration::from_millis(*ms);
                "latency"
            }
            TroubleKind::SlowBody { chunk, pause_ms } => {
                self.slow = Some(((*chunk).max(1), Duration::from_millis(*pause_ms)));
                "slow_body"
            }
            TroubleKind::Status {
                status,
                body,
                headers,
            } => {
                self.answer_with(*status);
                if let Some(body) = body {
                    self.body = Some(("application/json", body.clone()));
                }
                self.headers.extend(headers.iter().cloned());
                "status"
            }
            TroubleKind::Limited {
                code,
                retry_after,
                headers,
            } => {
                let unknown = || Fault::new(429, *code, "Too many requests.");
                self.fault = Some(Fault::documented(*code).unwrap_or_else(unknown));
                self.retry_after = *retry_after;
                self.headers.extend(headers.iter().cloned());
                "limited"
            }
            TroubleKind::Headers { headers } => {
                self.headers.extend(headers.iter().cloned());
                "headers"
            }
            TroubleKind::DropAfterCounting => {
                self.drop_after = true;
                "drop_after_counting"
            }
            TroubleKind::DropBeforeCounting => {
                self.drop_before = true;
                "drop_before_counting"
            }
            TroubleKind::HalfBody => {
                self.half = true;
                "half_body"
            }
            TroubleKind::Html { status } => {
                self.answer_with(*status);
                self.body = Some(("text/html", HTML.to_owned()));
                "html"
            }
            TroubleKind::EmptySuccess => {
                self.empty = true;
                "empty_success"
            }
            TroubleKind::ErrorInSuccess { code, message } => {
                self.error_in_success = Some((*code, message.clone()));
                "error_in_success"
            }
            TroubleKind::Gzip => {
                self.gzip = true;
                "gzip"
            }
            TroubleKind::Huge { bytes, gzip } => {
                self.huge = Some((*bytes, *gzip));
                "huge"
            }
            TroubleKind::CreditCount { report } => {
                self.credit_count = Some(report.clone());
                "credit_count"
            }
            TroubleKind::Redirect { location } => {
                self.answer_with(302);
                self.headers.push(("location".to_owned(), location.clone()));
                self.body = Some(("text/html", String::new()));
                "redirect"
            }
        };
        self.names.push(name.to_owned());
    }

    fn answer_with(&mut self, status: u16) {
        if status != 200 {
            self.fault = Some(Fault::of_status(status));
        }
    }
}
