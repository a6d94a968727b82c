//! What the operator should know of a forecast, in words.

use shared::catalog::Planning;
use shared::plan::{Means, Objective, SolveError, Status};

use super::{Ask, Group, MONTH, group, time};

/// One sentence for each thing that does not fit.
pub(super) fn warnings(
    ask: &Ask<'_>,
    groups: &[Group],
    planned: &Planning,
    means: Means,
) -> Result<Vec<String>, SolveError> {
    let mut warnings = Vec::new();
    let budget = means.credits * MONTH;
    let fixed = planned.fixed_credits * MONTH;
    if fixed > budget * (1.0 + 1e-9) {
        let best = ask.plan_as(Objective::Age, means, |_| None)?;
        let best = group::over_all(1.0, &group::groups(ask.subjects, &best));
        for group in groups.iter().filter(|group| !group.planned) {
            warnings.push(format!(
                "`{}` every {} needs {} credits a month; the plan has {} for all: the best possible \
                 mean age of everything is {}",
                group.group,
                time(group.interval_secs.0),
                number(group.credits_a_month),
                number(budget),
                time(best.mean_age_secs),
            ));
        }
    }
    for group in groups {
        if let (Some(asked), Some(kept)) = (group.max_age_secs, group.kept_age_secs)
            && kept > asked * 1.001
        {
            let instead = match kept.is_finite() {
                true => format!("the budget keeps {}", time(kept)),
                false => "nothing of the budget is left for it".to_owned(),
            };
            warnings.push(format!(
                "`{}` asks for answers no older than {}; {instead}",
                group.group,
                time(asked),
            ));
        }
    }
    let is_enough = planned.plan.status == Status::Saturated && budget.is_finite();
    if is_enough && fixed < budget && !planned.places.is_empty() {
        let spent: f64 = groups.iter().map(|group| group.credits_a_month).sum();
        warnings.push(format!(
            "everything is refreshed as often as its provider renews it; {} of {} credits a month \
             stay unspent",
            number((budget - spent).max(0.0)),
            number(budget),
        ));
    }
    Ok(warnings)
}

/// A whole number with its thousands apart.
pub(crate) fn number(value: f64) -> String {
    let digits = format!("{:.0}", value.max(0.0));
    let mut text = String::new();
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn thousands_are_apart() {
        assert_eq!(
            [number(43_200.0), number(999.6), number(0.2)],
            ["43,200", "1,000", "0"]
        );
    }
}
