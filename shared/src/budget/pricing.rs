//! What admission must know of a provider's prices.

use crate::model::{BatchKey, EndpointName};

/// A provider's prices and batch sizes, as admission asks for them.
///
/// The provider engine answers; admission stands below it and knows this trait alone.
pub trait Pricing: Send + Sync {
    /// Endpoint of the batch; `None` for a batch key that this configuration does not
    /// know, whose jobs fail.
    fn endpoint(&self, batch: &BatchKey) -> Option<EndpointName>;

    /// Most credits that a call for `items` items of the batch can cost.
    fn worst_case(&self, batch: &BatchKey, items: usize) -> Option<u32>;

    /// Most items that one call may carry; 1 for an endpoint without a batch parameter.
    fn max_items(&self, batch: &BatchKey) -> usize;

    /// Most items that a call may carry at the price of `items`; never less than `items`.
    fn items_for_same_cost(&self, batch: &BatchKey, items: usize) -> usize;

    /// Endpoints of which some call costs at most `credits`.
    fn endpoints_within(&self, credits: u32) -> Vec<EndpointName>;
}
