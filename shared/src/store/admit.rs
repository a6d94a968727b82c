//! Admits calls: claims jobs and sets their worst-case cost aside, in one transaction.
//!
//! The order of the statements is the guarantee, so it is spelt out here:
//!
//! 1. `begin isolation level read committed`, committing durably: a reservation that a
//!    crash of Postgres forgot would be spent twice.
//! 2. Lock the provider's lane, then its limits, in a statement of their own. A
//!    count in the same statement, or under a stricter isolation level, reads a
//!    snapshot from before the lock was granted and overspends.
//! 3. Count, in later statements, at a `clock_timestamp()` read after the locks.
//! 4. Claim no more work than every limit grants, and fill the call up to what costs
//!    nothing extra with what is due soonest.
//! 5. Write the ledger row, and commit. The call is sent after the commit.
//!
//! | the process dies     | rows left behind                  | put right by                    |
//! |----------------------|-----------------------------------|---------------------------------|
//! | before the commit    | none                              | —                               |
//! | after it             | leased jobs and a reservation     | `upkeep`: rescue, lapse as spent |
//!
//! # Not here
//!
//! Whether a call fits what is left is [`crate::budget::Grants`]'s; what it costs is
//! [`crate::budget::Pricing`]'s.

mod batch;
mod close;
mod count;
mod head;
mod open;
mod replaced;
mod usage_call;

use std::time::Duration;

use uuid::Uuid;

use super::db::Tx;
use super::{Store, StoreError};
use crate::budget::{Pricing, Usage, Verdict};
use crate::model::{BatchKey, EndpointName, JobId, ProviderName, ResourceKey};
use count::Found;
use open::{Blocked, Open, Turn};

pub(super) use count::{lock_lane, lock_limits};
pub use usage_call::UsageRequest;

/// Number of a call in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(pub i64);

impl std::fmt::Display for CallId {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(out)
    }
}

/// Who wants to call, and how much.
#[derive(Debug, Clone)]
pub struct AdmitRequest<'a> {
    /// Whose lane.
    pub provider: &'a ProviderName,
    /// Name of the worker, for the rows.
    pub worker: &'a str,
    /// Digest of the key that the calls will carry.
    pub key_id: Option<&'a str>,
    /// How long the claimed jobs stay ours without a heartbeat.
    pub lease: Duration,
    /// Most calls to admit: the free slots.
    pub max_calls: usize,
    /// Claim by age alone, whatever the priority, so that nothing starves.
    pub by_age: bool,
}

/// What an admission came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Admission {
    /// Calls to send, each once.
    pub calls: Vec<AdmittedCall>,
    /// Jobs that completed without a call, because their answer was in the cache already.
    pub satisfied: usize,
    /// Jobs that failed without a call, because no call can ever answer them.
    pub failed: usize,
    /// Whether due work was left because calls in flight must end first.
    pub busy: bool,
    /// Reason for which this admission closed the lane.
    pub closed: Option<String>,
    /// Windows that passed a level of use of which nobody was told yet.
    pub alerts: Vec<Usage>,
}

impl Admission {
    /// Whether any job ended without a call.
    pub fn has_ended(&self) -> bool {
        self.satisfied + self.failed > 0
    }

    /// Fails the due jobs of a batch that no call can ever answer.
    async fn fail(
        &mut self,
        tx: &mut Tx,
        request: &AdmitRequest<'_>,
        batch: &BatchKey,
        why: &str,
    ) -> Result<(), StoreError> {
        let (satisfied, failed) = batch::fail(tx, request, batch, why).await?;
        self.satisfied += satisfied;
        self.failed += failed;
        Ok(())
    }
}

/// One reservation: to be sent once, and recorded once.
#[derive(Debug, Clone, PartialEq)]
pub struct AdmittedCall {
    /// Its number in the ledger.
    pub id: CallId,
    /// What its jobs are held under.
    pub lease_token: Uuid,
    /// Which of the provider's paths to call.
    pub endpoint: EndpointName,
    /// The parameters that all its jobs share.
    pub batch_key: BatchKey,
    /// The jobs that it answers, riders included.
    pub jobs: Vec<ClaimedRefresh>,
    /// The most that it may cost.
    pub reserved_credits: u32,
}

/// A refresh that is ours until its lease ends.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedRefresh {
    /// Which job.
    pub id: JobId,
    /// What it refreshes.
    pub resource_key: ResourceKey,
    /// Its value of the batch parameter.
    pub item: Option<String>,
    /// Which attempt this is, from 1 on.
    pub attempt: i32,
    /// After how many it fails for good.
    pub max_attempts: i32,
    /// For how long it had been due.
    pub waited: Duration,
}

impl Store {
    /// Admits up to `max_calls` calls of a provider. See the module's documentation.
    ///
    /// # Errors
    ///
    /// Whatever the database reports; nothing was admitted then.
    pub async fn admit(
        &self,
        request: &AdmitRequest<'_>,
        pricing: &dyn Pricing,
    ) -> Result<Admission, StoreError> {
        let mut tx = self.begin_locking().await?;
        let mut admission = Admission {
            calls: Vec::new(),
            satisfied: 0,
            failed: 0,
            busy: false,
            closed: None,
            alerts: Vec::new(),
        };
        let lane = match count::lock(&mut tx, request.provider).await? {
            Found::Open(lane) => lane,
            Found::Closed => return Ok(admission),
            Found::Replaced => {
                tx.commit().await?;
                admission.closed = Some("database_replaced".to_owned());
                return Ok(admission);
            }
        };
        if lane.must_ask {
            // Whoever asks for the provider's count tells the others.
            admission.busy = true;
            tx.commit().await?;
            return Ok(admission);
        }
        let counted = count::count(&mut tx, request.provider).await?;
        let mut open = Open::new(request, &lane, counted);
        let mut turn = Turn {
            urgent: lane.kept,
            ..Turn::default()
        };
        while admission.calls.len() < request.max_calls {
            if admission.calls.len() >= open.room {
                admission.busy = true;
                break;
            }
            let within = turn.within.map(|credits| pricing.endpoints_within(credits));
            let wanted = head::Wanted {
                skipped: &turn.skipped,
                within: within.as_deref(),
                urgent: turn.urgent,
            };
            let Some(head) = head::head(&mut tx, request, wanted).await? else {
                break;
            };
            let (caller, head) = (head.caller(), head.batch);
            let priced = pricing.endpoint(&head).and_then(|endpoint| {
                let price = open.price(pricing, &head, &endpoint, 1)?;
                Some((endpoint, price))
            });
            let Some((endpoint, price)) = priced else {
                admission
                    .fail(&mut tx, request, &head, batch::UNKNOWN)
                    .await?;
                continue;
            };
            if open.endpoints.is_forbidden(&endpoint) {
                admission
                    .fail(&mut tx, request, &head, batch::FORBIDDEN)
                    .await?;
                continue;
            }
            if open.endpoints.must_wait(&endpoint) {
                admission.busy = true;
                turn.skipped.push(endpoint);
                continue;
            }
            match open.grants.check(price, caller) {
                Verdict::Fits => {}
                Verdict::TooExpensive(usage) => {
                    let why = batch::TooExpensive {
                        price,
                        usage: usage.clone(),
                    }
                    .to_string();
                    admission.fail(&mut tx, request, &head, &why).await?;
                    continue;
                }
                Verdict::Busy(_) => {
                    admission.busy = true;
                    break;
                }
                Verdict::Kept(usage) => {
                    // Readers may still have it.
                    turn.urgent = true;
                    turn.kept = Some(Blocked::by(usage, price));
                    continue;
                }
                Verdict::Full(usage) => {
                    // Something that costs less may still fit, but only once: then it is over.
                    let blocked = Blocked::by(usage, price);
                    turn.blocked.get_or_insert(blocked);
                    match open.grants.credits_left() {
                        Some(left)
                            if left < price && turn.within.is_none_or(|last| left < last) =>
                        {
                            turn.within = Some(left);
                            continue;
                        }
                        _ => break,
                    }
                }
            }
            let most = open.most_items(pricing, &head, &endpoint, caller);
            let claimed = batch::claim(&mut tx, request, &head, most).await?;
            admission.satisfied += claimed.satisfied;
            if claimed.jobs.is_empty() {
                if claimed.satisfied == 0 {
                    break;
                }
                continue;
            }
            let call =
                batch::reserve(&mut tx, request, pricing, &open, endpoint, head, claimed).await?;
            open.grants.reserve(call.reserved_credits, caller);
            open.endpoints.started(&call.endpoint);
            admission.calls.push(call);
        }
        if let (Some(blocked), true) =
            (&turn.blocked, admission.calls.is_empty() && !admission.busy)
        {
            let reason = format!("budget:{}", blocked.usage.name);
            close::close(
                &mut tx,
                request.provider,
                &reason,
                &blocked.usage,
                blocked.price,
            )
            .await?;
            admission.closed = Some(reason);
        } else if let Some(kept) = &turn.kept {
            close::keep(&mut tx, request.provider, &kept.usage, kept.price).await?;
        }
        for usage in open.grants.alerts() {
            close::alerted(&mut tx, usage).await?;
            admission.alerts.push(usage.clone());
        }
        if open.unfolded >= FOLD_AT {
            count::fold(&mut tx, request.provider).await?;
        }
        tx.commit().await?;
        Ok(admission)
    }
}

/// From how many settled calls on they are moved into the totals: often enough that
/// counting stays short, seldom enough that an admission seldom pays for it.
const FOLD_AT: i64 = 32;
