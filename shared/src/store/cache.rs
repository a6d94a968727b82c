//! Reads the cache.

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use sqlx::types::Json;

use super::{Store, StoreError};
use crate::model::{JobId, ResourceKey};

/// An answer as it stands in the cache.
#[derive(Debug, Clone)]
pub struct CachedEntry {
    /// Whose answer it is.
    pub resource_key: ResourceKey,
    /// The answer as the provider wrote it.
    pub body: Box<RawValue>,
    /// The reply around it.
    pub envelope: Option<Box<RawValue>>,
    /// When it came.
    pub fetched_at: DateTime<Utc>,
    /// How old it is, by the database's clock, in seconds.
    pub age_secs: f64,
    /// For how long it is still fresh, in seconds; negative when overdue.
    pub ttl_secs: f64,
    /// Whether its resource is refreshed ahead of need.
    pub tracked: bool,
    /// Whether the planner says how often.
    pub planned: bool,
    /// Past this age, in seconds, a reader waits for a refresh, if its resource says so.
    pub max_age_secs: Option<f64>,
    /// Higher than that of every earlier state of the entry.
    pub revision: i64,
}

/// A refresh that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedRefresh {
    /// Which job it was.
    pub id: JobId,
    /// Why there is no answer; `None` if the job was completed.
    pub error: Option<String>,
}

impl Store {
    /// The entries of `keys` that exist, in no particular order.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn entries(&self, keys: &[ResourceKey]) -> Result<Vec<CachedEntry>, StoreError> {
        let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
        let rows = sqlx::query!(
            r#"
            -- name: entries
            select e.resource_key, e.body as "body: Json<Box<RawValue>>",
                   e.envelope as "envelope: Json<Box<RawValue>>", e.fetched_at,
                   extract(epoch from t.now - e.fetched_at)::float8 as "age_secs!",
                   extract(epoch from e.fresh_until - t.now)::float8 as "ttl_secs!",
                   coalesce(r.tracked, false) as "tracked!",
                   coalesce(r.tracked and r.planned, false) as "planned!",
                   extract(epoch from r.max_age)::float8 as max_age_secs, e.revision
            from larder.entries e
            left join larder.resources r using (resource_key)
            cross join (select clock_timestamp() as now) t
            where e.resource_key = any($1)
            "#,
            &keys,
        )
        .fetch_all(&self.db)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| CachedEntry {
                resource_key: ResourceKey(row.resource_key),
                body: row.body.0,
                envelope: row.envelope.map(|envelope| envelope.0),
                fetched_at: row.fetched_at,
                age_secs: row.age_secs,
                ttl_secs: row.ttl_secs,
                tracked: row.tracked,
                planned: row.planned,
                max_age_secs: row.max_age_secs,
                revision: row.revision,
            })
            .collect())
    }

    /// Those of the jobs `ids` that have ended, for readers that wait for them.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn ended_refreshes(&self, ids: &[JobId]) -> Result<Vec<EndedRefresh>, StoreError> {
        let ids: Vec<uuid::Uuid> = ids.iter().map(|id| id.0).collect();
        let ended = sqlx::query_as!(
            EndedRefresh,
            r#"
            -- name: ended_refreshes
            select id as "id!: JobId",
                   case status when 'completed' then null
                               else coalesce(errors #>> '{-1,error}', 'cancelled') end as error
            from larder.ended($1)
            "#,
            &ids,
        )
        .fetch_all(&self.db)
        .await?;
        Ok(ended)
    }
}
