//! The words of Larder as types.
//!
//! A name that has been checked once is carried in its own type, so that the
//! rest of the code cannot mistake one string for another. Nothing here does IO.

mod follow;
mod job;
pub mod kind;
mod name;
mod resource;

pub use follow::{FollowSpec, Members, Wanted};
pub use job::{JobId, JobStatus, Priority};
pub use name::{BadName, EndpointName, LaneName, ProviderName, WebhookName};
pub use resource::{BatchKey, Pace, ResourceKey, ResourceSpec, TrackSpec, Tracking};
