//! What a credit buys: how often each resource is refreshed within a budget.
//!
//! A fixed interval spends the same credit on what nobody looks at as on what everybody
//! watches. The planner spends it where it makes the most reads fresh: it knows how often
//! each resource is read ([`reads`]) and changes ([`changes`]), what a refresh costs, and
//! within which bounds it may move, and finds the one price of a credit at which what is
//! bought costs what there is ([`solve()`]). [`plan()`] turns the answer into intervals that
//! do not flap, keep hard bounds, and never promise more than the budget holds.
//!
//! Everything here is pure: no IO, no clock, no randomness of its own. The same code plans
//! for the rows in the database, for `larder plan`, and for the virtual month of
//! `larder plan simulate`. The theory and the figures to compare with are in
//! `docs/planner.md`.
//!
//! | what goes wrong                       | what comes of it                                   |
//! |---------------------------------------|----------------------------------------------------|
//! | estimates are off by a factor r       | ½(r + 1/r) of the best cost: 25 % for a factor 2   |
//! | bounds need more than the budget      | all are loosened by one factor, which is published |
//! | the budget exceeds every need         | each is refreshed as often as it may; the rest stays |
//! | demand is zero, NaN or negative       | counts as none; the item is refreshed at its longest interval |
//! | nobody plans any more                 | ticks go on with the intervals that stand in the rows |
//!
//! # Not here
//!
//! Rows: [`crate::store`] reads what is known and writes intervals. Whether a call is
//! made at all: the budget says, at the moment of the call ([`crate::budget`]).

mod bounds;
pub mod changes;
mod demand;
mod instance;
mod inverse;
mod level;
mod means;
mod measure;
mod objective;
pub mod pace;
mod policy;
pub mod reads;
mod solve;
mod sum;
pub mod trigger;

pub use bounds::{Bound, MOST as MOST_FOR_BOUNDS};
pub use demand::{Demand, Observed, Rates};
pub use instance::{Answer, Instance, InstanceError};
pub use means::{Means, Window};
pub use objective::Objective;
pub use policy::{COLD_AFTER, Call, LONGEST, Plan, Planned, Question, Resource, plan};
pub use solve::{Item, Solution, SolveError, Status, solve, solve_near};
