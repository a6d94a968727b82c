//! The parameters of one call, checked the way CoinMarketCap checks them.
//!
//! A parameter that is unknown, repeated, empty or out of range is a 400 with a
//! `status` only. The messages follow its validator's style (`"limit" must be …`);
//! the recorded ones are `Parameter error` and `Invalid value for "id"`.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use axum::http::Uri;

use crate::fault::Fault;

/// The key's name as a query parameter; discouraged, but accepted.
const KEY_PARAMETER: &str = "CMC_PRO_API_KEY";

/// The decoded parameters, without the key.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Decodes the parameters, and takes the key out of them if it is there.
    pub(crate) fn parse(uri: &Uri) -> (Result<Self, Fault>, Option<String>) {
        let decoded = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri);
        let Ok(axum::extract::Query(mut pairs)) = decoded else {
            return (Err(Fault::of_status(400)), None);
        };
        let mut key = None;
        pairs.retain(|(name, value)| {
            let is_key = name == KEY_PARAMETER;
            if is_key {
                key = Some(value.clone());
            }
            !is_key
        });
        (Ok(Self { pairs }), key)
    }

    /// Refuses parameters that the endpoint does not have, and repeated ones.
    pub(crate) fn allow(&self, names: &[&str]) -> Result<(), Fault> {
        for (at, (name, _)) in self.pairs.iter().enumerate() {
            if !names.contains(&name.as_str()) {
                return Err(Fault::bad(format!("\"{name}\" is not allowed")));
            }
            if self.pairs[..at].iter().any(|(earlier, _)| earlier == name) {
                return Err(Fault::bad(format!("\"{name}\" must be a string")));
            }
        }
        Ok(())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let pair = self.pairs.iter().find(|(given, _)| given == name)?;
        Some(&pair.1)
    }

    /// A comma-separated list; `None` if the parameter is absent.
    pub(crate) fn list(&self, name: &str) -> Result<Option<Vec<String>>, Fault> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        let items: Vec<String> = text.split(',').map(|item| item.trim().to_owned()).collect();
        if items.iter().any(String::is_empty) {
            return Err(Fault::bad(format!("\"{name}\" is not allowed to be empty")));
        }
        Ok(Some(items))
    }

    /// A number within `range`; `None` if the parameter is absent.
    pub(crate) fn number<T>(&self, name: &str, range: RangeInclusive<T>) -> Result<Option<T>, Fault>
    where
        T: FromStr + PartialOrd + Display,
    {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        match text.parse::<T>() {
            Err(_) => Err(Fault::bad(format!("\"{name}\" must be a number"))),
            Ok(value) if range.contains(&value) => Ok(Some(value)),
            Ok(_) => Err(Fault::bad(format!(
                "\"{name}\" must be between {} and {}",
                range.start(),
                range.end()
            ))),
        }
    }

    pub(crate) fn flag(&self, name: &str, default: bool) -> Result<bool, Fault> {
        match self.get(name) {
            None => Ok(default),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(_) => Err(Fault::bad(format!("\"{name}\" must be a boolean"))),
        }
    }

    /// One of a closed set of words.
    pub(crate) fn choice<'a>(
        &'a self,
        name: &str,
        words: &[&str],
        default: &'a str,
    ) -> Result<&'a str, Fault> {
        let word = self.get(name).unwrap_or(default);
        if words.contains(&word) {
            return Ok(word);
        }
        Err(Fault::bad(format!(
            "\"{name}\" must be one of [{}]",
            words.join(", ")
        )))
    }

    /// The extra fields that `aux` asks for; `None` for the endpoint's default.
    pub(crate) fn aux(&self, known: &[&str]) -> Result<Option<Vec<String>>, Fault> {
        let Some(fields) = self.list("aux")? else {
            return Ok(None);
        };
        match fields.iter().find(|field| !known.contains(&field.as_str())) {
            Some(_) => Err(Fault::bad(format!(
                "\"aux\" must be one of [{}]",
                known.join(", ")
            ))),
            None => Ok(Some(fields)),
        }
    }
}
