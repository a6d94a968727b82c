//! The same worlds with more calls, more time and more faults: minutes, not seconds.
//!
//! `scripts/explore-budget` runs it. `LARDER_MODEL_TICKS` and `LARDER_MODEL_CALLS` say how
//! many of each are added.

use super::explore::holds;
use super::steps::{Budget, Promise};
use super::world::{Chances, World};
use super::worlds;

fn more(name: &str) -> usize {
    let given = std::env::var(name).ok();
    given.map_or(0, |text| text.parse().expect("a number"))
}

#[test]
#[ignore = "takes minutes: scripts/explore-budget runs it"]
fn every_world_with_more_calls_and_more_time() {
    let (ticks, calls) = (more("LARDER_MODEL_TICKS"), more("LARDER_MODEL_CALLS"));
    let named: [(&str, World); 16] = [
        ("by statement", worlds::by_statement()),
        ("rolling", worlds::rolling()),
        ("rolling, faults", worlds::rolling_with_faults()),
        ("calendar", worlds::calendar()),
        ("calendar, faults", worlds::calendar_with_faults()),
        ("concurrency", worlds::concurrency()),
        ("several limits", worlds::several_limits()),
        ("costs", worlds::costs()),
        ("crash", worlds::crash()),
        ("failover", worlds::failover()),
        ("clock back", worlds::clock_back()),
        ("clock ahead", worlds::clock_ahead()),
        ("cap changes", worlds::cap_changes()),
        ("half open", worlds::half_open()),
        ("address", worlds::address()),
        ("prune", worlds::prune()),
    ];
    for (name, mut world) in named {
        world.ticks += i16::try_from(ticks).expect("few");
        world.calls = (world.calls + calls).min(super::state::CALLS);
        if world.chances == worlds::WORKER_FAULTS {
            world.chances = Chances {
                heartbeats: 1,
                losses: 1,
                ..world.chances
            };
        }
        // What is forgotten on purpose is not in the ledger.
        let promise = match name {
            "failover" | "prune" => Promise::Cap,
            _ => Promise::CapAndLedger,
        };
        holds(name, &Budget { world, promise });
    }
}
