//! Groups whose members are read from a list: "the first 100 of the listings".

use super::{BatchKey, EndpointName, ProviderName, ResourceKey, ResourceSpec, TrackSpec, Tracking};

/// A group that follows a list: its members are the first items of an answer in the cache.
#[derive(Debug, Clone, PartialEq)]
pub struct FollowSpec {
    /// Name of the group.
    pub group: String,
    /// Whose answers these are.
    pub provider: ProviderName,
    /// The resource whose entry lists the items. It is tracked itself.
    pub list: ResourceKey,
    /// The endpoint that `list` is of.
    pub list_endpoint: EndpointName,
    /// Which of the provider's paths gives the members.
    pub endpoint: EndpointName,
    /// What is asked of it beside the items.
    pub parameters: Vec<(String, String)>,
    /// Which calls can fetch the members together.
    pub batch_key: BatchKey,
    /// How many items of the list.
    pub first: usize,
    /// How the members are tracked.
    pub tracking: Tracking,
}

/// Reads the members of a group out of its list.
pub trait Members: Sync {
    /// The resources that the first items of the list stand for, in its order.
    ///
    /// # Errors
    ///
    /// What is wrong with the list, in words: empty, or not of its shape.
    fn members(&self, follow: &FollowSpec, list: &str) -> Result<Vec<ResourceSpec>, String>;
}

/// Everything that a configuration wants refreshed ahead of need.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// What it names.
    pub tracked: &'a [TrackSpec],
    /// The groups whose members stand in a list.
    pub followed: &'a [FollowSpec],
    /// Reads the lists.
    pub members: &'a dyn Members,
}

impl<'a> Wanted<'a> {
    /// What is named, and no list.
    pub fn named(tracked: &'a [TrackSpec]) -> Self {
        Self {
            tracked,
            followed: &[],
            members: &NoLists,
        }
    }
}

/// Where there is no list to read.
struct NoLists;

impl Members for NoLists {
    fn members(&self, _: &FollowSpec, _: &str) -> Result<Vec<ResourceSpec>, String> {
        Err("no list is read here".to_owned())
    }
}
