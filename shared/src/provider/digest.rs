//! A digest of what an answer says, to tell an answer that changed from one that did not.
//!
//! Members that change by themselves, such as the time at which the data was put together,
//! are left out; the configuration names them (`volatile`). White space and the spelling of
//! numbers mean nothing; the order of members does, since no provider was seen to change it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use sha2::{Digest as _, Sha256};

/// Bytes of a digest: enough that two answers of one resource never share one.
const BYTES: usize = 16;

/// The digest of a JSON text without its members of these names, at any depth; `None` for a
/// text that is no JSON.
pub(super) fn digest(text: &str, volatile: &[String]) -> Option<Vec<u8>> {
    let mut hasher = Sha256::new();
    let mut reader = serde_json::Deserializer::from_str(text);
    let seed = Value {
        hasher: &mut hasher,
        volatile,
    };
    seed.deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    let mut digest = hasher.finalize().to_vec();
    digest.truncate(BYTES);
    Some(digest)
}

/// Feeds one value to the hasher, each kind under a letter of its own.
struct Value<'a> {
    hasher: &'a mut Sha256,
    volatile: &'a [String],
}

impl Value<'_> {
    fn add(self, letter: u8, bytes: &[u8]) {
        text(self.hasher, letter, bytes);
    }
}

fn text(hasher: &mut Sha256, letter: u8, bytes: &[u8]) {
    hasher.update([letter]);
    hasher.update(bytes.len().to_le_bytes());
    hasher.update(bytes);
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.add(b'n', &[]);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.add(b'b', &[u8::from(value)]);
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.add(b'i', &value.to_le_bytes());
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.add(b'u', &value.to_le_bytes());
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.add(b'f', &value.to_bits().to_le_bytes());
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.add(b's', value.as_bytes());
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        self.hasher.update(b"[");
        while list
            .next_element_seed(Value {
                hasher: self.hasher,
                volatile: self.volatile,
            })?
            .is_some()
        {}
        self.hasher.update(b"]");
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.hasher.update(b"{");
        while let Some(name) = map.next_key::<String>()? {
            if self.volatile.contains(&name) {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            text(self.hasher, b'k', name.as_bytes());
            map.next_value_seed(Value {
                hasher: self.hasher,
                volatile: self.volatile,
            })?;
        }
        self.hasher.update(b"}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<u8> {
        digest(text, &["last_updated".to_owned()]).unwrap()
    }

    #[test]
    fn only_what_is_not_volatile_makes_another_digest() {
        let first =
            of(r#"{"id":1,"last_updated":"10:00","quote":[{"price":1.5,"last_updated":1}]}"#);
        for same in [
            r#"{"id":1,"last_updated":"10:01","quote":[{"price":1.5,"last_updated":2}]}"#,
            r#"{ "id": 1, "quote": [ {"price": 1.50} ] }"#,
        ] {
            assert_eq!(of(same), first, "{same}");
        }
        for other in [
            r#"{"id":1,"quote":[{"price":1.6}]}"#,
            r#"{"id":1,"quote":[{"price":"1.5"}]}"#,
            r#"{"id":1,"quote":[[{"price":1.5}]]}"#,
            r#"{"id":1,"quote":[{"price":1.5},{}]}"#,
            r#"{"id":1,"quote":[{"price":null}]}"#,
        ] {
            assert_ne!(of(other), first, "{other}");
        }
        assert_eq!(digest("<html>", &[]), None);
    }
}
