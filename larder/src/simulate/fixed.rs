//! Every item at one interval, as a cron job does it.

use super::copies::Copies;
use super::tally::Tally;
use super::world::{MONTH, World};

/// A sweep over all items, a full call after the other, as often as the credits allow.
/// Answers what readers saw and the credits spent.
pub fn fixed_interval(world: &World) -> (Tally, f64) {
    let mut copies = Copies::of(world);
    let mut readers = world.readers();
    let mut tally = Tally::default();
    let calls = world.items().div_ceil(world.batch);
    let sweeps = (world.credits / calls as f64).floor();
    let every = MONTH / (sweeps * calls as f64);
    let mut spent = 0.0;
    let mut call = 0;
    let mut next = 0.0;
    while readers.at() < MONTH {
        while next <= readers.at() && spent < world.credits {
            let first = (call % calls) * world.batch;
            for item in first..(first + world.batch).min(world.items()) {
                copies.fetch(item, next);
            }
            spent += 1.0;
            call += 1;
            // The first fill is made at once.
            next += if call < calls { 0.0 } else { every };
        }
        let at = readers.at();
        let item = readers.read();
        tally.read(copies.age(item, at), copies.lag(item, at));
    }
    (tally, spent)
}
