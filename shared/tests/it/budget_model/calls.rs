//! What may happen to one call: each answers what becomes of it, or that it cannot.

use super::state::{Call, Holder, Request, Row};
use super::world::World;

impl Call {
    fn may_send(&self, world: &World, now: i8) -> bool {
        self.request == Request::Unsent
            && self.holder == Holder::Alive
            && (now < self.send_by || !world.rules.checks_send_by)
    }

    pub(super) fn send(self, world: &World, now: i8) -> Option<Self> {
        self.may_send(world, now).then_some(Self {
            request: Request::Sent { at: now },
            ..self
        })
    }

    pub(super) fn freeze(self, world: &World, now: i8) -> Option<Self> {
        self.may_send(world, now).then_some(Self {
            holder: Holder::Frozen { since: now },
            ..self
        })
    }

    /// What it was about to do, it does: that it slept, it does not know.
    pub(super) fn thaw(self, now: i8) -> Option<Self> {
        matches!(self.holder, Holder::Frozen { .. }).then_some(Self {
            holder: Holder::Alive,
            request: Request::Sent { at: now },
            ..self
        })
    }

    /// A request that is on its way stays on its way.
    pub(super) fn kill(self) -> Option<Self> {
        let unsent = self.request == Request::Unsent;
        (self.holder == Holder::Alive).then_some(Self {
            holder: Holder::Gone,
            request: if unsent { Request::Never } else { self.request },
            ..self
        })
    }

    pub(super) fn arrive(self, now: i8, cost: u8) -> Option<Self> {
        matches!(self.request, Request::Sent { .. }).then_some(Self {
            request: Request::Arrived { at: now, cost },
            ..self
        })
    }

    pub(super) fn lose(self) -> Option<Self> {
        matches!(self.request, Request::Sent { .. }).then_some(Self {
            request: Request::Never,
            ..self
        })
    }

    pub(super) fn resend(self, now: i8) -> Option<Self> {
        let sent = matches!(self.request, Request::Sent { .. } | Request::Arrived { .. });
        (sent && self.again.is_none()).then_some(Self {
            again: Some(now),
            ..self
        })
    }

    pub(super) fn beat(self, world: &World, time: i8) -> Option<Self> {
        let alive = self.holder == Holder::Alive && self.row == Row::Open;
        (alive && self.leased_until >= time).then_some(Self {
            leased_until: time + world.lease as i8,
            ..self
        })
    }

    /// Whether a worker lives that may have sent it, and knows no more.
    fn in_doubt(&self) -> bool {
        let sent = matches!(
            self.request,
            Request::Sent { .. } | Request::Arrived { .. } | Request::Never
        );
        sent && self.holder == Holder::Alive && matches!(self.row, Row::Open | Row::Lapsed)
    }

    pub(super) fn give_up(self, world: &World, time: i8) -> Option<Self> {
        let transit = match world.rules.transit_after_giving_up {
            true => world.max_transit as i8,
            false => 0,
        };
        let lapsed = self.row == Row::Lapsed;
        let end = time + transit;
        self.in_doubt().then_some(Self {
            row: Row::Settled,
            holder: Holder::Gone,
            end: if lapsed { self.end.max(end) } else { end },
            charged: self.price,
            ..self
        })
    }

    pub(super) fn take_for_unsent(self, time: i8) -> Option<Self> {
        self.in_doubt().then_some(Self {
            row: Row::Released,
            holder: Holder::Gone,
            end: time,
            ..self
        })
    }

    pub(super) fn release(self, time: i8) -> Option<Self> {
        let unsent = self.request == Request::Unsent && self.holder == Holder::Alive;
        (unsent && matches!(self.row, Row::Open | Row::Lapsed)).then_some(Self {
            row: Row::Released,
            holder: Holder::Gone,
            request: Request::Never,
            end: time,
            ..self
        })
    }

    pub(super) fn lapse(self, world: &World, time: i8) -> Option<Self> {
        (self.row == Row::Open && self.leased_until < time).then_some(Self {
            row: Row::Lapsed,
            end: self.leased_until + world.hold() as i8,
            charged: self.price,
            ..self
        })
    }
}
