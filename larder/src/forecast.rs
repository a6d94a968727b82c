//! What a configuration's budget buys, before or after it runs.
//!
//! A forecast plans once, with the planner's own code, for a whole month: what has a pace
//! costs what it costs, and the rest of each budget goes where it helps most reads. Before
//! anything has run, every resource is taken to be read alike (times its `weight`) and to
//! change as often as its provider renews it; afterwards demand is what was measured.
//!
//! # Not here
//!
//! What happens on the way, such as learning and chance: [`crate::simulate`].

mod group;
mod means;
mod words;

use std::time::Duration;

use serde::Serialize;
use shared::catalog::{Catalog, Known, Planning, planning};
use shared::model::ProviderName;
use shared::plan::reads::LONG;
use shared::plan::{Means, Objective, Observed, SolveError, Status};
use shared::provider::Provider;

pub use group::Group;

use means::means;

/// Seconds of the month that is forecast.
pub const MONTH: f64 = 30.0 * 86_400.0;

/// The budgets that are compared, as multiples of the one there is.
const MULTIPLES: [f64; 4] = [0.5, 1.0, 2.0, 5.0];

/// A resource that a forecast is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    /// The group that it stands in.
    pub group: String,
    /// What it shares calls with.
    pub batch_key: String,
    /// Its pace in seconds where one was said.
    pub fixed_secs: Option<f64>,
    /// Its hard bound in seconds.
    pub max_age_secs: Option<f64>,
    /// What is known or assumed of its demand.
    pub observed: Observed,
}

/// What a provider's budget buys.
#[derive(Debug, Clone, Serialize)]
pub struct Forecast {
    /// Whose budget.
    pub provider: String,
    /// What the planner makes least.
    pub objective: Objective,
    /// Credits a month that planned calls may take; `null` without a limit of credits.
    pub budget_credits: Option<f64>,
    /// How the budget compares with what could be spent.
    pub status: Status,
    /// Credits a month, over all groups.
    pub credits_a_month: f64,
    /// What bounds were multiplied by to fit.
    pub bounds_scale: f64,
    /// For each group.
    pub groups: Vec<Group>,
    /// What other budgets would buy if the planner paced everything.
    pub budgets: Vec<OtherBudget>,
    /// What the operator should know, in words.
    pub warnings: Vec<String>,
}

/// What another budget would buy.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct OtherBudget {
    /// Times the budget there is.
    pub times: f64,
    /// Credits a month that would be spent.
    pub credits_a_month: f64,
    /// Mean age of what readers get, in seconds.
    pub mean_age_secs: f64,
    /// Mean time for which it has been wrong, in seconds.
    pub mean_lag_secs: f64,
    /// Share of reads that get what is right.
    pub fresh: f64,
}

/// Forecasts for one provider. `None` if nothing of it is tracked.
///
/// # Errors
///
/// [`SolveError`] if a number means nothing.
pub fn forecast(
    catalog: &Catalog,
    provider: &Provider,
    subjects: &[Subject],
) -> Result<Option<Forecast>, SolveError> {
    if subjects.is_empty() {
        return Ok(None);
    }
    let section = catalog.config().providers.get(provider.name());
    let budget = section.map(|section| &section.budget);
    let objective = budget.map(|budget| budget.objective).unwrap_or_default();
    let share = budget.map_or(0.0, |budget| budget.readers_share);
    let means = means(provider, share);
    let ask = Ask {
        catalog,
        provider,
        subjects,
    };
    let planned = ask.plan(objective, means)?;
    let groups = group::groups(subjects, &planned);
    let times = |times: f64| -> Result<OtherBudget, SolveError> {
        let other = ask.plan_as(objective, scaled(means, times), |_| None)?;
        let groups = group::groups(subjects, &other);
        Ok(group::over_all(times, &groups))
    };
    let budgets = MULTIPLES
        .into_iter()
        .map(times)
        .collect::<Result<Vec<_>, _>>()?;
    let credits_a_month = groups.iter().map(|group| group.credits_a_month).sum();
    let budget_credits = (means.credits * MONTH)
        .is_finite()
        .then_some(means.credits * MONTH);
    let warnings = words::warnings(&ask, &groups, &planned, means)?;
    Ok(Some(Forecast {
        provider: provider.name().to_string(),
        objective,
        budget_credits,
        status: planned.plan.status,
        credits_a_month,
        bounds_scale: planned.plan.scale,
        groups,
        budgets,
        warnings,
    }))
}

fn scaled(means: Means, times: f64) -> Means {
    Means {
        credits: means.credits * times,
        // How fast a provider may be called does not grow with what one pays for.
        calls: means.calls,
    }
}

/// What the planner is asked, again and again with other means.
struct Ask<'a> {
    catalog: &'a Catalog,
    provider: &'a Provider,
    subjects: &'a [Subject],
}

impl Ask<'_> {
    fn plan(&self, objective: Objective, means: Means) -> Result<Planning, SolveError> {
        self.plan_as(objective, means, |subject| subject.fixed_secs)
    }

    /// The same with other paces than those that were said.
    fn plan_as(
        &self,
        objective: Objective,
        means: Means,
        fixed: impl Fn(&Subject) -> Option<f64>,
    ) -> Result<Planning, SolveError> {
        let known: Vec<Known<'_>> = (self.subjects.iter())
            .map(|subject| Known {
                batch_key: &subject.batch_key,
                fixed_secs: fixed(subject),
                every_secs: None,
                max_age_secs: subject.max_age_secs,
                unread_secs: 0.0,
                observed: subject.observed,
            })
            .collect();
        let config = self.catalog.config();
        planning(config, self.provider, objective, &known, means, LONG, None)
    }
}

/// A time as people say it: to two units.
pub(crate) fn time(seconds: f64) -> String {
    if !(0.0..=1e12).contains(&seconds) {
        return "for ever".to_owned();
    }
    let whole = Duration::from_secs(seconds.round() as u64);
    let text = humantime::format_duration(whole).to_string();
    let text = text.replace("days", "d").replace("day", "d");
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// What the configuration names of a provider, with assumed demand.
pub fn subjects(catalog: &Catalog, provider: &ProviderName) -> Vec<Subject> {
    group::subjects(catalog, provider)
}
