//! What Larder knows of an external API, and what it concludes from its replies.
//!
//! A provider is data: [`crate::config::provider::ProviderConfig`] says it, and
//! [`Provider::compile`] checks it and makes the engine of it. The engine answers
//! four questions, none of which needs a network, a database or a clock:
//!
//! 1. **What is asked?** [`Provider::read`] and [`Provider::resource`] turn any
//!    spelling of a question into canonical resources.
//! 2. **What may it cost?** [`Provider::worst_case`] bounds a call before it is
//!    made, and [`Provider::items_for_same_cost`] says what may ride along.
//! 3. **What goes out, and what does the reply mean?** [`Provider::call`] gives
//!    path and query; [`Provider::understand`] classifies the reply, reads what it
//!    cost, and takes it apart into one answer for each item.
//! 4. **What does a reader get?** [`Provider::join`] puts answers together again
//!    into the body that the provider itself would have sent.
//!
//! # When a reply is not what the provider documents
//!
//! | reply                                  | reading                                          |
//! |----------------------------------------|--------------------------------------------------|
//! | not JSON, not UTF-8, cut off, no data   | `malformed`; nothing found                       |
//! | success without data                    | `empty`; items of a batch are not found          |
//! | an item is missing                      | that item is not found, the rest is              |
//! | an item is unsound (NUL, too deep, twice) | that item is malformed, the rest is found      |
//! | an element says not which item it is    | missing items are malformed, not "not found"     |
//! | absurd cost                             | charged by the endpoint's rule, with an anomaly  |
//!
//! Nothing is ever found that the body does not hold, and nothing panics:
//! `tests/it/provider_mutations.rs` changes recorded replies at random and checks
//! both.
//!
//! # Not here
//!
//! Keys and hosts ([`Provider::call`] gives neither), windows of time (`budget`),
//! and what becomes of a job (`worker`).

mod batch_key;
mod call;
mod charge;
mod classify;
mod compile;
mod cost;
mod digest;
mod endpoint;
mod envelope;
mod figure;
mod items;
mod join;
mod json;
mod key;
mod limit;
mod own_words;
mod parameter;
mod pointer;
mod problem;
mod question;
mod rate_limit;
mod read;
mod reading;
mod request_error;
mod retry_after;
mod rule;
mod split;
mod time;
mod understand;
mod usage;

use std::collections::BTreeMap;

use crate::config::provider::ProviderConfig;
use crate::model::{EndpointName, ProviderName};

pub use crate::config::provider::{CloseFor, Outcome, Retry};
pub use call::CallRequest;
pub use charge::Charge;
pub use cost::{Asked, CostError, CreditRule};
pub use endpoint::Endpoint;
pub use items::ListError;
pub use join::{JoinError, Part};
pub use key::MAX_KEY_BYTES;
pub use limit::{Limit, Window};
pub use problem::ProviderProblem;
pub use rate_limit::RateLimitReading;
pub use read::{MAX_ITEMS, MAX_QUERY_BYTES, ReadRequest};
pub use reading::{Answer, ItemReading, RawReply, Reading};
pub use request_error::RequestError;
pub use retry_after::RetryAfter;
pub use usage::{UsageError, UsageReading};

/// One external API, checked and ready to be asked about; share it in an `Arc`.
#[derive(Debug, Clone)]
pub struct Provider {
    name: ProviderName,
    config: ProviderConfig,
    host: String,
    endpoints: BTreeMap<EndpointName, Endpoint>,
    limits: Vec<Limit>,
    rules: Vec<rule::Rule>,
    envelope: Option<envelope::Envelope>,
    cost_pointer: Option<pointer::Pointer>,
    message: Option<pointer::Pointer>,
    code: Option<pointer::Pointer>,
    usage: Option<usage::Usage>,
    rate_limits: Vec<rate_limit::RateLimit>,
    secret_parameters: Vec<String>,
}

impl Provider {
    /// The provider's name.
    pub fn name(&self) -> &ProviderName {
        &self.name
    }

    /// Host and port of its base URL, such as `api.example.com:443`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The configuration that it was made of.
    pub fn config(&self) -> &ProviderConfig {
        &self.config
    }

    /// The endpoint with this name.
    pub fn endpoint(&self, name: &EndpointName) -> Option<&Endpoint> {
        self.endpoints.get(name)
    }

    /// Every endpoint, by name.
    pub fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.endpoints.values()
    }

    /// Every limit, by name.
    pub fn limits(&self) -> &[Limit] {
        &self.limits
    }
}
