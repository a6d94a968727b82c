//! Canonical keys: one spelling for each question.
//!
//! | key          | form                                                        |
//! |--------------|-------------------------------------------------------------|
//! | resource key | `coinmarketcap:/v3/cryptocurrency/quotes/latest?id=1`       |
//! | batch key    | `quotes_latest?convert=EUR&id=*`                            |
//!
//! Parameters are sorted by name; defaults, fixed values and keys of readers are
//! left out. Values are percent-encoded except for the unreserved characters of
//! RFC 3986, so a star that somebody asks for is `%2A` and never means "any item".

use std::collections::BTreeMap;

use super::parameter;
use super::question::Question;
use super::request_error::RequestError;
use crate::model::{BatchKey, ProviderName, ResourceKey, ResourceSpec};

/// Most bytes of a key: Postgres takes no more than 2,704 into an entry of an index, and some
/// of them hold more than a key.
pub const MAX_KEY_BYTES: usize = 2_000;

impl Question<'_> {
    /// The batch key: the question with its items left open.
    pub(super) fn batch_key(&self) -> BatchKey {
        let mut key = self.endpoint.name.to_string();
        push_query(&mut key, &self.encoded("*"));
        BatchKey(key)
    }

    /// The resources asked for, in the order asked.
    ///
    /// # Errors
    ///
    /// [`RequestError::KeyTooLong`] for what the database could not keep.
    pub(super) fn resources(
        &self,
        provider: &ProviderName,
    ) -> Result<Vec<ResourceSpec>, RequestError> {
        let batch_key = self.batch_key();
        let spec = |item: Option<&String>| ResourceSpec {
            key: self.resource_key(provider, item),
            provider: provider.clone(),
            endpoint: self.endpoint.name.clone(),
            batch_key: batch_key.clone(),
            item: item.cloned(),
        };
        let resources: Vec<ResourceSpec> = match &self.batch {
            Some(_) => self.items.iter().map(|item| spec(Some(item))).collect(),
            None => vec![spec(None)],
        };
        let keys = resources.iter().map(|resource| resource.key.0.len());
        let longest = keys.max().unwrap_or_default().max(batch_key.0.len());
        if longest > MAX_KEY_BYTES {
            return Err(RequestError::KeyTooLong {
                endpoint: self.endpoint.name.to_string(),
                given: longest,
                max: MAX_KEY_BYTES,
            });
        }
        Ok(resources)
    }

    fn resource_key(&self, provider: &ProviderName, item: Option<&String>) -> ResourceKey {
        let item = item.map(|item| parameter::encode(item)).unwrap_or_default();
        let mut values = self.encoded(&item);
        let path = self.endpoint.path.fill(|name| {
            values
                .get(name)
                .cloned()
                .or_else(|| self.default_value(name))
                .unwrap_or_default()
        });
        for name in self.endpoint.path.parameters() {
            values.remove(name);
        }
        let mut key = format!("{provider}:{path}");
        push_query(&mut key, &values);
        ResourceKey(key)
    }

    /// A path needs its parameters, also those that have their default value.
    pub(super) fn default_value(&self, name: &str) -> Option<String> {
        let values = self.endpoint.parameters.get(name)?.default_values();
        (!values.is_empty()).then(|| parameter::encode_list(values))
    }
}

fn push_query(key: &mut String, values: &BTreeMap<&str, String>) {
    let mut separator = '?';
    for (name, value) in values {
        key.push(separator);
        key.push_str(name);
        key.push('=');
        key.push_str(value);
        separator = '&';
    }
}
