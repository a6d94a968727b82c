//! What a message says and how it is signed (Standard Webhooks 1.0.0).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::Value;
use sha2::Sha256;
use shared::model::kind::WebhookArgs;

/// Fewest bytes of a key: 192 bits, as the convention asks for.
pub(super) const FEWEST_BYTES: usize = 24;

/// The body of a message.
#[derive(Debug, Serialize)]
pub(super) struct Body<'a> {
    /// The job's id. The same in every attempt: what has been done under it need not be
    /// done again.
    id: &'a str,
    event: &'static str,
    target: &'a str,
    resources: &'a [String],
    attempt: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
}

impl<'a> Body<'a> {
    pub(super) fn new(id: &'a str, args: &'a WebhookArgs, attempt: u32) -> Self {
        Self {
            id,
            event: "resources.changed",
            target: args.target.as_str(),
            resources: &args.resources,
            attempt,
            data: args.data.as_ref(),
        }
    }
}

/// The instant of an attempt as it is signed: whole seconds since 1970.
///
/// The attempt's and not the job's, since receivers refuse what is older than some
/// minutes, and by the database's clock, since a worker's may be wrong.
pub(super) fn timestamp(started_at: DateTime<Utc>) -> String {
    started_at.timestamp().to_string()
}

/// What messages are signed with.
#[derive(Clone)]
pub(super) struct Key(Hmac<Sha256>);

impl Key {
    /// The key in a secret: what follows `whsec_` in base64, or the bytes of any other text.
    ///
    /// # Errors
    ///
    /// What is wrong with it, without any part of it.
    pub(super) fn read(secret: &SecretString) -> Result<Self, String> {
        let text = secret.expose_secret();
        let bytes = match text.strip_prefix("whsec_") {
            Some(encoded) => STANDARD
                .decode(encoded)
                .map_err(|_| "must be base64 after whsec_".to_owned())?,
            None => text.as_bytes().to_vec(),
        };
        let short = || format!("must have at least {FEWEST_BYTES} bytes");
        if bytes.len() < FEWEST_BYTES {
            return Err(short());
        }
        Hmac::new_from_slice(&bytes).map(Self).map_err(|_| short())
    }

    /// The header `webhook-signature`.
    pub(super) fn sign(&self, id: &str, timestamp: &str, body: &[u8]) -> String {
        let mut mac = self.0.clone();
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector is in the tests of the convention's JavaScript library (2026-11).
    #[test]
    fn a_signature_is_that_of_the_conventions_own_library() {
        let key = Key::read(&"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()).unwrap();
        assert_eq!(
            key.sign(
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                "1614265330",
                br#"{"test": 2432232314}"#
            ),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn a_key_that_cannot_be_is_refused_without_being_shown() {
        for (secret, said) in [
            ("whsec_hunter2!", "must be base64 after whsec_"),
            ("whsec_aHVudGVyMg==", "must have at least 24 bytes"),
            ("hunter2", "must have at least 24 bytes"),
        ] {
            assert_eq!(Key::read(&secret.into()).err().as_deref(), Some(said));
        }
        assert!(Key::read(&"any text that is long enough".into()).is_ok());
    }
}
