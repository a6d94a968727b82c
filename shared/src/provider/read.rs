//! What a reader asks, in any spelling, as canonical resources.

use percent_encoding::percent_decode_str;

use super::endpoint::Endpoint;
use super::question::{Given, Question};
use super::request_error::cut;
use super::{Provider, RequestError};
use crate::model::{BatchKey, EndpointName, ResourceSpec};

/// Most items in one question.
pub const MAX_ITEMS: usize = 5_000;

/// Most bytes of names and values in one question: room for [`MAX_ITEMS`] ids.
pub const MAX_QUERY_BYTES: usize = 64 * 1024;

/// A reader's question in canonical form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadRequest {
    /// Which endpoint is asked.
    pub endpoint: EndpointName,
    /// What one call would answer it, with the items left open.
    pub batch_key: BatchKey,
    /// The resources in the order asked, without repetitions. Empty for an
    /// endpoint that is answered from the ledger ([`Endpoint::is_local`]).
    pub resources: Vec<ResourceSpec>,
}

impl Provider {
    /// What a reader asks, with a path and query as the provider understands them.
    ///
    /// `query` is decoded. A leading slash of the path may be missing. Parameters
    /// that carry a reader's key are dropped.
    ///
    /// # Errors
    ///
    /// Whatever makes it no question to this provider; see [`RequestError`].
    pub fn read(
        &self,
        path: &str,
        query: &[(String, String)],
    ) -> Result<ReadRequest, RequestError> {
        let pairs: Vec<(&str, &str)> = query
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let question = self.question_at(path, &pairs)?;
        let resources = if question.endpoint.local {
            Vec::new()
        } else {
            question.resources(&self.name)?
        };
        Ok(ReadRequest {
            endpoint: question.endpoint.name.clone(),
            batch_key: question.batch_key(),
            resources,
        })
    }

    /// The one resource that a key names, in any spelling.
    ///
    /// Both `coinmarketcap:/v3/cryptocurrency/quotes/latest?id=1` and
    /// `coinmarketcap.quotes_latest?id=1` are understood.
    ///
    /// # Errors
    ///
    /// [`RequestError::SeveralResources`] if it names several,
    /// [`RequestError::NotCacheable`] if it is answered from the ledger, and
    /// whatever else makes it no question to this provider.
    pub fn resource(&self, key: &str) -> Result<ResourceSpec, RequestError> {
        let bad = || RequestError::BadKey {
            provider: self.name.to_string(),
            given: cut(key),
        };
        let rest = key.strip_prefix(self.name.as_str()).ok_or_else(bad)?;
        let (target, query) = rest.split_once('?').unwrap_or((rest, ""));
        let query = decode_query(query).ok_or_else(bad)?;
        let pairs: Vec<(&str, &str)> = query
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let question = if let Some(path) = target.strip_prefix(':') {
            self.question_at(path, &pairs)?
        } else {
            let name = target.strip_prefix('.').ok_or_else(bad)?;
            self.question(self.named(name)?, &pairs)?
        };
        if question.endpoint.local {
            return Err(RequestError::NotCacheable {
                endpoint: question.endpoint.name.to_string(),
            });
        }
        let mut resources = question.resources(&self.name)?;
        match (resources.pop(), resources.len()) {
            (Some(resource), 0) => Ok(resource),
            (Some(_), others) => Err(RequestError::SeveralResources {
                given: cut(key),
                count: others + 1,
            }),
            (None, _) => Err(bad()),
        }
    }

    pub(super) fn named(&self, name: &str) -> Result<&Endpoint, RequestError> {
        name.parse::<EndpointName>()
            .ok()
            .and_then(|name| self.endpoints.get(&name))
            .ok_or_else(|| self.unknown(name))
    }

    fn question_at(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Question<'_>, RequestError> {
        let (endpoint, encoded) = self
            .endpoints
            .values()
            .filter_map(|endpoint| Some((endpoint, endpoint.path.matches(path)?)))
            .max_by_key(|(endpoint, _)| endpoint.path.literals())
            .ok_or_else(|| self.unknown(path))?;
        let mut in_path = Vec::with_capacity(encoded.len());
        for (name, value) in encoded {
            let value = percent_decode_str(value)
                .decode_utf8()
                .map_err(|_| self.unknown(path))?;
            if query.iter().any(|(given, _)| *given == name) {
                return Err(RequestError::Repeated {
                    endpoint: endpoint.name.to_string(),
                    parameter: name.to_owned(),
                });
            }
            in_path.push((name, value.into_owned()));
        }
        let mut pairs: Vec<(&str, &str)> = in_path
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        pairs.extend_from_slice(query);
        self.question(endpoint, &pairs)
    }

    /// Makes a question canonical, after dropping keys of readers.
    fn question<'p>(
        &'p self,
        endpoint: &'p Endpoint,
        query: &[(&str, &str)],
    ) -> Result<Question<'p>, RequestError> {
        let given: Vec<(&str, Given<'_>)> = query
            .iter()
            .filter(|(name, _)| !self.is_secret(name))
            .map(|(name, value)| (*name, Given::Value(value)))
            .collect();
        let bytes = query
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        if bytes > MAX_QUERY_BYTES {
            return Err(RequestError::TooLong {
                given: bytes,
                max: MAX_QUERY_BYTES,
            });
        }
        let commas: usize = given
            .iter()
            .map(|(_, value)| match value {
                Given::Value(value) => 1 + value.bytes().filter(|byte| *byte == b',').count(),
                Given::AnyItem => 0,
            })
            .sum();
        if commas > MAX_ITEMS {
            return Err(RequestError::TooManyItems {
                endpoint: endpoint.name.to_string(),
                given: commas,
                max: MAX_ITEMS,
            });
        }
        Question::new(endpoint, &given)
    }

    /// Whether a query parameter carries a key, in any case of letters.
    pub fn is_secret(&self, name: &str) -> bool {
        self.secret_parameters
            .iter()
            .any(|secret| secret.eq_ignore_ascii_case(name))
    }

    fn unknown(&self, given: &str) -> RequestError {
        RequestError::UnknownEndpoint {
            provider: self.name.to_string(),
            given: cut(given),
        }
    }
}

/// The pairs of a query, decoded as forms are; `None` if it is not UTF-8.
pub(super) fn decode_query(query: &str) -> Option<Vec<(String, String)>> {
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced)
            .decode_utf8()
            .ok()
            .map(std::borrow::Cow::into_owned)
    };
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name)?, decode(value)?))
        })
        .collect()
}
