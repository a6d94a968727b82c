//! Reads what stands against each limit.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Store, StoreError};

/// A provider's lane and its limits as they stand now, and as the API shows them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LaneState {
    /// Whose lane.
    pub provider: String,
    /// Whether it takes calls.
    pub open: bool,
    /// Until when it is closed; `None` also when that is up to an operator.
    pub closed_until: Option<DateTime<Utc>>,
    /// Why it is closed.
    pub reason: Option<String>,
    /// Its limits, in the order in which they were made.
    pub limits: Vec<LimitState>,
}

/// A limit as it stands now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LimitState {
    /// Its name.
    pub name: String,
    /// `requests` or `credits`.
    pub unit: String,
    /// `rolling`, `calendar` or `concurrency`.
    #[serde(skip)]
    pub kind: String,
    /// How much a window may hold.
    pub cap: i64,
    /// Taken, and not coming back before the window moves.
    pub spent: i64,
    /// Set aside for calls in flight.
    pub reserved: i64,
    /// What others took on the same key.
    pub foreign: i64,
    /// What is left.
    pub remaining: i64,
    /// When a calendar window ends.
    pub resets_at: Option<DateTime<Utc>>,
    /// What the window will hold at its end at this pace; `None` for other kinds.
    pub projected: Option<i64>,
}

impl Store {
    /// Every provider's limits, from one statement and so of one moment.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn budget(&self) -> Result<Vec<LaneState>, StoreError> {
        let rows = sqlx::query!(
            r#"
            -- name: budget
            select n.lane, coalesce(n.closed_until <= t.at, true) as "open!",
                   case when n.closed_until > t.at and isfinite(n.closed_until)
                        then n.closed_until end as closed_until,
                   case when n.closed_until > t.at then n.closed_reason end as reason,
                   u.name as "name?", u.unit as "unit?", u.kind as "kind?", u.cap as "cap?",
                   u.spent as "spent?", u.reserved as "reserved?", u.ends_at as "ends_at?",
                   (u.spent * extract(epoch from u.ends_at - u.starts_at)
                    / greatest(extract(epoch from t.at - u.starts_at), 1))::float8 as projected
            from larder.lanes n
            cross join (select clock_timestamp() as at) t
            left join lateral larder.limit_usage(n.lane, t.at) u
                on u.kind <> 'calendar' or u.starts_at <= t.at and t.at < u.ends_at
            where n.is_provider and n.removed_at is null
            order by n.lane, u.limit_id
            "#
        )
        .fetch_all(&self.pool)
        .await?;
        let mut lanes: Vec<LaneState> = Vec::new();
        for row in rows {
            if lanes.last().is_none_or(|lane| lane.provider != row.lane) {
                lanes.push(LaneState {
                    provider: row.lane.clone(),
                    open: row.open,
                    closed_until: row.closed_until,
                    reason: row.reason,
                    limits: Vec::new(),
                });
            }
            let (Some(lane), Some(name)) = (lanes.last_mut(), row.name) else {
                continue;
            };
            let (cap, spent, reserved) = (
                row.cap.unwrap_or(0),
                row.spent.unwrap_or(0),
                row.reserved.unwrap_or(0),
            );
            lane.limits.push(LimitState {
                name,
                unit: row.unit.unwrap_or_default(),
                kind: row.kind.unwrap_or_default(),
                cap,
                spent,
                reserved,
                foreign: 0,
                remaining: (cap - spent - reserved).max(0),
                resets_at: row.ends_at,
                projected: row.projected.map(whole),
            });
        }
        Ok(lanes)
    }
}

/// A projection as a whole number.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a float that is too large becomes the largest number, which is what is meant"
)]
fn whole(projected: f64) -> i64 {
    projected.round() as i64
}
