//! What a next call may name, so that the provider need not send again what has not changed.

use super::record::CallRecord;
use super::{Store, StoreError, StoredEntry, seconds};
use crate::model::ResourceKey;
use crate::store::db::Tx;

/// A condition that a call can make, and which call it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validator {
    /// A header of the next request, such as `If-None-Match: "abc"`.
    pub line: String,
    /// Digest of what the call asked for: only a call for the same may make the condition.
    pub of: String,
}

impl Store {
    /// The condition that a call for exactly `keys` can make: the one that all of their
    /// entries carry from a call for the same. `None` if any of them has another one, or none.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn validator(
        &self,
        keys: &[ResourceKey],
        of: &str,
    ) -> Result<Option<Validator>, StoreError> {
        let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
        let line = sqlx::query_scalar!(
            r#"
            -- name: validator
            select min(validator) from larder.entries
            where resource_key = any($1) and validator_of = $2
            having count(*) = cardinality($1::text[]) and min(validator) = max(validator)
            "#,
            &keys,
            of,
        )
        .fetch_optional(&self.db)
        .await?;
        Ok(line.flatten().map(|line| Validator {
            line,
            of: of.to_owned(),
        }))
    }
}

/// Renews entries of which the provider said that they are as they were; answers which.
pub(super) async fn confirm(
    tx: &mut Tx,
    record: &CallRecord,
) -> Result<Vec<StoredEntry>, StoreError> {
    if record.unchanged.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<String> = (record.unchanged.iter()).map(ToString::to_string).collect();
    let confirmed = sqlx::query_scalar!(
        r#"
        -- name: confirm_entries
        with held as materialized (
            select e.resource_key from larder.entries e
            where e.resource_key = any($1)
            order by e.resource_key
            for update
        )
        update larder.entries e
        set call_id = $2,
            recorded_call = (select last_value from larder.api_calls_id_seq),
            requested_at = c.reserved_at,
            fetched_at = t.now,
            -- Looked up for each, not joined: a plan that was made while there was nothing could
            -- read all resources for each entry.
            fresh_until = coalesce((select coalesce(t.now + r.fresh_for, r.next_refresh_at, s.next_tick_at)
                                    from larder.resources r
                                    left join larder.schedules s on s.id = r.schedule_id
                                    where r.resource_key = e.resource_key and r.tracked),
                                   t.now + make_interval(secs => $3)),
            revision = nextval('larder.entry_revisions'),
            written_in = pg_current_xact_id()
        from (select clock_timestamp() as now) t
        cross join larder.api_calls c
        where c.id = $2
          and e.resource_key = any(array(select resource_key from held))
          -- An answer that was recorded since this call was admitted is the newer one.
          and e.recorded_call < $2
        returning e.resource_key
        "#,
        &keys,
        record.call.0,
        seconds(record.fresh_for),
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(confirmed
        .into_iter()
        .map(|key| StoredEntry {
            resource_key: ResourceKey(key),
            changed: false,
        })
        .collect())
}
