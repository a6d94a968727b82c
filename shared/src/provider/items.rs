//! Lists whose items can be asked for at another endpoint.

use super::pointer::Pointer;
use super::{Provider, RequestError, json};
use crate::model::{FollowSpec, ResourceSpec};

/// Where an endpoint's answer lists items, and what they are called elsewhere.
#[derive(Debug, Clone)]
pub(super) struct Items {
    /// Leads to the list, within the data.
    pub(super) at: Pointer,
    /// Leads to the item's name, within an element.
    pub(super) by: Pointer,
    /// The batch parameter of other endpoints that takes such names.
    pub(super) parameter: String,
}

/// Why a list names no members.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// The endpoint's answer lists nothing, by the configuration.
    #[error("the endpoint's answer is not known to be a list")]
    NoItems,
    /// There is no list where the configuration says.
    #[error("there is no list in it")]
    NotAList,
    /// A list without elements.
    #[error("it is empty")]
    Empty,
    /// An element that does not say which item it is.
    #[error("element {index} does not say which item it is")]
    Nameless {
        /// Which one, counted from 0.
        index: usize,
    },
    /// An item that the other endpoint cannot be asked for.
    #[error("an item cannot be asked for")]
    Refused(#[source] RequestError),
}

impl Provider {
    /// The resources of `follow` that the first items of a list stand for, in its order;
    /// fewer where the list is shorter.
    ///
    /// # Errors
    ///
    /// [`ListError`] if the list is empty, or one of its first elements is not as it
    /// should be: then none of it is believed.
    pub fn members(&self, follow: &FollowSpec, list: &str) -> Result<Vec<ResourceSpec>, ListError> {
        let items = self
            .endpoint(&follow.list_endpoint)
            .and_then(|endpoint| endpoint.items.as_ref())
            .ok_or(ListError::NoItems)?;
        let found = json::find(list, &items.at).ok().flatten();
        let elements = found.and_then(|found| json::elements(found).ok().flatten());
        let elements = elements.ok_or(ListError::NotAList)?;
        if elements.is_empty() {
            return Err(ListError::Empty);
        }
        let mut names = Vec::new();
        for (index, element) in elements.iter().take(follow.first).enumerate() {
            let name = json::find(element, &items.by).ok().flatten();
            let name = name.and_then(json::scalar);
            // A comma would be two items.
            let name = name.filter(|name| !name.is_empty() && !name.contains(','));
            names.push(name.ok_or(ListError::Nameless { index })?);
        }
        let target = self.endpoint(&follow.endpoint).ok_or(ListError::NoItems)?;
        let mut query = follow.parameters.clone();
        query.push((items.parameter.clone(), names.join(",")));
        let read = self.read(target.path(), &query);
        Ok(read.map_err(ListError::Refused)?.resources)
    }
}
