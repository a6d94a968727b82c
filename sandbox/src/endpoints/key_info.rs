//! `/v1/key/info`: the plan and what is used of it. It is free, but it counts as a
//! request of the minute, itself included.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::Prepared;
use crate::clock::stamp;
use crate::config::KeyInfoForm;
use crate::fault::Fault;
use crate::ledger::Usage;
use crate::market::Market;
use crate::query::Query;

pub(super) fn prepare<'m>(
    query: &Query,
    market: Market<'m>,
    form: KeyInfoForm,
) -> Result<Prepared<'m>, Fault> {
    query.allow(&[])?;
    Ok(Prepared {
        credits: 0,
        asked: Vec::new(),
        data: Box::new(move |usage| data(usage, form, market.now).to_string()),
    })
}

fn data(usage: &Usage, form: KeyInfoForm, now: DateTime<Utc>) -> Value {
    let plan = &usage.plan;
    let left = |cap: u64, used: u64| cap.saturating_sub(used);
    let mut value = json!({
        "plan": {
            "credit_limit_monthly": plan.credits_per_month,
            "credit_limit_monthly_reset": words(usage.month_ends - now),
            "credit_limit_monthly_reset_timestamp": stamp(usage.month_ends),
            "rate_limit_minute": plan.requests_per_minute,
        },
        "usage": {
            "current_minute": {
                "requests_made": usage.minute_requests,
                "requests_left": left(plan.requests_per_minute, usage.minute_requests),
            },
            "current_day": {"credits_used": usage.day_credits},
            "current_month": {
                "credits_used": usage.month_credits,
                "credits_left": left(plan.credits_per_month, usage.month_credits),
            },
        },
    });
    if form == KeyInfoForm::WithDaily {
        let daily = plan.credits_per_day.unwrap_or(plan.credits_per_month);
        value["plan"]["credit_limit_daily"] = json!(daily);
        value["plan"]["credit_limit_daily_reset"] = json!(words(usage.day_ends - now));
        value["plan"]["credit_limit_daily_reset_timestamp"] = json!(stamp(usage.day_ends));
        value["usage"]["current_day"]["credits_left"] = json!(left(daily, usage.day_credits));
    }
    value
}

/// `In 6 days, 7 hours, 51 minutes`, as recorded.
fn words(left: TimeDelta) -> String {
    let minutes = left.num_minutes().max(0);
    format!(
        "In {} days, {} hours, {} minutes",
        minutes / 1_440,
        minutes / 60 % 24,
        minutes % 60
    )
}
