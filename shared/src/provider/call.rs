//! The request that fetches items: path and query, without key and host.

use super::parameter;
use super::request_error::cut;
use super::{Provider, RequestError};
use crate::model::{BatchKey, EndpointName};

/// One request to a provider, as far as it holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRequest {
    /// Which endpoint is called.
    pub endpoint: EndpointName,
    /// The path below the base URL, percent-encoded, with a leading slash.
    pub path: String,
    /// Names and values of the query, not yet encoded, sorted by name.
    pub query: Vec<(String, String)>,
}

impl Provider {
    /// The request that fetches these items of one batch.
    ///
    /// `items` is empty for an endpoint without a batch parameter.
    ///
    /// # Errors
    ///
    /// [`RequestError::WrongItems`] if items are missing or were given to an
    /// endpoint that has none, [`RequestError::TooManyItems`] if one call cannot
    /// carry them, [`RequestError::BadValue`] for an item that is not canonical,
    /// and whatever makes the batch key none of this configuration.
    pub fn call(
        &self,
        batch_key: &BatchKey,
        items: &[String],
    ) -> Result<CallRequest, RequestError> {
        let question = self.batch(batch_key)?;
        let endpoint = question.endpoint;
        if endpoint.is_batched() == items.is_empty() {
            return Err(RequestError::WrongItems {
                endpoint: endpoint.name.to_string(),
                given: items.len(),
            });
        }
        if items.len() > endpoint.max_items() {
            return Err(RequestError::TooManyItems {
                endpoint: endpoint.name.to_string(),
                given: items.len(),
                max: endpoint.max_items(),
            });
        }
        let mut query = question.values.clone();
        for (name, parameter) in &endpoint.parameters {
            if let Some(fixed) = parameter.fixed() {
                query.insert(name.clone(), vec![fixed.to_owned()]);
            }
        }
        if let Some(batch) = &question.batch {
            for item in items {
                let canonical = endpoint
                    .parameters
                    .get(batch)
                    .is_some_and(|parameter| parameter.value(item).as_ref() == Ok(item));
                if !canonical {
                    return Err(RequestError::BadValue {
                        endpoint: endpoint.name.to_string(),
                        parameter: batch.clone(),
                        value: cut(item),
                        reason: "is not an item in canonical form".to_owned(),
                    });
                }
            }
            query.insert(batch.clone(), items.to_vec());
        }
        let path = endpoint.path.fill(|name| {
            query
                .remove(name)
                .map(|values| parameter::encode_list(&values))
                .or_else(|| question.default_value(name))
                .unwrap_or_default()
        });
        Ok(CallRequest {
            endpoint: endpoint.name.clone(),
            path,
            query: query
                .into_iter()
                .map(|(name, values)| (name, values.join(",")))
                .collect(),
        })
    }
}
