//! A value that may be absent, written as `""` when it is.
//!
//! TOML has no null. With an empty text for "none" every key has a default that
//! can be written down, and a variable can take back what the file sets.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};

/// A type that can be written as text.
pub(super) trait Written: Sized {
    /// What a wrong text is told.
    const EXPECTED: &'static str;

    /// Reads it.
    fn read(text: &str) -> Option<Self>;

    /// Writes it.
    fn write(&self) -> String;
}

impl Written for Duration {
    const EXPECTED: &'static str = "a duration";

    fn read(text: &str) -> Option<Self> {
        humantime::parse_duration(text).ok()
    }

    fn write(&self) -> String {
        humantime::format_duration(*self).to_string()
    }
}

impl Written for SocketAddr {
    const EXPECTED: &'static str = "socket address";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

pub(super) fn serialize<T: Written, S: Serializer>(
    value: &Option<T>,
    out: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => out.serialize_str(&value.write()),
        None => out.serialize_str(""),
    }
}

pub(super) fn deserialize<'de, T: Written, D: Deserializer<'de>>(
    given: D,
) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(given)?;
    if text.is_empty() {
        return Ok(None);
    }
    match T::read(&text) {
        Some(value) => Ok(Some(value)),
        None => Err(D::Error::custom(Wrong(T::EXPECTED))),
    }
}

struct Wrong(&'static str);

impl fmt::Display for Wrong {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "invalid value, expected {} or nothing", self.0)
    }
}
