//! What a call cost, as its reply tells.

use super::classify::Body;
use super::cost::MOST_CREDITS;
use super::retry_after::header;
use super::{Outcome, Provider, RawReply};

/// How many times the worst case a reported cost may be before it is disbelieved.
const MOST_TIMES_WORST: u32 = 100;

/// What a call cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charge {
    /// So many credits, as the provider reports. It may be more than was reserved.
    Reported(u32),
    /// What the endpoint's rule says: the reservation is settled as spent.
    ByRule {
        /// Whether a figure was expected and there was none, or none that can be
        /// true: negative, broken, text, or absurdly large.
        anomaly: bool,
    },
    /// Nothing: the provider does not charge for such a reply.
    Free,
}

enum Reported {
    Credits(u32),
    Nothing,
    Insane,
}

impl Provider {
    /// What a reply with this outcome cost, when at most `worst` was reserved.
    pub(super) fn charge(
        &self,
        outcome: Outcome,
        worst: u32,
        reply: &RawReply<'_>,
        body: &Body<'_>,
    ) -> Charge {
        let cost = &self.config.cost;
        let listed = |list: &Option<Vec<Outcome>>| list.as_ref().map(|it| it.contains(&outcome));
        let is_charged =
            listed(&cost.charged).unwrap_or(true) && !listed(&cost.free).unwrap_or(false);
        let is_reported = self.cost_pointer.is_some() || self.config.cost.header.is_some();
        match self.reported(worst, reply, body) {
            Reported::Credits(credits) => Charge::Reported(credits),
            Reported::Insane => Charge::ByRule { anomaly: true },
            Reported::Nothing if is_charged => Charge::ByRule {
                anomaly: is_reported,
            },
            Reported::Nothing => Charge::Free,
        }
    }

    fn reported(&self, worst: u32, reply: &RawReply<'_>, body: &Body<'_>) -> Reported {
        let in_body = self
            .cost_pointer
            .as_ref()
            .and_then(|pointer| body.find(pointer));
        let in_header = || {
            let name = self.config.cost.header.as_ref()?;
            header(reply.headers, name).map(str::trim)
        };
        let Some(text) = in_body.or_else(in_header) else {
            return Reported::Nothing;
        };
        // A number only: a quoted one is no dialect that was ever seen here, and
        // what cannot be trusted is settled at the reservation.
        let most = MOST_CREDITS.min(worst.max(1).saturating_mul(MOST_TIMES_WORST));
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse::<u32>() {
            Ok(credits) if digits && credits <= most => Reported::Credits(credits),
            _ => Reported::Insane,
        }
    }
}
