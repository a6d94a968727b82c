//! JSON pointers (RFC 6901), parsed once.

use std::fmt;

use serde_json::{Map, Value};

/// A checked JSON pointer; the empty one means the whole document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pointer(Vec<String>);

/// Why a text is not a JSON pointer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a JSON pointer is empty or starts with a slash, such as /status/credit_count")]
pub(super) struct BadPointer;

impl Pointer {
    /// Reads a pointer as people write it.
    pub(super) fn parse(text: &str) -> Result<Self, BadPointer> {
        if text.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let rest = text.strip_prefix('/').ok_or(BadPointer)?;
        Ok(Self(
            rest.split('/')
                // The order matters: `~01` is `~1`, not a slash.
                .map(|token| token.replace("~1", "/").replace("~0", "~"))
                .collect(),
        ))
    }

    /// Puts a value where it leads, in objects that are made on the way. Whatever else
    /// stands there is replaced.
    pub(super) fn put(&self, document: &mut Value, value: Value) {
        let mut place = document;
        for token in &self.0 {
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            place = &mut place[token.as_str()];
        }
        *place = value;
    }

    /// The steps from the root.
    pub(super) fn tokens(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for token in &self.0 {
            write!(out, "/{}", token.replace('~', "~0").replace('/', "~1"))?;
        }
        Ok(())
    }
}
