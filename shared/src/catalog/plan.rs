//! What a plan is asked, in the words of the configuration: which resources share a call,
//! what it costs, how soon asking again buys nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::budget::Pricing;
use crate::config::Config;
use crate::model::BatchKey;
use crate::plan::{
    COLD_AFTER, Call, Demand, Means, Objective, Observed, Plan, Question, Resource, SolveError,
    plan,
};
use crate::provider::Provider;

/// A tracked resource that has a pace, or is to be given one.
#[derive(Debug, Clone, PartialEq)]
pub struct Known<'a> {
    /// What it shares calls with.
    pub batch_key: &'a str,
    /// Its pace in seconds where one was said.
    pub fixed_secs: Option<f64>,
    /// The planned pace in force, in seconds.
    pub every_secs: Option<f64>,
    /// Its hard bound, in seconds.
    pub max_age_secs: Option<f64>,
    /// Seconds since it was last read.
    pub unread_secs: f64,
    /// What is known of its demand.
    pub observed: Observed,
}

/// A plan for a provider, with what it was made of.
#[derive(Debug, Clone)]
pub struct Planning {
    /// The plan of the resources without a pace of their own, in the order that they were
    /// given in.
    pub plan: Plan,
    /// Which of those given are planned: their places.
    pub places: Vec<usize>,
    /// The demand of the planned ones.
    pub demand: Demand,
    /// For each batch of planned resources: its key, the call, the least interval in seconds.
    pub calls: Vec<(String, Call, f64)>,
    /// Credits for one refresh of each planned resource.
    pub costs: Vec<f64>,
    /// Credits for one refresh of each resource that was given, planned or not.
    pub prices: Vec<f64>,
    /// Credits a second that fixed paces take.
    pub fixed_credits: f64,
    /// Seconds between two refreshes if what is left were spread evenly.
    pub usual_secs: f64,
}

/// Plans for a provider: what fixed paces leave of `means` goes to the others.
///
/// # Errors
///
/// [`SolveError`] if a number means nothing.
pub fn planning(
    config: &Config,
    provider: &Provider,
    objective: Objective,
    known: &[Known<'_>],
    means: Means,
    memory: Duration,
    price: Option<f64>,
) -> Result<Planning, SolveError> {
    let places: Vec<usize> = (0..known.len())
        .filter(|nth| known[*nth].fixed_secs.is_none())
        .collect();
    let mut prices = vec![0.0; known.len()];
    let (fixed_credits, fixed_calls) = fixed(provider, known, &mut prices);
    let means = means.without(fixed_credits, fixed_calls);
    let mut batches: BTreeMap<&str, usize> = BTreeMap::new();
    for place in &places {
        *batches.entry(known[*place].batch_key).or_default() += 1;
    }
    let calls: Vec<(String, Call, f64)> = batches
        .iter()
        .map(|(key, resources)| {
            let batch = BatchKey((*key).to_owned());
            let least = least_interval(config, provider, &batch);
            ((*key).to_owned(), call(provider, &batch, *resources), least)
        })
        .collect();
    let places_of: BTreeMap<&str, usize> = calls
        .iter()
        .enumerate()
        .map(|(nth, (key, _, _))| (key.as_str(), nth))
        .collect();
    let call_of = |place: &usize| places_of[known[*place].batch_key];
    let cost_of = |place: &usize| {
        let (_, call, _) = &calls[call_of(place)];
        call.credits / call.items as f64
    };
    let costs: Vec<f64> = places.iter().map(cost_of).collect();
    for (place, cost) in places.iter().zip(&costs) {
        prices[*place] = *cost;
    }
    let sweep: f64 = costs.iter().sum();
    let usual = (sweep / means.credits).clamp(60.0, 30.0 * 86_400.0);
    let usual = if usual.is_nan() { 3_600.0 } else { usual };
    let observed: Vec<Observed> = places.iter().map(|place| known[*place].observed).collect();
    let demand = Demand::of(&observed, memory, usual);
    let resources: Vec<Resource> = (places.iter().zip(&demand.rates))
        .map(|(place, rates)| Resource {
            call: call_of(place),
            reads: rates.weighted,
            changes: rates.changes,
            min_interval: calls[call_of(place)].2,
            max_age: known[*place].max_age_secs,
            is_cold: known[*place].unread_secs > COLD_AFTER,
            interval: known[*place].every_secs,
        })
        .collect();
    let shared: Vec<Call> = calls.iter().map(|(_, call, _)| *call).collect();
    let plan = plan(&Question {
        objective,
        means,
        calls: &shared,
        resources: &resources,
        price,
    })?;
    Ok(Planning {
        plan,
        places,
        demand,
        calls,
        costs,
        prices,
        fixed_credits,
        usual_secs: usual,
    })
}

/// The cheapest call for so many resources: all of them, if they fit.
fn call(provider: &Provider, batch: &BatchKey, resources: usize) -> Call {
    let most = Pricing::max_items(provider, batch).max(1);
    let full = Pricing::items_for_same_cost(provider, batch, 1).clamp(1, most);
    // What does not fit into the cheapest call needs several of them.
    let items = full.min(resources.max(1));
    Call {
        credits: f64::from(Pricing::worst_case(provider, batch, items).unwrap_or(1)),
        items,
    }
}

/// Within how many seconds asking again buys nothing.
pub(super) fn least_interval(config: &Config, provider: &Provider, batch: &BatchKey) -> f64 {
    let section = (config.providers.iter())
        .find(|(name, _)| *name == provider.name())
        .map(|(_, section)| section);
    let said = section.and_then(|section| section.cache.min_interval);
    let frequency = || {
        let name = Pricing::endpoint(provider, batch)?;
        Some(provider.endpoint(&name)?.update_frequency())
    };
    said.or_else(frequency)
        .map_or(60.0, |least| least.as_secs_f64())
}

/// Credits and calls a second of what has a pace of its own, and what each refresh costs.
fn fixed(provider: &Provider, known: &[Known<'_>], prices: &mut [f64]) -> (f64, f64) {
    let mut together: BTreeMap<(&str, u64), Vec<usize>> = BTreeMap::new();
    for (place, one) in known.iter().enumerate() {
        if let Some(every) = one.fixed_secs {
            let pace = (one.batch_key, every.to_bits());
            together.entry(pace).or_default().push(place);
        }
    }
    let mut sums = (0.0, 0.0);
    for ((key, every), places) in together {
        let call = call(provider, &BatchKey(key.to_owned()), places.len());
        let calls = places.len().div_ceil(call.items) as f64;
        for place in &places {
            prices[*place] = calls * call.credits / places.len() as f64;
        }
        let rate = calls / f64::from_bits(every);
        sums = (sums.0 + rate * call.credits, sums.1 + rate);
    }
    sums
}
