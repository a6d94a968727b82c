//! A cache that fetches what is read and too old, one item a call.

use super::copies::Copies;
use super::tally::Tally;
use super::world::{MONTH, World};

/// A copy older than `ttl` seconds is fetched by the read that meets it, as long as there
/// are credits; then copies get old. Answers what readers saw, the credits spent and when
/// they were gone.
pub fn read_through(world: &World, ttl: f64) -> (Tally, f64, Option<f64>) {
    let mut copies = Copies::of(world);
    let mut readers = world.readers();
    let mut tally = Tally::default();
    let (mut spent, mut gone) = (0.0, None);
    while readers.at() < MONTH {
        let at = readers.at();
        let item = readers.read();
        if copies.age(item, at) > ttl || !copies.is_there(item) {
            if spent + 1.0 <= world.credits {
                spent += 1.0;
                copies.fetch(item, at);
            } else {
                gone = gone.or(Some(at));
            }
        }
        tally.read(copies.age(item, at), copies.lag(item, at));
    }
    (tally, spent, gone)
}
