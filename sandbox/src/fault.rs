//! The errors that CoinMarketCap answers with.
//!
//! Codes, statuses and messages are those of its error page and of the recorded
//! answers (read 2026-11-23).

use axum::http::StatusCode;

/// One of the provider's errors, as a caller sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) status: StatusCode,
    pub(crate) code: u32,
    pub(crate) message: String,
}

impl Fault {
    /// The fault with a documented code; `None` for a code that has no entry.
    pub(crate) fn documented(code: u32) -> Option<Self> {
        let (status, message) = match code {
            1001 => (401, "This API Key is invalid."),
            1002 => (401, "API key missing."),
            1003 => (
                402,
                "Your API Key must be activated. Please go to pro.coinmarketcap.com/account/plan.",
            ),
            1004 => (402, "Your API Key's subscription plan has expired."),
            1005 => (403, "An API Key is required for this call."),
            1006 => (
                403,
                "Your API Key subscription plan doesn't support this endpoint.",
            ),
            1007 => (
                403,
                "This API Key has been disabled. Please contact support.",
            ),
            1008 => (
                429,
                "You've exceeded your API Key's HTTP request rate limit. Rate limits reset every minute.",
            ),
            1009 => (429, "You've exceeded your API Key's daily rate limit."),
            1010 => (429, "You've exceeded your API Key's monthly rate limit."),
            1011 => (429, "You've hit an IP rate limit."),
            1022 => (429, "Too many requests."),
            500 => (500, "The system is busy, please try again later!"),
            _ => return None,
        };
        Some(Self::new(status, code, message))
    }

    /// A fault of the caller's parameters: 400, never worth a second try.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(400, 400, message)
    }

    pub(crate) fn new(status: u16, code: u32, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            code,
            message: message.into(),
        }
    }

    /// What a bare HTTP status looks like in the provider's envelope.
    pub(crate) fn of_status(status: u16) -> Self {
        let message = match status {
            400 => "Parameter error",
            404 => "Not Found",
            405 => "Method Not Allowed",
            429 => "Too many requests.",
            500.. => "The system is busy, please try again later!",
            _ => "",
        };
        Self::new(status, u32::from(status), message)
    }

    /// Shorthand for a code that is known to be documented.
    pub(crate) fn code(code: u32) -> Self {
        Self::documented(code).unwrap_or_else(|| Self::new(500, code, ""))
    }
}
