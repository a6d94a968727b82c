//! What is explored: the limits, the rules that are kept, and how much may go wrong.
//!
//! Time passes in ticks. Every rule of the protocol is a switch in [`Rules`], so that a
//! test can leave one out and see what it is for.

/// When an admission counts, and when it claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// The lock, then the counts, then the claim.
    LockCountClaim,
    /// Nobody takes a lock.
    NoLock,
    /// The statement that takes the lock counts too: by its snapshot, which is older.
    LockAndCountInOne,
    /// The counts, then the lock, then the claim.
    CountLockClaim,
}

/// How long a call whose lease ran out may still arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    FreezeAndTransit,
    TransitAlone,
    Nothing,
}

/// What counts of that which others spent on the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Foreign {
    /// What is counted remotely beyond our calls that had ended before, on top of ours.
    AddedToOurs,
    /// The larger of the two counts.
    LargerOfTheTwo,
    /// What is counted remotely beyond all of our calls, those on their way included.
    BeyondAllOfOurs,
}

/// What is kept of a window for readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    /// In proportion to the time that is left, less what readers have spent.
    ByTimeLeft,
    /// The same until the end.
    Fixed,
    Nothing,
}

/// Who probes a lane that was closed for trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Probe {
    /// Whoever comes while no call is unfinished.
    FromUnfinishedCalls,
    /// Whoever finds a flag unset, which its record unsets.
    Flag,
}

/// The rules of the protocol, each of which can be left out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) order: Order,
    /// A call occupies a rolling window from its end on, not from its reservation on.
    pub(crate) occupies_after_its_end: bool,
    /// A call without an end occupies each calendar window as soon as that opens.
    pub(crate) unfinished_meets_next_window: bool,
    /// Calls are widened by the difference that the clocks may have.
    pub(crate) widened_by_grace: bool,
    pub(crate) hold: Hold,
    /// A call that a living worker gave up ends only when it cannot arrive any more.
    pub(crate) transit_after_giving_up: bool,
    /// A connection that broke proves nothing.
    pub(crate) reset_is_unknown: bool,
    /// The client makes one request of one call.
    pub(crate) client_sends_once: bool,
    /// The worker looks at its own clock directly before it sends.
    pub(crate) checks_send_by: bool,
    /// A crash of the database forgets no admission.
    pub(crate) durable_admission: bool,
    /// A database that may have forgotten admits nothing until all it forgot is over.
    pub(crate) waits_after_failover: bool,
    /// The time of the database never goes back, and a jump ahead closes the lane.
    pub(crate) distrusts_clock: bool,
    /// What an answer cost is recorded also after the lease has lapsed.
    pub(crate) late_cost_counts: bool,
    /// A correction goes to the windows that were charged, not to the present one.
    pub(crate) corrects_what_was_charged: bool,
    /// The most that a call can cost is reserved, not what it usually costs.
    pub(crate) reserves_the_most: bool,
    /// A price that was too low is raised for the calls in flight too.
    pub(crate) raises_calls_in_flight: bool,
    /// Until its price is confirmed, an endpoint runs one call at a time.
    pub(crate) confirms_prices: bool,
    pub(crate) foreign: Foreign,
    /// A count that was read while a window may have changed is dropped.
    pub(crate) drops_reads_at_boundaries: bool,
    pub(crate) share: Share,
    pub(crate) probe: Probe,
    /// Limits of an address count the calls of every provider behind it.
    pub(crate) shares_address: bool,
    /// Calls are forgotten only when they are out of every window.
    pub(crate) keeps_what_counts: bool,
}

/// Every rule.
pub(crate) const ALL: Rules = Rules {
    order: Order::LockCountClaim,
    occupies_after_its_end: true,
    unfinished_meets_next_window: true,
    widened_by_grace: true,
    hold: Hold::FreezeAndTransit,
    transit_after_giving_up: true,
    reset_is_unknown: true,
    client_sends_once: true,
    checks_send_by: true,
    durable_admission: true,
    waits_after_failover: true,
    distrusts_clock: true,
    late_cost_counts: true,
    corrects_what_was_charged: true,
    reserves_the_most: true,
    raises_calls_in_flight: true,
    confirms_prices: true,
    foreign: Foreign::AddedToOurs,
    drops_reads_at_boundaries: true,
    share: Share::ByTimeLeft,
    probe: Probe::FromUnfinishedCalls,
    shares_address: true,
    keeps_what_counts: true,
};

/// The stretch of time that a limit counts over, in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Window {
    Rolling(i16),
    Calendar(i16),
    Concurrency,
}

/// A limit of one provider, or of the address that all share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) window: Window,
    pub(crate) cap: u8,
    /// Counts what calls cost, not how many there are.
    pub(crate) credits: bool,
    pub(crate) of_address: bool,
}

/// A limit on requests of one provider.
pub(crate) const fn requests(window: Window, cap: u8) -> Limit {
    Limit {
        window,
        cap,
        credits: false,
        of_address: false,
    }
}

/// A limit on credits of one provider.
pub(crate) const fn credits(window: Window, cap: u8) -> Limit {
    Limit {
        credits: true,
        ..requests(window, cap)
    }
}

/// How often each thing may happen in one history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Chances {
    pub(crate) kills: u8,
    pub(crate) freezes: u8,
    /// A worker gives a call up that may have been sent.
    pub(crate) unknowns: u8,
    /// A request never arrives.
    pub(crate) losses: u8,
    pub(crate) heartbeats: u8,
    /// A worker finds that it has not sent a call.
    pub(crate) releases: u8,
    pub(crate) resends: u8,
    /// The database crashes and forgets what was not durable.
    pub(crate) crashes: u8,
    /// The database forgets the last commits though they were durable.
    pub(crate) failovers: u8,
    /// The clock of the database goes back by [`World::step`] ticks.
    pub(crate) steps_back: u8,
    /// It jumps ahead by as many.
    pub(crate) jumps: u8,
    pub(crate) cap_changes: u8,
    /// Others spend on the same key, this much in each window.
    pub(crate) foreign: u8,
    /// How often we look.
    pub(crate) reads: u8,
    pub(crate) prunes: u8,
}

/// What is explored.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) rules: Rules,
    pub(crate) limits: Vec<Limit>,
    pub(crate) chances: Chances,
    /// Calls in one history, at most [`super::state::CALLS`].
    pub(crate) calls: usize,
    /// Ticks in one history.
    pub(crate) ticks: i16,
    pub(crate) lease: i16,
    pub(crate) max_freeze: i16,
    pub(crate) max_transit: i16,
    /// By how much workers and networks are worse than what was configured.
    pub(crate) hold_less: i16,
    pub(crate) grace: i16,
    /// By how much the provider's clock is ahead of the database's; `None` for each of what
    /// it may be.
    pub(crate) skew: Option<i16>,
    /// By how much the database's clock is ahead at first.
    pub(crate) ahead: i16,
    /// By how much the database's clock steps.
    pub(crate) step: i16,
    /// What a call costs: between these.
    pub(crate) cost: (u8, u8),
    /// What the rule says that a call costs at most.
    pub(crate) rule: u8,
    /// The endpoint's price was confirmed before.
    pub(crate) confirmed: bool,
    pub(crate) providers: u8,
    /// The cap of the first limit while it is changed.
    pub(crate) lower_cap: u8,
    /// Readers ask too, and this much of the first limit is theirs.
    pub(crate) readers_share: u8,
    /// The lane was closed for trouble, and opens slowly.
    pub(crate) half_open: bool,
    /// Admissions are taken apart into their statements, by two workers at once.
    pub(crate) by_statement: bool,
}

impl World {
    /// A world without faults.
    pub(crate) fn new(limits: &[Limit]) -> Self {
        Self {
            rules: ALL,
            limits: limits.to_vec(),
            chances: Chances::default(),
            calls: 3,
            ticks: 7,
            lease: 2,
            max_freeze: 2,
            max_transit: 1,
            hold_less: 0,
            grace: 1,
            skew: None,
            ahead: 0,
            step: 0,
            cost: (1, 1),
            rule: 1,
            confirmed: true,
            providers: 1,
            lower_cap: 0,
            readers_share: 0,
            half_open: false,
            by_statement: false,
        }
    }

    /// How long a lapsed call holds its place beyond its lease.
    pub(crate) fn hold(&self) -> i16 {
        match self.rules.hold {
            Hold::FreezeAndTransit => self.max_freeze + self.max_transit - self.hold_less,
            Hold::TransitAlone => self.max_transit,
            Hold::Nothing => 0,
        }
    }

    /// By how much calls are widened when they are charged to calendar windows.
    pub(crate) fn widened_by(&self) -> i16 {
        if self.rules.widened_by_grace {
            self.grace
        } else {
            0
        }
    }

    /// The widest of the windows that can be waited out.
    pub(crate) fn widest(&self) -> i16 {
        let widths = self.limits.iter().map(|limit| match limit.window {
            Window::Rolling(width) => width,
            Window::Calendar(period) => period + self.grace,
            Window::Concurrency => 0,
        });
        widths.max().unwrap_or(0)
    }
}
