//! A question in canonical form, before it becomes resources or a call.

use std::collections::{BTreeMap, HashSet};

use super::endpoint::Endpoint;
use super::parameter::{self, Parameter};
use super::request_error::{RequestError, cut};

/// What is asked of an endpoint, in canonical form.
#[derive(Debug, Clone)]
pub(super) struct Question<'p> {
    pub(super) endpoint: &'p Endpoint,
    /// Canonical values by parameter, without defaults, fixed values and items.
    pub(super) values: BTreeMap<String, Vec<String>>,
    /// The parameter that names items; `None` where one call answers one question.
    pub(super) batch: Option<String>,
    /// The items in the order asked, without repetitions; none in a batch key.
    pub(super) items: Vec<String>,
}

/// What was given for a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Given<'a> {
    /// A value, decoded.
    Value(&'a str),
    /// The star of a batch key: any item.
    AnyItem,
}

impl<'p> Question<'p> {
    /// Makes what was asked canonical.
    ///
    /// # Errors
    ///
    /// The first thing that is not a question to this endpoint.
    pub(super) fn new(
        endpoint: &'p Endpoint,
        given: &[(&str, Given<'_>)],
    ) -> Result<Self, RequestError> {
        let mut question = Self {
            endpoint,
            values: BTreeMap::new(),
            batch: None,
            items: Vec::new(),
        };
        for (name, value) in given {
            question.take(name, *value)?;
        }
        question.settle();
        question.check_groups()?;
        // Only now: a default that was given counts as given for the groups.
        question.values.retain(|name, values| {
            endpoint.parameters.get(name).is_none_or(|parameter| {
                parameter.fixed().is_none() && parameter.default_values() != values
            })
        });
        Ok(question)
    }

    fn take(&mut self, name: &str, given: Given<'_>) -> Result<(), RequestError> {
        let endpoint = self.endpoint;
        let Some((name, parameter)) = endpoint.parameters.get_key_value(name) else {
            return Err(RequestError::UnknownParameter {
                endpoint: endpoint.name.to_string(),
                parameter: cut(name),
                known: endpoint.parameters().map(str::to_owned).collect(),
            });
        };
        if endpoint.splits.contains_key(name) {
            return self.take_items(name, parameter, given);
        }
        let Given::Value(value) = given else {
            return Err(self.bad_value(name, "*", "is no batch parameter".to_owned()));
        };
        let values = parameter
            .values(value)
            .map_err(|reason| self.bad_value(name, value, reason))?;
        let known = self.values.entry(name.clone()).or_default();
        if known.is_empty() {
            *known = values;
        } else if parameter.config().list {
            known.extend(values);
        } else if *known != values {
            return Err(RequestError::Repeated {
                endpoint: endpoint.name.to_string(),
                parameter: name.clone(),
            });
        }
        Ok(())
    }

    fn take_items(
        &mut self,
        name: &str,
        parameter: &Parameter,
        given: Given<'_>,
    ) -> Result<(), RequestError> {
        if let Some(other) = self.batch.as_ref().filter(|other| *other != name) {
            return Err(RequestError::Conflict {
                endpoint: self.endpoint.name.to_string(),
                given: vec![other.clone(), name.to_owned()],
            });
        }
        self.batch = Some(name.to_owned());
        if let Given::Value(value) = given {
            let items = parameter
                .values_in_order(value)
                .map_err(|reason| self.bad_value(name, value, reason))?;
            self.items.extend(items);
        }
        Ok(())
    }

    /// Removes repetitions once everything is in: doing so for each of thousands of
    /// repeated parameters would take seconds.
    fn settle(&mut self) {
        for values in self.values.values_mut() {
            values.sort_unstable();
            values.dedup();
        }
        let mut seen = HashSet::new();
        self.items.retain(|item| seen.insert(item.clone()));
    }

    fn check_groups(&self) -> Result<(), RequestError> {
        let endpoint = self.endpoint;
        let has = |name: &String| {
            self.values.contains_key(name) || self.batch.as_ref().is_some_and(|batch| batch == name)
        };
        let groups = endpoint.at_most_one.iter().chain([&endpoint.one_of]);
        for group in groups {
            let given: Vec<String> = group.iter().filter(|name| has(name)).cloned().collect();
            if given.len() > 1 {
                return Err(RequestError::Conflict {
                    endpoint: endpoint.name.to_string(),
                    given,
                });
            }
        }
        let missing = |parameters: Vec<String>| RequestError::Missing {
            endpoint: endpoint.name.to_string(),
            parameters,
        };
        if endpoint.is_batched() && self.batch.is_none() {
            return Err(missing(endpoint.splits.keys().cloned().collect()));
        }
        if !endpoint.one_of.is_empty() && !endpoint.one_of.iter().any(has) {
            return Err(missing(endpoint.one_of.clone()));
        }
        for (name, parameter) in &endpoint.parameters {
            if parameter.config().required && !has(name) {
                return Err(missing(vec![name.clone()]));
            }
        }
        Ok(())
    }

    fn bad_value(&self, name: &str, value: &str, reason: String) -> RequestError {
        RequestError::BadValue {
            endpoint: self.endpoint.name.to_string(),
            parameter: name.to_owned(),
            value: cut(value),
            reason,
        }
    }

    /// The parameters in the order of their names, with the value that stands for
    /// the items, encoded for a key.
    pub(super) fn encoded(&self, items: &str) -> BTreeMap<&str, String> {
        let mut all: BTreeMap<&str, String> = self
            .values
            .iter()
            .map(|(name, values)| (name.as_str(), parameter::encode_list(values)))
            .collect();
        if let Some(batch) = &self.batch {
            all.insert(batch, items.to_owned());
        }
        all
    }
}
