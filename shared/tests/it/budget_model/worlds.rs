//! The worlds that are explored: small ones on each build, wider ones by
//! `scripts/explore-budget`.

use super::world::{Chances, Limit, Window, World, credits, requests};

/// One fault of each kind that a worker can have.
pub(crate) const WORKER_FAULTS: Chances = Chances {
    kills: 1,
    freezes: 1,
    unknowns: 1,
    losses: 0,
    heartbeats: 0,
    releases: 1,
    resends: 0,
    crashes: 0,
    failovers: 0,
    steps_back: 0,
    jumps: 0,
    cap_changes: 0,
    foreign: 0,
    reads: 0,
    prunes: 0,
};

/// Without a fault at all.
pub(crate) const NO_FAULTS: Chances = Chances {
    kills: 0,
    freezes: 0,
    unknowns: 0,
    releases: 0,
    ..WORKER_FAULTS
};

/// Any three ticks and the ends of them, two calls.
pub(crate) fn rolling() -> World {
    World {
        ticks: 6,
        ..World::new(&[requests(Window::Rolling(2), 2)])
    }
}

/// The same with one call and a worker that may fail.
pub(crate) fn rolling_with_faults() -> World {
    World {
        chances: WORKER_FAULTS,
        ..World::new(&[requests(Window::Rolling(1), 1)])
    }
}

/// Windows of four ticks, by a provider's clock that may be ahead or behind.
pub(crate) fn calendar() -> World {
    World {
        ticks: 6,
        ..World::new(&[requests(Window::Calendar(3), 2)])
    }
}

pub(crate) fn calendar_with_faults() -> World {
    World {
        chances: WORKER_FAULTS,
        ticks: 8,
        ..World::new(&[requests(Window::Calendar(5), 1)])
    }
}

pub(crate) fn concurrency() -> World {
    World {
        chances: WORKER_FAULTS,
        ..World::new(&[requests(Window::Concurrency, 1)])
    }
}

/// Three sorts of limit at once, on requests and on credits.
pub(crate) fn several_limits() -> World {
    World {
        chances: Chances {
            kills: 1,
            unknowns: 1,
            ..NO_FAULTS
        },
        cost: (1, 2),
        rule: 2,
        ticks: 5,
        ..World::new(&[
            credits(Window::Calendar(4), 4),
            requests(Window::Rolling(1), 2),
            requests(Window::Concurrency, 1),
        ])
    }
}

/// Two workers whose admissions interleave statement by statement.
pub(crate) fn by_statement() -> World {
    World {
        by_statement: true,
        ticks: 5,
        ..World::new(&[requests(Window::Rolling(1), 1)])
    }
}

/// A call costs one or two, and the rule says at most two.
pub(crate) fn costs() -> World {
    World {
        cost: (1, 2),
        rule: 2,
        chances: Chances {
            kills: 1,
            ..NO_FAULTS
        },
        ticks: 5,
        ..World::new(&[credits(Window::Calendar(3), 3)])
    }
}

/// The rule says one, and each call costs two.
pub(crate) fn prices(confirmed: bool, cap: u8) -> World {
    World {
        cost: (2, 2),
        rule: 1,
        confirmed,
        ticks: 3,
        // Nothing lapses: what nobody heard of cannot be known to have cost more.
        lease: 9,
        ..World::new(&[credits(Window::Calendar(8), cap)])
    }
}

/// The same without waiting for a confirmation, as calls of another endpoint do not wait.
pub(crate) fn prices_side_by_side() -> World {
    let mut world = prices(true, 5);
    world.rules.confirms_prices = false;
    world
}

/// Others spend up to one of each window, and we look up to twice.
pub(crate) fn reconcile(skew: i16) -> World {
    World {
        skew: Some(skew),
        ticks: 5,
        calls: 2,
        lease: 9,
        chances: Chances {
            foreign: 1,
            reads: 2,
            ..NO_FAULTS
        },
        ..World::new(&[requests(Window::Calendar(3), 2)])
    }
}

pub(crate) fn crash() -> World {
    World {
        chances: Chances {
            crashes: 1,
            kills: 1,
            ..NO_FAULTS
        },
        ..World::new(&[requests(Window::Rolling(2), 1)])
    }
}

pub(crate) fn failover() -> World {
    World {
        chances: Chances {
            failovers: 1,
            freezes: 1,
            ..NO_FAULTS
        },
        ticks: 9,
        ..World::new(&[requests(Window::Rolling(1), 1)])
    }
}

/// The database's clock goes from one end of what is allowed to the other.
pub(crate) fn clock_back() -> World {
    World {
        chances: Chances {
            steps_back: 1,
            ..NO_FAULTS
        },
        ahead: 1,
        step: 2,
        skew: Some(0),
        ..World::new(&[requests(Window::Calendar(3), 1)])
    }
}

pub(crate) fn clock_ahead() -> World {
    World {
        chances: Chances {
            jumps: 1,
            kills: 1,
            ..NO_FAULTS
        },
        step: 4,
        ticks: 9,
        ..World::new(&[requests(Window::Rolling(1), 1)])
    }
}

/// An operator, or the provider, lowers and raises the cap.
pub(crate) fn cap_changes() -> World {
    World {
        chances: Chances {
            cap_changes: 2,
            kills: 1,
            ..NO_FAULTS
        },
        lower_cap: 1,
        ticks: 4,
        ..World::new(&[requests(Window::Rolling(1), 2)])
    }
}

/// One window of four ticks, of which two calls are kept for readers.
pub(crate) fn readers() -> World {
    World {
        readers_share: 2,
        ticks: 3,
        lease: 9,
        ..World::new(&[requests(Window::Calendar(4), 3)])
    }
}

pub(crate) fn half_open() -> World {
    World {
        half_open: true,
        chances: Chances {
            kills: 1,
            ..NO_FAULTS
        },
        ticks: 5,
        ..World::new(&[requests(Window::Rolling(1), 2)])
    }
}

/// Two providers behind one address, with a limit each and one together.
pub(crate) fn address() -> World {
    let together = Limit {
        of_address: true,
        ..requests(Window::Rolling(1), 2)
    };
    World {
        providers: 2,
        ticks: 4,
        ..World::new(&[requests(Window::Rolling(1), 2), together])
    }
}

pub(crate) fn prune() -> World {
    World {
        chances: Chances {
            prunes: 1,
            unknowns: 1,
            kills: 1,
            ..NO_FAULTS
        },
        ..World::new(&[requests(Window::Rolling(2), 1)])
    }
}
