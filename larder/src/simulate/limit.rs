//! The best that can be done by anyone who does not look at when reads come.

use shared::plan::{Item, Objective, SolveError, solve};

use super::world::{MONTH, World};

/// Mean penalty of a read, in minutes (or the share of reads that are stale), of the best
/// schedule for somebody who knows all rates from the start.
///
/// # Errors
///
/// [`SolveError`] for a world without sense.
pub fn offline_limit(world: &World, objective: Objective) -> Result<f64, SolveError> {
    // The first fill of the cache is nobody's to choose.
    let first = world.items().div_ceil(world.batch) as f64;
    let calls = (world.credits - first) / MONTH;
    let items: Vec<Item> = (world.reads.iter().zip(&world.changes))
        .map(|(reads, changes)| Item {
            reads: *reads,
            changes: *changes,
            cost: 1.0 / world.batch as f64,
            min_rate: 0.0,
            max_rate: calls,
        })
        .collect();
    let solution = solve(objective, &items, calls)?;
    let cost = |(item, rate): (&Item, &f64)| match item.reads > 0.0 {
        true => item.reads * objective.cost_per_read(item.changes, 1.0 / rate),
        false => 0.0,
    };
    let cost: f64 = items.iter().zip(&solution.rates).map(cost).sum();
    let mean = cost / world.reads.iter().sum::<f64>();
    Ok(match objective {
        Objective::Fresh => mean,
        Objective::Age | Objective::Lag => mean / 60.0,
    })
}
