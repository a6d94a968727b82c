//! Who may pass: whoever shows one of the secrets.

use std::fmt;
use std::net::IpAddr;
use std::time::Instant;

use axum::http::{HeaderMap, header};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::delay::Delays;

/// Secrets that open something, as digests.
pub(crate) struct Door {
    digests: Vec<[u8; 32]>,
    delays: Delays,
}

/// Why somebody was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No secret was shown.
    Missing,
    /// None of those shown is right.
    Wrong,
}

impl Door {
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a SecretString>) -> Self {
        let digest = |secret: &SecretString| digest(secret.expose_secret().as_bytes());
        Self {
            digests: secrets.into_iter().map(digest).collect(),
            delays: Delays::default(),
        }
    }

    /// Lets in whoever shows a right secret among `shown`; a wrong one is answered late.
    pub(crate) async fn pass(&self, shown: &[&[u8]], from: IpAddr) -> Result<(), Refusal> {
        if shown.is_empty() {
            return Err(Refusal::Missing);
        }
        if self.is_right(shown) {
            return Ok(());
        }
        tokio::time::sleep(self.delays.wrong(from, Instant::now())).await;
        Err(Refusal::Wrong)
    }

    /// Digests are compared, all against all and each to its end, so that the time taken
    /// says nothing of how much of a guess was right.
    pub(crate) fn is_right(&self, shown: &[&[u8]]) -> bool {
        let mut right = Choice::from(0);
        for given in shown {
            let given = digest(given);
            for known in &self.digests {
                right |= known.ct_eq(&given);
            }
        }
        right.into()
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Door({} secrets)", self.digests.len())
    }
}

fn digest(secret: &[u8]) -> [u8; 32] {
    Sha256::digest(secret).into()
}

/// What stands after `Bearer` in the header `Authorization`; RFC 6750 of 2012, section 2.1.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, rest) = value.split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| rest.trim_ascii())
        .filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door() -> Door {
        Door::new(&["first-secret-of-two".into(), "second-secret-of-2".into()])
    }

    #[test]
    fn any_of_several_secrets_opens_and_nothing_else_does() {
        let door = door();
        for right in ["first-secret-of-two", "second-secret-of-2"] {
            assert!(door.is_right(&[b"wrong", right.as_bytes()]), "{right}");
        }
        for wrong in ["", "first-secret-of-tw", "first-secret-of-two ", "x"] {
            assert!(!door.is_right(&[wrong.as_bytes()]), "{wrong}");
        }
        assert!(!Door::new(&[]).is_right(&[b""]));
    }

    #[test]
    fn only_a_bearer_token_is_read_from_the_header() {
        for (value, token) in [
            ("Bearer abc", Some("abc")),
            ("bearer   abc ", Some("abc")),
            ("Bearer ", None),
            ("Bearer", None),
            ("Basic abc", None),
            ("abc", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            assert_eq!(bearer(&headers), token.map(str::as_bytes), "{value}");
        }
    }
}
