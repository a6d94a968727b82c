//! Reads the query of a request to `/api`: known parameters, each once.

use std::collections::BTreeMap;
use std::str::FromStr;

use axum::http::Uri;

use crate::problem::{Kind, Problem};

/// Most rows of one page.
const MOST: i64 = 500;

/// Rows of a page that says nothing else.
const USUAL: i64 = 50;

/// The parameters of a query, decoded.
#[derive(Debug)]
pub(crate) struct Query(BTreeMap<String, String>);

impl Query {
    /// Reads the query of `uri`, which may have the parameters `known` only.
    ///
    /// # Errors
    ///
    /// 422 for an unknown or repeated parameter, and for a NUL, which no column holds.
    pub(crate) fn read(uri: &Uri, known: &[&str]) -> Result<Self, Problem> {
        let mut found = BTreeMap::new();
        let query = uri.query().unwrap_or_default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let shown: String = name.chars().take(60).collect();
            if !known.contains(&name.as_ref()) {
                return Err(invalid(format!(
                    "there is no parameter {shown:?}; there is: {}",
                    known.join(", ")
                )));
            }
            if value.contains('\0') {
                return Err(invalid(format!("{shown} holds a NUL character")));
            }
            if found
                .insert(name.into_owned(), value.into_owned())
                .is_some()
            {
                return Err(invalid(format!("{shown} is given twice")));
            }
        }
        Ok(Self(found))
    }

    /// The value of `name`, if it is given and not empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|text| !text.is_empty())
    }

    /// The value of `name` as what it must be; `rule` says what that is.
    ///
    /// # Errors
    ///
    /// 422 if it is something else.
    pub(crate) fn parsed<T: FromStr>(&self, name: &str, rule: &str) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let wrong = || {
            let shown: String = text.chars().take(60).collect();
            invalid(format!("{name}={shown:?} must be {rule}"))
        };
        text.parse().map(Some).map_err(|_| wrong())
    }

    /// How many rows are wanted: `limit`, from 1 to 500.
    ///
    /// # Errors
    ///
    /// 422 if it is something else.
    pub(crate) fn limit(&self) -> Result<i64, Problem> {
        let limit = self.parsed("limit", "a number from 1 to 500")?;
        match limit.unwrap_or(USUAL) {
            limit @ 1..=MOST => Ok(limit),
            limit => Err(invalid(format!(
                "limit={limit} must be a number from 1 to {MOST}"
            ))),
        }
    }
}

/// 422: a parameter is not what it must be.
pub(crate) fn invalid(detail: String) -> Problem {
    Problem::new(Kind::InvalidParameter, detail)
}
