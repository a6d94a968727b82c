//! Reads what stands against each limit.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Store, StoreError};
use crate::budget::alert_level;

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
    /// `rolling`, `calendar`, `discovered` or `concurrency`.
    pub kind: String,
    /// How much a window may hold.
    pub cap: i64,
    /// Taken, and not coming back before the window moves.
    pub spent: i64,
    /// Set aside for calls in flight.
    pub reserved: i64,
    /// What others took on the same key, as far as the provider has told.
    pub foreign: i64,
    /// What is left.
    pub remaining: i64,
    /// How much of that planned calls leave to readers.
    pub kept: i64,
    /// Only counted: it never blocks.
    pub soft: bool,
    /// Of a window that stands still: the highest of 50, 80, 95 and 100 percent that it
    /// has reached, or 0.
    pub alert_level: i16,
    /// When a window that stands still began.
    pub starts_at: Option<DateTime<Utc>>,
    /// When a window that stands still ends.
    pub resets_at: Option<DateTime<Utc>>,
    /// What the window will hold at its end at this pace; `None` for other kinds.
    pub projected: Option<i64>,
    /// When the window will be full at this pace, if that is before its end.
    pub exhausted_at: Option<DateTime<Utc>>,
    /// What the provider itself said of this window last.
    pub remote: Option<RemoteState>,
}

/// What a provider said of a window of a limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RemoteState {
    /// Spent, by everybody who has the key.
    pub used: Option<i64>,
    /// How much the window may hold.
    pub cap: Option<i64>,
    /// When the window ends.
    pub resets_at: Option<DateTime<Utc>>,
    /// Its count less ours of the same moment, of calls that had ended.
    pub drift: Option<i64>,
    /// When it was asked.
    pub read_at: DateTime<Utc>,
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
                   u.spent as "spent?", u.reserved as "reserved?", u.others as "others?",
                   u.kept as "kept?", u.soft as "soft?", u.starts_at is not null as still,
                   case when isfinite(u.starts_at) then u.starts_at end as starts_at,
                   case when isfinite(u.ends_at) then u.ends_at end as ends_at,
                   (pace.taken * extract(epoch from pace.length) / pace.passed)::float8 as projected,
                   case when pace.taken > 0 and pace.taken < u.cap
                         and u.cap * pace.passed < pace.taken * extract(epoch from pace.length)
                        then u.starts_at + make_interval(secs => (u.cap * pace.passed / pace.taken)::float8)
                   end as exhausted_at,
                   r.used as "remote_used?", r.cap as "remote_cap?", r.resets_at as "remote_resets_at?",
                   r.used - r.ours as remote_drift, r.read_at as "remote_read_at?"
            from larder.lanes n
            cross join (select clock_timestamp() as at) t
            left join lateral larder.limit_usage(n.lane, t.at) u
                on u.starts_at is null or u.starts_at <= t.at and t.at < u.ends_at
            left join lateral (
                select u.spent + u.reserved + u.others as taken,
                       case when w.finite then u.ends_at - u.starts_at end as length,
                       case when w.finite then greatest(extract(epoch from t.at - u.starts_at), 1)
                       end as passed
                from (select isfinite(u.starts_at) and isfinite(u.ends_at) as finite) w
            ) pace on true
            left join lateral (
                select * from larder.limit_reports r
                where r.limit_id = u.limit_id and (u.starts_at is null or r.window_starts_at = u.starts_at)
                order by r.call_id desc limit 1
            ) r on true
            where n.is_provider and n.removed_at is null
            order by n.lane, u.limit_id
            "#
        )
        .fetch_all(&self.db)
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
            let foreign = row.others.unwrap_or(0);
            lane.limits.push(LimitState {
                name,
                unit: row.unit.unwrap_or_default(),
                kind: row.kind.unwrap_or_default(),
                cap,
                spent,
                reserved,
                foreign,
                remaining: (cap - spent - reserved - foreign).max(0),
                kept: row.kept.unwrap_or(0),
                soft: row.soft.unwrap_or(false),
                alert_level: match row.still {
                    Some(true) => alert_level(spent + reserved + foreign, cap),
                    _ => 0,
                },
                starts_at: row.starts_at,
                resets_at: row.ends_at,
                projected: row.projected.map(whole),
                exhausted_at: row.exhausted_at,
                remote: row.remote_read_at.map(|read_at| RemoteState {
                    used: row.remote_used,
                    cap: row.remote_cap,
                    resets_at: row.remote_resets_at,
                    drift: row.remote_drift,
                    read_at,
                }),
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
