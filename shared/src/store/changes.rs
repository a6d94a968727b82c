//! What was written since somebody last looked, for processes that keep copies.
//!
//! A look is exact without a message from the writer: each entry carries the transaction that
//! wrote it, and a look answers from where the next one must begin, which is before every
//! transaction that was still open. So nothing is missed that commits late, whoever died
//! before announcing it; what is still within that stretch is told twice.

use std::collections::HashMap;

use sqlx::types::Json;

use super::{Closed, Store, StoreError};
use crate::model::ResourceKey;

/// From where the next look begins: a transaction's number, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position(String);

/// What a look found.
#[derive(Debug, Clone, PartialEq)]
pub struct Changes {
    /// For the next look.
    pub next: Position,
    /// Entries that were written, with their revision.
    pub written: Vec<(ResourceKey, i64)>,
    /// The lanes that are closed at present, as [`Store::closed`] tells them: in the same
    /// statement, since whoever keeps copies needs both once a second.
    pub closed: HashMap<String, Closed>,
}

/// What decides whether a copy of an entry is still right.
#[derive(Debug, Clone, PartialEq)]
pub struct EntryMark {
    /// Whose answer it is.
    pub resource_key: ResourceKey,
    /// Its state; see [`super::CachedEntry::revision`].
    pub revision: i64,
    /// Whether its resource is refreshed ahead of need.
    pub tracked: bool,
    /// Whether the planner says how often.
    pub planned: bool,
    /// Past this age, in seconds, a reader waits for a refresh, if its resource says so.
    pub max_age_secs: Option<f64>,
}

impl Store {
    /// The marks of those of `keys` that have an entry, in no particular order.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn entry_marks(&self, keys: &[ResourceKey]) -> Result<Vec<EntryMark>, StoreError> {
        let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
        let rows = sqlx::query!(
            r#"
            -- name: entry_marks
            select e.resource_key as "resource_key!", e.revision as "revision!",
                   coalesce(r.tracked, false) as "tracked!",
                   coalesce(r.tracked and r.planned, false) as "planned!",
                   extract(epoch from r.max_age)::float8 as max_age_secs
            from larder.entries e
            left join larder.resources r using (resource_key)
            where e.resource_key = any($1)
            "#,
            &keys,
        )
        .fetch_all(&self.db)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| EntryMark {
                resource_key: ResourceKey(row.resource_key),
                revision: row.revision,
                tracked: row.tracked,
                planned: row.planned,
                max_age_secs: row.max_age_secs,
            })
            .collect())
    }

    /// The entries that were written since the look that gave `since`; none, and only a
    /// position, for the first look.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn changes(&self, since: Option<&Position>) -> Result<Changes, StoreError> {
        let since = since.map(|position| position.0.as_str());
        let row = sqlx::query!(
            r#"
            -- name: changes
            select pg_snapshot_xmin(s.now)::text as "next!", w.keys as "keys!", w.revisions as "revisions!",
                   c.closed as "closed!: Json<HashMap<String, Closed>>"
            from (select pg_current_snapshot() as now) s
            cross join lateral (
                select coalesce(array_agg(e.resource_key), '{}') as keys,
                       coalesce(array_agg(e.revision), '{}') as revisions
                from larder.entries e
                where e.written_in >= $1::text::xid8
                  -- A dump that was restored carries numbers of another server.
                  and e.written_in < pg_snapshot_xmax(s.now)
            ) w
            cross join (
                select coalesce(jsonb_object_agg(lane, jsonb_build_object(
                           'reason', coalesce(closed_reason, 'closed'),
                           'secs', case when isfinite(closed_until)
                                        then extract(epoch from closed_until - clock_timestamp())::float8
                                   end)), '{}') as closed
                from larder.lanes
                where removed_at is null and closed_until > clock_timestamp()
            ) c
            "#,
            since,
        )
        .fetch_one(&self.db)
        .await?;
        let keys = row.keys.into_iter().map(ResourceKey);
        Ok(Changes {
            next: Position(row.next),
            written: keys.zip(row.revisions).collect(),
            closed: row.closed.0,
        })
    }
}
