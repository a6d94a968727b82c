//! JSON as text: looked into without being taken apart.
//!
//! Replies may have 32 MB, and numbers must stay as the provider wrote them, so
//! nothing here builds a tree of values. A value is a piece of the text; looking
//! inside costs one pass over it.
//!
//! Raw pieces are found without recursion, so depth cannot overflow the stack
//! there; [`sound`] does recurse, and `serde_json` stops it at 128 levels.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::pointer::Pointer;

/// Why a text is not JSON that can be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct BadJson(String);

impl From<serde_json::Error> for BadJson {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

/// A name and the text of its value.
pub(super) type Member<'a> = (Cow<'a, str>, &'a str);

/// The members of an object, in order; `None` if the text is no object.
pub(super) fn members(text: &str) -> Result<Option<Vec<Member<'_>>>, BadJson> {
    if !text.starts_with('{') {
        return Ok(None);
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let members = reader.deserialize_map(Members)?;
    reader.end()?;
    Ok(Some(members))
}

/// The elements of a list, in order; `None` if the text is no list.
pub(super) fn elements(text: &str) -> Result<Option<Vec<&str>>, BadJson> {
    if !text.starts_with('[') {
        return Ok(None);
    }
    let elements: Vec<&RawValue> = serde_json::from_str(text)?;
    Ok(Some(elements.into_iter().map(RawValue::get).collect()))
}

/// The value that a pointer leads to, if there is one.
///
/// # Errors
///
/// A text that is no JSON, or two members of one name on the way: which of them
/// is meant cannot be known.
pub(super) fn find<'a>(text: &'a str, pointer: &Pointer) -> Result<Option<&'a str>, BadJson> {
    descend(text, pointer.tokens())
}

pub(super) fn descend<'a>(text: &'a str, tokens: &[String]) -> Result<Option<&'a str>, BadJson> {
    let mut here = text;
    for token in tokens {
        let next = if let Some(members) = members(here)? {
            one_named(&members, token)?
        } else if let Some(elements) = elements(here)? {
            token
                .parse::<usize>()
                .ok()
                .and_then(|index| elements.get(index).copied())
        } else {
            None
        };
        match next {
            Some(value) => here = value,
            None => return Ok(None),
        }
    }
    Ok(Some(here))
}

/// The member with this name.
pub(super) fn one_named<'a>(
    members: &[(Cow<'_, str>, &'a str)],
    name: &str,
) -> Result<Option<&'a str>, BadJson> {
    let mut found = members.iter().filter(|(given, _)| given == name);
    let first = found.next().map(|(_, value)| *value);
    if found.next().is_some() {
        return Err(BadJson(format!("two members are called {name:?}")));
    }
    Ok(first)
}

/// A string, number or boolean as text, so that `1` and `"1"` compare equal.
pub(super) fn scalar(text: &str) -> Option<Cow<'_, str>> {
    match text.as_bytes().first()? {
        b'"' => serde_json::from_str::<String>(text).ok().map(Cow::Owned),
        b'{' | b'[' | b'n' => None,
        _ => Some(Cow::Borrowed(text)),
    }
}

/// Whether the value is null, `{}` or `[]`.
pub(super) fn is_empty(text: &str) -> bool {
    let inner = |open, close| {
        text.strip_prefix(open)
            .and_then(|rest| rest.strip_suffix(close))
            .is_some_and(|inner: &str| inner.trim_ascii().is_empty())
    };
    text == "null" || inner('{', '}') || inner('[', ']')
}

/// Checks that a value means the same to every reader and can be stored.
///
/// # Errors
///
/// Members of one object with one name, NUL characters (Postgres stores none),
/// halves of surrogate pairs, numbers beyond a double's range, more than 128 levels.
pub(super) fn sound(text: &str) -> Result<(), BadJson> {
    let mut reader = serde_json::Deserializer::from_str(text);
    Sound.deserialize(&mut reader)?;
    reader.end()?;
    Ok(())
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<Member<'de>>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(name) = map.next_key_seed(Name)? {
            let value: &'de RawValue = map.next_value()?;
            members.push((name, value.get()));
        }
        Ok(members)
    }
}

struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a name")
    }

    fn visit_borrowed_str<E: de::Error>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

struct Sound;

impl<'de> DeserializeSeed<'de> for Sound {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Sound {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        if text.contains('\0') {
            return Err(E::custom("a text holds a NUL character"));
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Sound)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = map.next_key_seed(Name)? {
            if name.contains('\0') {
                return Err(de::Error::custom("a name holds a NUL character"));
            }
            map.next_value_seed(Sound)?;
            if !names.insert(name) {
                return Err(de::Error::custom("two members of an object share a name"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_kept_is_not_sound() {
        let deep = "[".repeat(200) + &"]".repeat(200);
        for bad in [
            r#"{"a":1,"a":2}"#,
            r#"{"a":{"b":1,"b":1}}"#,
            r#"["\u0000"]"#,
            r#"{"\u0000":1}"#,
            r#"["\ud800"]"#,
            "[1e999]",
            &deep,
        ] {
            assert!(sound(bad).is_err(), "{bad}");
        }
        for good in [
            r#"{"a":18446744073709551616,"b":"\\u0000"}"#,
            "[1e-30,[],{}]",
        ] {
            assert_eq!(sound(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn depth_overflows_no_stack() {
        let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
        assert!(elements(&deep).is_ok());
        assert!(sound(&deep).is_err());
    }
}
