//! With one rule left out, some history overspends: the shortest one is printed.
//!
//! Numbers are those of the holes in `docs/budget-holes.md`.

use super::explore::fails;
use super::steps::{Budget, Promise};
use super::world::{
    Chances, Foreign, Hold, Order, Probe, Rules, Share, Window, World, credits, requests,
};
use super::worlds::{self, NO_FAULTS};

/// Leaves a rule out, and fails unless the provider counts too much then.
fn overspends(name: &str, world: World, leave_out: impl Fn(&mut Rules)) {
    breaks(Promise::Cap, name, world, leave_out);
}

fn breaks(promise: Promise, name: &str, mut world: World, leave_out: impl Fn(&mut Rules)) {
    leave_out(&mut world.rules);
    fails(name, &Budget { world, promise });
}

#[test]
fn hole_01_without_a_hold_a_frozen_worker_sends_into_a_place_that_was_given_away() {
    let worlds = [
        worlds::rolling_with_faults(),
        worlds::calendar_with_faults(),
        worlds::concurrency(),
    ];
    for world in worlds {
        for hold in [Hold::Nothing, Hold::TransitAlone] {
            let name = format!("{hold:?} after a lapse, {:?}", world.limits[0].window);
            overspends(&name, world.clone(), |rules| rules.hold = hold);
        }
    }
}

#[test]
fn hole_01_without_a_look_at_the_clock_an_old_call_is_sent_at_any_time() {
    overspends("no send_by", worlds::rolling_with_faults(), |rules| {
        rules.checks_send_by = false;
    });
}

#[test]
fn a_place_that_is_free_from_the_reservation_on_is_given_away_too_early() {
    overspends(
        "occupied from its reservation on",
        worlds::rolling(),
        |rules| {
            rules.occupies_after_its_end = false;
        },
    );
}

/// The promise has no more room than it says.
#[test]
fn a_freeze_or_a_journey_beyond_what_is_promised_is_not_covered() {
    let (mut freeze, mut transit) = (worlds::rolling_with_faults(), worlds::rolling_with_faults());
    // One tick more than what lies between the last moment to send and the lease's end.
    freeze.max_freeze += 2;
    freeze.hold_less = 2;
    transit.max_transit += 2;
    transit.hold_less = 2;
    overspends("frozen for longer", freeze, |_| {});
    overspends("on its way for longer", transit, |_| {});
}

#[test]
fn hole_02_an_unfinished_call_that_is_not_charged_to_the_next_window() {
    let world = World {
        chances: NO_FAULTS,
        skew: Some(0),
        ..worlds::calendar_with_faults()
    };
    overspends("charged where it was reserved", world, |rules| {
        rules.unfinished_meets_next_window = false;
    });
}

#[test]
fn hole_02_without_grace_the_providers_clock_counts_a_call_elsewhere() {
    let world = World {
        chances: NO_FAULTS,
        limits: vec![requests(Window::Calendar(3), 1)],
        ..worlds::calendar()
    };
    overspends("not widened by grace", world, |rules| {
        rules.widened_by_grace = false;
    });
}

#[test]
fn hole_03_an_outcome_that_is_unknown_ends_when_it_is_recorded() {
    overspends("given up", worlds::rolling_with_faults(), |rules| {
        rules.transit_after_giving_up = false;
    });
}

#[test]
fn hole_04_without_the_lock_or_with_an_older_count() {
    for order in [
        Order::NoLock,
        Order::LockAndCountInOne,
        Order::CountLockClaim,
    ] {
        overspends(&format!("{order:?}"), worlds::by_statement(), |rules| {
            rules.order = order;
        });
    }
}

#[test]
fn hole_05_the_larger_of_two_counts_instead_of_their_sum() {
    for foreign in [Foreign::LargerOfTheTwo, Foreign::BeyondAllOfOurs] {
        overspends(&format!("{foreign:?}"), worlds::reconcile(0), |rules| {
            rules.foreign = foreign;
        });
    }
}

#[test]
fn hole_05_a_count_of_one_window_that_is_taken_for_the_next() {
    let world = World {
        calls: 3,
        ..worlds::reconcile(0)
    };
    overspends("read at a boundary", world, |rules| {
        rules.drops_reads_at_boundaries = false;
    });
}

#[test]
fn hole_06_a_client_that_sends_again() {
    let world = World {
        chances: Chances {
            resends: 1,
            ..NO_FAULTS
        },
        ..worlds::rolling_with_faults()
    };
    overspends("sent again", world, |rules| rules.client_sends_once = false);
}

#[test]
fn hole_07_a_connection_that_broke_is_taken_for_not_sent() {
    overspends(
        "taken for not sent",
        worlds::rolling_with_faults(),
        |rules| {
            rules.reset_is_unknown = false;
        },
    );
}

#[test]
fn hole_09_a_late_answer_whose_cost_is_thrown_away() {
    let world = World {
        cost: (1, 2),
        rule: 2,
        ..worlds::rolling_with_faults()
    };
    let promise = Promise::CapAndLedger;
    breaks(promise, "late cost", world, |rules| {
        rules.late_cost_counts = false
    });
}

#[test]
fn hole_11_a_correction_in_the_window_of_its_own_date() {
    overspends("corrected by date", worlds::costs(), |rules| {
        rules.corrects_what_was_charged = false;
    });
}

#[test]
fn hole_12_less_reserved_than_a_call_can_cost() {
    let world = World {
        cost: (1, 3),
        rule: 3,
        calls: 2,
        limits: vec![credits(Window::Calendar(8), 4)],
        ..worlds::costs()
    };
    overspends("the usual cost reserved", world, |rules| {
        rules.reserves_the_most = false;
    });
}

#[test]
fn hole_12_a_price_that_is_learnt_and_calls_in_flight_that_are_not_raised() {
    overspends("not raised", worlds::prices_side_by_side(), |rules| {
        rules.raises_calls_in_flight = false;
    });
}

#[test]
fn hole_12_an_unknown_price_and_more_than_one_call_at_a_time() {
    overspends("side by side", worlds::prices(false, 2), |rules| {
        rules.confirms_prices = false;
    });
}

#[test]
fn hole_16_a_database_that_forgot_admits_at_once() {
    overspends("no wait after a failover", worlds::failover(), |rules| {
        rules.waits_after_failover = false;
    });
}

#[test]
fn hole_16_a_clock_that_steps_is_believed() {
    for world in [worlds::clock_back(), worlds::clock_ahead()] {
        overspends("believed", world, |rules| rules.distrusts_clock = false);
    }
}

#[test]
fn hole_17_an_admission_that_is_not_durable_is_forgotten_in_a_crash() {
    overspends("not durable", worlds::crash(), |rules| {
        rules.durable_admission = false;
    });
}

#[test]
fn hole_18_a_probe_that_is_a_flag_stays_set_when_its_worker_is_killed() {
    breaks(Promise::Probe, "a flag", worlds::half_open(), |rules| {
        rules.probe = Probe::Flag;
    });
}

#[test]
fn hole_24_each_provider_counts_for_itself_what_the_address_shares() {
    overspends("counted apart", worlds::address(), |rules| {
        rules.shares_address = false;
    });
}

#[test]
fn hole_25_the_plan_takes_what_readers_need() {
    let world = worlds::readers();
    breaks(Promise::ReadersShare, "no share", world, |rules| {
        rules.share = Share::Nothing;
    });
}

/// The other side of it: what readers did not need is not left over.
#[test]
fn hole_25_a_share_that_stays_the_same_is_left_over_at_the_end() {
    let used_up = |share| {
        let mut world = worlds::readers();
        world.rules.share = share;
        let promise = Promise::NothingUsedUp;
        super::explore::explore(&Budget { world, promise }).counterexample
    };
    assert!(used_up(Share::ByTimeLeft).is_some());
    assert!(used_up(Share::Fixed).is_none());
}

#[test]
fn hole_31_a_call_that_is_deleted_by_its_age_alone() {
    overspends("deleted too early", worlds::prune(), |rules| {
        rules.keeps_what_counts = false;
    });
}
