//! Makes the best rates into intervals that rows can live by.
//!
//! The solver knows rates and boxes; a provider has calls that several resources share,
//! bounds that must hold, and rows that should not be rewritten without need.
//!
//! - **Calls.** Where a call holds `K` resources and more than `K` can share it, each costs
//!   a `K`th of the call, since it is always filled with what is due next. Where all fit
//!   into one call they are refreshed together: they are planned as one.
//! - **Call rate.** Nothing can be in more calls than are made, so the budget bounds every
//!   rate, beside the least interval that is worth asking at.
//! - **Floors.** What is hardly read is still refreshed once a day, so that its changes are
//!   known, unless that takes more than a tenth of the budget or nobody has read it for two
//!   weeks.
//! - **Hysteresis.** An interval is rewritten only if it moved by more than a fifth, which
//!   costs less than 2 % of the optimum.
//!
//! What bounds need is decided in [`super::bounds`].

use super::bounds::{self, Bound};
use super::{Item, Means, Objective, SolveError, Status, solve_near};

/// Longest interval of what is read, in seconds: otherwise nothing would be learnt of it.
pub const LONGEST: f64 = 86_400.0;

/// Longest interval of what nobody reads any more.
const LONGEST_COLD: f64 = 14.0 * 86_400.0;

/// For so long, in seconds, nobody reads what is cold.
pub const COLD_AFTER: f64 = 14.0 * 86_400.0;

/// Shortest interval that is ever written, in seconds.
const SHORTEST: f64 = 1.0;

/// Share of the budget that the floors of what is unbounded may take.
const FLOORS: f64 = 0.1;

/// An interval that moved by less is left as it is.
const HYSTERESIS: f64 = 1.2;

/// Least that a call can be planned at, in credits: what is free would be asked for without end.
const CHEAPEST: f64 = 1e-3;

/// What resources share: the calls of one batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Call {
    /// Cost in credits of a call for as many as there are, at most `items`.
    pub credits: f64,
    /// Most resources of one call, at least 1.
    pub items: usize,
}

/// What the plan is made for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resource {
    /// Which of the calls it shares.
    pub call: usize,
    /// Reads per second, weighed.
    pub reads: f64,
    /// Changes per second.
    pub changes: f64,
    /// Seconds within which asking again buys nothing.
    pub min_interval: f64,
    /// Age in seconds past which a read waits, if there is one.
    pub max_age: Option<f64>,
    /// Whether nobody has read it for [`COLD_AFTER`].
    pub is_cold: bool,
    /// Interval in force, in seconds.
    pub interval: Option<f64>,
}

/// What a plan is made of.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// What it makes least.
    pub objective: Objective,
    /// What it may use.
    pub means: Means,
    /// What resources share.
    pub calls: &'a [Call],
    /// What it is for.
    pub resources: &'a [Resource],
    /// The price of the last plan, to start from.
    pub price: Option<f64>,
}

/// A plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// For each resource, in order.
    pub resources: Vec<Planned>,
    /// How the budget compares with what could be spent.
    pub status: Status,
    /// What the last credit has bought, if there is a price.
    pub price: Option<f64>,
    /// Credits per second that the plan takes, with full calls.
    pub spend: f64,
    /// Calls per second that the plan takes, if they are full.
    pub calls: f64,
    /// What bounds were multiplied by to fit; 1 if all of them fit.
    pub scale: f64,
}

/// What the plan has for a resource.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Planned {
    /// Seconds from one refresh to the next; never below a second.
    pub interval: f64,
    /// Whether the row should be rewritten.
    pub moved: bool,
    /// What has become of its bound.
    pub bound: Option<Bound>,
}

/// What is planned as one: a resource, or all that fit into one call.
struct Unit<'a> {
    /// Places in the question.
    resources: &'a [usize],
    /// Credits for one refresh of it.
    credits: f64,
    /// Calls for one refresh of it.
    calls: f64,
    reads: f64,
    changes: f64,
    max_rate: f64,
    floor: f64,
}

/// Makes a plan.
///
/// # Errors
///
/// [`SolveError`] if a rate, a cost or the budget is no number that means anything.
pub fn plan(question: &Question<'_>) -> Result<Plan, SolveError> {
    let order = by_call(question);
    let units = units(question, &order);
    let bounds = bounds::decide(question, &units_of(question, &units));
    let credits = question.means.credits;
    let floors: f64 = units.iter().map(|unit| unit.credits * unit.floor).sum();
    let lowered = (FLOORS * credits / floors).min(1.0);
    let items: Vec<Item> = (units.iter().zip(&bounds.min_rates))
        .map(|(unit, bounded)| Item {
            reads: unit.reads,
            changes: unit.changes,
            cost: unit.credits,
            min_rate: bounded.max(unit.floor * lowered).min(unit.max_rate),
            max_rate: unit.max_rate,
        })
        .collect();
    let calls: Vec<f64> = units.iter().map(|unit| unit.calls).collect();
    let solved = within(question, items, &calls)?;
    let mut resources = vec![None; question.resources.len()];
    for (nth, unit) in units.iter().enumerate() {
        for &index in unit.resources {
            let resource = &question.resources[index];
            let interval = interval(resource, solved.rates[nth]);
            resources[index] = Some(Planned {
                interval,
                moved: has_moved(resource.interval, interval),
                bound: bounds.bounds[index],
            });
        }
    }
    Ok(Plan {
        resources: resources.into_iter().flatten().collect(),
        status: solved.status,
        price: solved.price,
        spend: (units.iter().zip(&solved.rates))
            .map(|(unit, rate)| unit.credits * rate)
            .sum(),
        calls: (units.iter().zip(&solved.rates))
            .map(|(unit, rate)| unit.calls * rate)
            .sum(),
        scale: bounds.scale,
    })
}

/// Solves for whichever of credits and calls is scarcer.
fn within(
    question: &Question<'_>,
    mut items: Vec<Item>,
    calls: &[f64],
) -> Result<super::Solution, SolveError> {
    let Question {
        objective,
        means,
        price,
        ..
    } = *question;
    let most = |items: &[Item]| -> f64 {
        let all = items.iter().map(|item| item.cost * item.max_rate);
        // A budget beyond every use is as good as none.
        2.0 * all.sum::<f64>()
    };
    let solved = solve_near(objective, &items, means.credits.min(most(&items)), price)?;
    let made: f64 = calls
        .iter()
        .zip(&solved.rates)
        .map(|(calls, rate)| calls * rate)
        .sum();
    if made <= means.calls {
        return Ok(solved);
    }
    for (item, calls) in items.iter_mut().zip(calls) {
        item.cost = *calls;
    }
    solve_near(objective, &items, means.calls, None)
}

/// Places of the resources in the question, those of one call beside each other.
fn by_call(question: &Question<'_>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..question.resources.len()).collect();
    order.sort_by_key(|index| question.resources[*index].call);
    order
}

fn units<'a>(question: &Question<'_>, order: &'a [usize]) -> Vec<Unit<'a>> {
    let call_of = |index: &usize| question.resources[*index].call;
    let mut units = Vec::new();
    for members in order.chunk_by(|a, b| call_of(a) == call_of(b)) {
        let call = question.calls[question.resources[members[0]].call];
        let credits = call.credits.max(CHEAPEST);
        let rate = (question.means.credits / credits).min(question.means.calls);
        if members.len() <= call.items.max(1) {
            units.push(together(question, members, credits, rate));
            continue;
        }
        let share = 1.0 / call.items.max(1) as f64;
        units.extend(members.chunks(1).map(|alone| Unit {
            calls: share,
            ..together(question, alone, credits * share, rate)
        }));
    }
    units
}

/// Resources that are refreshed together.
fn together<'a>(
    question: &Question<'_>,
    members: &'a [usize],
    credits: f64,
    rate: f64,
) -> Unit<'a> {
    let all = || members.iter().map(|index| &question.resources[*index]);
    let reads: f64 = all().map(|resource| resource.reads).sum();
    let changes: f64 = match reads > 0.0 {
        true => {
            all()
                .map(|resource| resource.reads * resource.changes)
                .sum::<f64>()
                / reads
        }
        false => all().map(|resource| resource.changes).sum::<f64>() / members.len() as f64,
    };
    let shortest = all()
        .map(|resource| resource.min_interval)
        .fold(SHORTEST, f64::max);
    let is_cold = all().all(|resource| resource.is_cold);
    let max_rate = rate.min(1.0 / shortest);
    Unit {
        credits,
        calls: 1.0,
        reads,
        changes,
        max_rate,
        floor: match is_cold {
            true => 0.0,
            false => (1.0 / LONGEST).min(max_rate),
        },
        resources: members,
    }
}

fn units_of(question: &Question<'_>, units: &[Unit<'_>]) -> Vec<bounds::Unit> {
    units
        .iter()
        .map(|unit| {
            let resources = unit
                .resources
                .iter()
                .map(|index| (*index, question.resources[*index]));
            bounds::Unit {
                bounded: resources
                    .filter_map(|(index, resource)| Some((index, resource.max_age?)))
                    .collect(),
                reads: unit.reads,
                credits: unit.credits,
                call: unit.credits / unit.calls,
                max_rate: unit.max_rate,
            }
        })
        .collect()
}

/// The interval of a rate, within what is ever written.
fn interval(resource: &Resource, rate: f64) -> f64 {
    let longest = match resource.is_cold {
        true => LONGEST_COLD,
        // Where the budget does not suffice for the floors they are passed.
        false => 7.0 * LONGEST,
    };
    let shortest = resource.min_interval.max(SHORTEST);
    (1.0 / rate).clamp(shortest, longest.max(shortest))
}

fn has_moved(from: Option<f64>, to: f64) -> bool {
    match from {
        Some(from) if from > 0.0 => !(1.0 / HYSTERESIS..=HYSTERESIS).contains(&(to / from)),
        _ => true,
    }
}
