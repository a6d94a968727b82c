//! With every rule kept, no history overspends.

use super::explore::holds;
use super::steps::{Budget, Promise};
use super::world::World;
use super::worlds;

fn never_overspends(name: &str, world: World) {
    let promise = Promise::CapAndLedger;
    holds(name, &Budget { world, promise });
}

#[test]
fn rolling_windows() {
    never_overspends("rolling", worlds::rolling());
}

#[test]
fn rolling_windows_with_workers_that_die_freeze_and_give_up() {
    never_overspends("rolling, faults", worlds::rolling_with_faults());
}

#[test]
fn calendar_windows_by_a_clock_ahead_or_behind() {
    never_overspends("calendar", worlds::calendar());
}

#[test]
fn calendar_windows_with_workers_that_die_freeze_and_give_up() {
    never_overspends("calendar, faults", worlds::calendar_with_faults());
}

#[test]
fn calls_in_flight_at_once() {
    never_overspends("concurrency", worlds::concurrency());
}

#[test]
fn several_limits_at_once() {
    never_overspends("several limits", worlds::several_limits());
}

#[test]
fn admissions_of_two_workers_statement_by_statement() {
    never_overspends("by statement", worlds::by_statement());
}

#[test]
fn costs_that_are_less_than_reserved() {
    never_overspends("costs", worlds::costs());
}

/// Calls that were admitted before the price could be known are all that may surprise.
#[test]
fn prices_that_are_more_than_the_rule_says() {
    never_overspends("prices, confirmed", worlds::prices(true, 5));
    never_overspends("prices, side by side", worlds::prices_side_by_side());
    never_overspends("prices, unconfirmed", worlds::prices(false, 1));
}

#[test]
fn what_others_spend_on_the_key() {
    for skew in [-1, 0, 1] {
        never_overspends(&format!("reconcile, {skew:+}"), worlds::reconcile(skew));
    }
}

#[test]
fn crashes_of_the_database() {
    never_overspends("crash", worlds::crash());
}

#[test]
fn databases_that_forget() {
    let world = worlds::failover();
    let promise = Promise::Cap;
    holds("failover", &Budget { world, promise });
}

#[test]
fn clocks_of_the_database_that_step() {
    never_overspends("clock back", worlds::clock_back());
    never_overspends("clock ahead", worlds::clock_ahead());
}

#[test]
fn caps_that_change() {
    never_overspends("cap changes", worlds::cap_changes());
}

#[test]
fn what_is_kept_for_readers() {
    let world = worlds::readers();
    never_overspends("readers", world.clone());
    let promise = Promise::ReadersShare;
    holds("readers find their share", &Budget { world, promise });
}

#[test]
fn lanes_that_open_slowly() {
    let world = worlds::half_open();
    never_overspends("half open", world.clone());
    let promise = Promise::Probe;
    holds("somebody may probe", &Budget { world, promise });
}

#[test]
fn limits_of_an_address() {
    never_overspends("address", worlds::address());
}

#[test]
fn old_calls_that_are_deleted() {
    let world = worlds::prune();
    let promise = Promise::Cap;
    holds("prune", &Budget { world, promise });
}
