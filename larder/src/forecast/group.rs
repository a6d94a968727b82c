//! What a forecast says of each group.

use serde::Serialize;
use shared::catalog::{Catalog, Planning};
use shared::model::{BatchKey, Pace, ProviderName, TrackSpec, Tracking};
use shared::plan::changes::Changes;
use shared::plan::reads::{LONG, ReadCounts};
use shared::plan::{Objective, Observed};
use shared::schedule;

use super::{MONTH, OtherBudget, Subject};

/// What a group gets.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// Its name.
    pub group: String,
    /// How many resources.
    pub resources: usize,
    /// Whether the planner says its pace.
    pub planned: bool,
    /// Credits a month.
    pub credits_a_month: f64,
    /// Shortest and longest time from one refresh to the next, in seconds.
    pub interval_secs: (f64, f64),
    /// Reads per second.
    pub reads_per_second: f64,
    /// Mean age of what readers get, in seconds.
    pub mean_age_secs: f64,
    /// Mean time for which it has been wrong, in seconds.
    pub mean_lag_secs: f64,
    /// Share of reads that get what is right.
    pub fresh: f64,
    /// Hard bound that was asked for, in seconds.
    pub max_age_secs: Option<f64>,
    /// The age in seconds that is kept.
    pub kept_age_secs: Option<f64>,
}

/// Resources of a provider that the configuration names, each with assumed demand.
pub(super) fn subjects(catalog: &Catalog, provider: &ProviderName) -> Vec<Subject> {
    let named = catalog
        .tracked()
        .iter()
        .filter(|track| track.resource.provider == *provider);
    let mut subjects: Vec<Subject> = named
        .map(
            |TrackSpec {
                 resource,
                 group,
                 tracking,
             }| { subject(catalog, provider, group, &resource.batch_key, tracking) },
        )
        .collect();
    for follow in catalog
        .followed()
        .iter()
        .filter(|follow| follow.provider == *provider)
    {
        let one = subject(
            catalog,
            provider,
            &follow.group,
            &follow.batch_key,
            &follow.tracking,
        );
        subjects.extend(vec![one; follow.first]);
    }
    subjects
}

fn subject(
    catalog: &Catalog,
    provider: &ProviderName,
    group: &str,
    batch_key: &BatchKey,
    tracking: &Tracking,
) -> Subject {
    Subject {
        group: group.to_owned(),
        batch_key: batch_key.to_string(),
        fixed_secs: match &tracking.pace {
            Pace::Planned => None,
            Pace::Every(every) => Some(every.as_secs_f64()),
            Pace::Schedule { expression, zone } => {
                let ticks = schedule::ticks_in_january(expression, zone).max(1);
                Some(31.0 * 86_400.0 / ticks as f64)
            }
        },
        max_age_secs: tracking.max_age.map(|bound| bound.as_secs_f64()),
        observed: known(renewed_every(catalog, provider, batch_key), tracking.weight),
    }
}

/// Demand before any was measured: read like every other, changed at each renewal.
fn known(renewed_every: f64, weight: f64) -> Observed {
    Observed {
        counts: ReadCounts {
            long: 1_000.0,
            short: 1_000.0 * 1_800.0 / LONG.as_secs_f64(),
        },
        known_for: 1e9,
        weight,
        changes: Changes {
            changed: 1_000.0,
            changed_secs: 0.0,
            same_secs: 1_000.0 * renewed_every,
        },
        is_dated: true,
    }
}

fn renewed_every(catalog: &Catalog, provider: &ProviderName, batch_key: &BatchKey) -> f64 {
    let name = batch_key.as_str().split('?').next().unwrap_or_default();
    let endpoint = || {
        let provider = catalog.provider(provider.as_str())?;
        provider.endpoint(&name.parse().ok()?)
    };
    endpoint().map_or(60.0, |endpoint| {
        endpoint.update_frequency().as_secs_f64().max(1.0)
    })
}

/// What each group gets of a plan, in the order of the groups.
pub(super) fn groups(subjects: &[Subject], planning: &Planning) -> Vec<Group> {
    let mut intervals: Vec<f64> = subjects
        .iter()
        .map(|one| one.fixed_secs.unwrap_or(0.0))
        .collect();
    let mut kept: Vec<Option<f64>> = subjects.iter().map(|one| one.max_age_secs).collect();
    for (nth, place) in planning.places.iter().enumerate() {
        intervals[*place] = planning.plan.resources[nth].interval;
        kept[*place] = planning.plan.resources[nth].bound.map(|bound| bound.kept);
    }
    let mut found: Vec<Group> = Vec::new();
    for (nth, one) in subjects.iter().enumerate() {
        let at = found.iter().position(|group| group.group == one.group);
        let at = at.unwrap_or_else(|| {
            found.push(empty(one));
            found.len() - 1
        });
        add(
            &mut found[at],
            one,
            intervals[nth],
            kept[nth],
            planning.prices[nth],
        );
    }
    for group in &mut found {
        let reads = group.reads_per_second;
        if reads > 0.0 {
            group.mean_age_secs /= reads;
            group.mean_lag_secs /= reads;
            group.fresh /= reads;
        }
    }
    found
}

fn empty(first: &Subject) -> Group {
    Group {
        group: first.group.clone(),
        resources: 0,
        planned: first.fixed_secs.is_none(),
        credits_a_month: 0.0,
        interval_secs: (f64::INFINITY, 0.0),
        reads_per_second: 0.0,
        mean_age_secs: 0.0,
        mean_lag_secs: 0.0,
        fresh: 0.0,
        max_age_secs: first.max_age_secs,
        kept_age_secs: None,
    }
}

/// Adds a resource; means are sums over reads until all are there.
fn add(group: &mut Group, one: &Subject, interval: f64, kept: Option<f64>, price: f64) {
    let observed = &one.observed;
    let mean = observed.counts.long / LONG.as_secs_f64();
    let reads = observed.counts.rate(observed.known_for, mean, LONG);
    let changes = match observed.is_dated {
        true => observed.changes.dated_rate(interval),
        false => observed.changes.rate(interval),
    };
    let cost = |objective: Objective| objective.cost_per_read(changes, interval);
    group.resources += 1;
    group.credits_a_month += price * MONTH / interval;
    let (shortest, longest) = group.interval_secs;
    group.interval_secs = (shortest.min(interval), longest.max(interval));
    group.reads_per_second += reads;
    group.mean_age_secs += reads * cost(Objective::Age);
    group.mean_lag_secs += reads * cost(Objective::Lag);
    group.fresh += reads * (1.0 - cost(Objective::Fresh));
    group.kept_age_secs = match (group.kept_age_secs, kept) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    };
}

/// All groups together, weighed by their reads.
pub(super) fn over_all(times: f64, groups: &[Group]) -> OtherBudget {
    let reads: f64 = groups.iter().map(|group| group.reads_per_second).sum();
    let mean = |of: fn(&Group) -> f64| -> f64 {
        let sum: f64 = groups
            .iter()
            .map(|group| of(group) * group.reads_per_second)
            .sum();
        sum / reads.max(f64::MIN_POSITIVE)
    };
    OtherBudget {
        times,
        credits_a_month: groups.iter().map(|group| group.credits_a_month).sum(),
        mean_age_secs: mean(|group| group.mean_age_secs),
        mean_lag_secs: mean(|group| group.mean_lag_secs),
        fresh: mean(|group| group.fresh),
    }
}
