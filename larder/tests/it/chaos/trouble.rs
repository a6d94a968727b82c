//! What goes wrong at the providers.

use sandbox::{RetryAfter, Trouble, TroubleKind};

use super::world::World;

/// Lets the next calls hang, so that whoever is hit soon has a call in flight.
pub(crate) fn hang_some(world: &World) {
    for lane in &world.lanes {
        let hang = TroubleKind::Latency { ms: 20_000 };
        lane.upstream.script(Trouble::next(1, hang));
    }
}

/// Trouble of the providers: what share of the calls it hits, and its name in the
/// sandbox's ledger.
fn troubles() -> Vec<(f64, &'static str, TroubleKind)> {
    let second = Some(RetryAfter::Seconds(1));
    vec![
        (0.03, "drop_after_counting", TroubleKind::DropAfterCounting),
        (0.01, "latency", TroubleKind::Latency { ms: 20_000 }),
        (0.30, "latency", TroubleKind::Latency { ms: 150 }),
        (0.03, "transit", TroubleKind::Transit { ms: 1_000 }),
        (0.02, "half_body", TroubleKind::HalfBody),
        (
            0.03,
            "status",
            TroubleKind::Status {
                status: 500,
                body: None,
                headers: Vec::new(),
            },
        ),
        (
            0.01,
            "limited",
            TroubleKind::Limited {
                code: 1008,
                retry_after: second,
                headers: Vec::new(),
            },
        ),
    ]
}

/// Makes the providers go wrong from now on.
pub(crate) fn script(world: &World) {
    for lane in &world.lanes {
        for (share, _, kind) in troubles() {
            lane.upstream.script(Trouble::next(1, kind.clone()));
            lane.upstream.script(Trouble::fraction(share, kind));
        }
    }
}

/// The names of the troubles that must have been met.
pub(crate) fn names() -> Vec<&'static str> {
    troubles().into_iter().map(|(_, name, _)| name).collect()
}
