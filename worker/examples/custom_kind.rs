//! The kind `digest`: says in the log how much of a provider's budget is left.

use serde::Deserialize;
use worker::{Handler, HandlerContext, Handlers, Outcome};

/// The args of a `digest`: `{"provider": "coinmarketcap"}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DigestArgs {
    /// Whose budget.
    pub provider: String,
}

/// Says in the log how much of a provider's budget is left.
#[derive(Debug)]
pub struct Digest;

impl Handler for Digest {
    const KIND: &'static str = "digest";
    type Args = DigestArgs;

    async fn run(&self, args: DigestArgs, context: HandlerContext) -> Outcome {
        let lanes = match context.services.store.budget().await {
            Ok(lanes) => lanes,
            // The database may be back soon: another attempt, after the usual wait.
            Err(error) => return Outcome::retry(error.chain()),
        };
        let Some(lane) = lanes.iter().find(|lane| lane.provider == args.provider) else {
            // No attempt will find what is not there.
            return Outcome::fail(format!("there is no provider {:?}", args.provider));
        };
        for limit in &lane.limits {
            tracing::info!(
                job = %context.job,
                limit = limit.name,
                remaining = limit.remaining,
                cap = limit.cap,
                "budget of {}",
                lane.provider,
            );
        }
        Outcome::Done
    }
}

fn main() {
    // In the tree this is the line `.with(Digest)` of `Handlers::shipped`.
    let handlers = Handlers::shipped().with(Digest);
    assert!(handlers.kinds().contains(&"digest".to_owned()));
}
