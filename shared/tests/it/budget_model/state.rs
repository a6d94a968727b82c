//! Where everything stands at one moment: ledger, workers, requests, provider.

use std::hash::{Hash, Hasher};

use super::world::{Chances, World};

/// Most calls in one history.
pub(crate) const CALLS: usize = 4;

/// What stands in the ledger for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Row {
    /// Reserved, and not settled.
    Open,
    /// Settled, at a cost, with an end.
    Settled,
    /// Settled by nobody; the same, and a late answer may still correct it.
    Lapsed,
    /// The same, and a late answer was thrown away.
    Unheard,
    /// Given back: it was not sent, or is taken for that.
    Released,
    /// The database does not know it any more.
    Forgotten,
}

/// The process that holds a call. Each call has one of its own: whatever processes that
/// hold several can do, these can do too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Holder {
    Alive,
    /// Stopped between its last look at the clock and the send.
    Frozen {
        since: i8,
    },
    Gone,
}

/// The one request of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Request {
    Unsent,
    /// On its way since.
    Sent {
        at: i8,
    },
    /// The provider counted it, at a cost.
    Arrived {
        at: i8,
        cost: u8,
    },
    /// It never arrives.
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Call {
    pub(crate) provider: u8,
    pub(crate) reader: bool,
    pub(crate) row: Row,
    pub(crate) holder: Holder,
    pub(crate) request: Request,
    /// When a second request of the same call arrived, by a client that sends twice.
    pub(crate) again: Option<i8>,
    pub(crate) reserved: i8,
    /// By the time that really passes: what the worker's own clock measures.
    pub(crate) send_by: i8,
    pub(crate) leased_until: i8,
    pub(crate) end: i8,
    /// What was set aside, and after settling what was charged.
    pub(crate) price: u8,
    pub(crate) charged: u8,
    /// The cap of the first limit when it was admitted.
    pub(crate) cap: u8,
    /// Admitted before it was known that the endpoint costs more than its rule says.
    pub(crate) unwarned: bool,
}

/// An admission that is taken apart into its statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Admission {
    Idle,
    /// It has counted, and found that a call fits or does not.
    Counted {
        fits: bool,
        locked: bool,
    },
    Locked,
}

/// A look at the provider's own count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Read {
    pub(crate) began: i8,
    /// Ours that had ended before it began, and all of ours before it began.
    pub(crate) ended_before: u8,
    pub(crate) all_of_ours: u8,
    /// What the provider counted, once it has.
    pub(crate) counted: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct State {
    /// Time that really passed.
    pub(crate) now: i8,
    /// By how much the database's clock is ahead of it.
    pub(crate) ahead: i8,
    /// The latest time that the database told.
    pub(crate) told: i8,
    pub(crate) calls: [Option<Call>; CALLS],
    pub(crate) left: Chances,
    pub(crate) cap: u8,
    /// Nothing is admitted until then.
    pub(crate) closed_until: i8,
    pub(crate) admissions: [Admission; 2],
    pub(crate) half_open: bool,
    /// Somebody probes, says the flag.
    pub(crate) probing: bool,
    /// What the endpoint was found to cost beyond its rule.
    pub(crate) surcharge: u8,
    pub(crate) confirmed: bool,
    /// What others spend in each window of the provider, as soon as it begins.
    pub(crate) foreign: u8,
    /// What we know of that, and in which window.
    pub(crate) known_foreign: Option<(u8, i8)>,
    pub(crate) read: Option<Read>,
    /// Corrections that went to a window by their date, in case that is how it is done.
    pub(crate) misplaced: [i8; 4],
}

impl State {
    pub(crate) fn start(world: &World) -> Self {
        Self {
            now: 0,
            ahead: world.ahead as i8,
            told: world.ahead as i8,
            calls: [None; CALLS],
            left: world.chances,
            cap: world.limits[0].cap,
            closed_until: 0,
            admissions: [Admission::Idle; 2],
            half_open: world.half_open,
            probing: false,
            surcharge: 0,
            confirmed: world.confirmed,
            foreign: 0,
            known_foreign: None,
            read: None,
            misplaced: [0; 4],
        }
    }

    /// The time that the database tells.
    pub(crate) fn time(&self, world: &World) -> i16 {
        let clock = i16::from(self.now) + i16::from(self.ahead);
        if world.rules.distrusts_clock {
            clock.max(i16::from(self.told))
        } else {
            clock
        }
    }

    pub(crate) fn calls(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter().flatten()
    }

    /// Calls that a place is left for.
    pub(crate) fn free(&self, world: &World) -> Option<usize> {
        self.calls[..world.calls].iter().position(Option::is_none)
    }
}

/// In one piece: field by field takes most of the time of an exploration.
impl Hash for Call {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let frozen = match self.holder {
            Holder::Alive => -1,
            Holder::Gone => -2,
            Holder::Frozen { since } => since,
        };
        let (request, cost) = match self.request {
            Request::Unsent => (-1, 0),
            Request::Never => (-2, 0),
            Request::Sent { at } => (at, 100),
            Request::Arrived { at, cost } => (at, cost),
        };
        let bytes = [
            frozen,
            request,
            self.again.unwrap_or(-1),
            self.reserved,
            self.send_by,
            self.leased_until,
            self.end,
        ];
        let [a, b, c, d, e, f, g] = bytes.map(i8::cast_unsigned);
        let row = self.row as u8;
        let (h, i, j) = (cost, self.price, self.charged);
        let flags = self.provider | u8::from(self.reader) << 1 | u8::from(self.unwarned) << 2;
        hasher.write(&[a, b, c, d, e, f, g, h, i, j, row, self.cap, flags]);
    }
}

impl Call {
    /// When the provider counted requests of this call, and what each cost.
    pub(crate) fn arrivals(&self) -> impl Iterator<Item = (i16, u8)> + use<> {
        let first = match self.request {
            Request::Arrived { at, cost } => Some((i16::from(at), cost)),
            _ => None,
        };
        first
            .into_iter()
            .chain(self.again.map(|at| (i16::from(at), 1)))
    }

    /// Whether it stands in the ledger and takes from limits.
    pub(crate) fn counts(&self) -> bool {
        !matches!(self.row, Row::Released | Row::Forgotten)
    }

    pub(crate) fn amount(&self, credits: bool) -> i16 {
        match (credits, self.row) {
            (false, _) => 1,
            (true, Row::Open) => i16::from(self.price),
            (true, _) => i16::from(self.charged),
        }
    }
}
