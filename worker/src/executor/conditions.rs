//! Asks only for what has changed, where a provider can say that nothing has.
//!
//! The reply to a call carries what the next call for the same can name: an entity tag, or
//! the time of the last change. It is kept with the entries that the call brought, and named
//! only when exactly these are asked for again, since it is of the reply as a whole. A 304
//! renews them all.

use sha2::{Digest as _, Sha256};
use shared::model::ResourceKey;
use shared::store::{AdmittedCall, Validator};

use super::{Executor, header};
use crate::client::Reply;

/// Most bytes of a validator: a longer one is not worth its place in each row.
const MOST_BYTES: usize = 256;

impl Executor {
    /// The condition that this call can make. Puts its jobs into the order of their items,
    /// so that the same items are the same call.
    pub(super) async fn condition(&self, call: &mut AdmittedCall) -> Option<Validator> {
        if !self.provider.config().validators {
            return None;
        }
        call.jobs.sort_by(|a, b| a.item.cmp(&b.item));
        let keys: Vec<ResourceKey> = (call.jobs.iter())
            .map(|job| job.resource_key.clone())
            .collect();
        let of = digest(call);
        let known = self.vital.store.validator(&keys, &of);
        // A worker that stops sends this call no more, whatever is known.
        match self.stop.run_until_cancelled(known).await? {
            Ok(validator) => validator,
            Err(error) => {
                // Without it the provider sends everything, which is as good.
                tracing::debug!(call = %call.id, error = %error.chain(), "asking without a condition");
                None
            }
        }
    }

    /// By what the next call for the same can ask whether this reply still holds.
    pub(super) fn validator(&self, call: &AdmittedCall, reply: &Reply) -> Option<Validator> {
        if !self.provider.config().validators {
            return None;
        }
        let tag = header(reply, "etag").map(|tag| format!("If-None-Match: {tag}"));
        let time = || header(reply, "last-modified");
        let line = tag.or_else(|| time().map(|time| format!("If-Modified-Since: {time}")))?;
        (line.len() <= MOST_BYTES).then(|| Validator {
            line,
            of: digest(call),
        })
    }
}

/// Of what a call asks for: its batch and its items, in order.
fn digest(call: &AdmittedCall) -> String {
    let mut hasher = Sha256::new();
    hasher.update(call.batch_key.as_str());
    for job in &call.jobs {
        hasher.update([0]);
        hasher.update(job.item.as_deref().unwrap_or_default());
    }
    let digest = hasher.finalize();
    digest[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
