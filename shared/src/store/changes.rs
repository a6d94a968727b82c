//! What was written since somebody last looked, for processes that keep copies.
//!
//! A look is exact without a message from the writer: each entry carries the transaction that
//! wrote it, and a look answers from where the next one must begin, which is before every
//! transaction that was still open. So nothing is missed that commits late, whoever died
//! before announcing it; what is still within that stretch is told twice.

use super::{Store, StoreError};
use crate::model::ResourceKey;

/// From where the next look begins: a transaction's number, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position(String);

/// What a look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// For the next look.
    pub next: Position,
    /// Entries that were written, with their revision.
    pub written: Vec<(ResourceKey, i64)>,
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
        let rows = sqlx::query!(
            r#"
            -- name: changes
            select pg_snapshot_xmin(s.now)::text as "next!", e.resource_key as "key?",
                   e.revision as "revision?"
            from (select pg_current_snapshot() as now) s
            left join larder.entries e
                on e.written_in >= $1::text::xid8
                -- A dump that was restored carries numbers of another server.
                and e.written_in < pg_snapshot_xmax(s.now)
            "#,
            since,
        )
        .fetch_all(&self.db)
        .await?;
        let next = rows.first().map(|row| Position(row.next.clone()));
        Ok(Changes {
            next: next.ok_or(sqlx::Error::RowNotFound)?,
            written: rows
                .into_iter()
                .filter_map(|row| Some((ResourceKey(row.key?), row.revision?)))
                .collect(),
        })
    }
}
