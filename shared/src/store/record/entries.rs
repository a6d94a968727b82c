//! Puts answers into the cache, never an older one over a newer one.

use chrono::{DateTime, Utc};

use super::{CallRecord, NewEntry, StoredEntry};
use crate::model::ResourceKey;
use crate::store::db::Tx;
use crate::store::{StoreError, seconds};

/// Stores the call's answers in key order; answers which were stored, and whether they
/// say something else than the ones before.
///
/// Newer is what carries a later time of the provider's own, where both carry one; else
/// what was asked for by a call that was admitted after the other one was recorded, which
/// the calls' numbers tell. Of two overlapping calls the first recorded stays.
pub(super) async fn store(
    tx: &mut Tx,
    record: &CallRecord,
) -> Result<Vec<StoredEntry>, StoreError> {
    if record.entries.is_empty() {
        return Ok(Vec::new());
    }
    let mut entries: Vec<&NewEntry> = record.entries.iter().collect();
    entries.sort_by(|a, b| a.resource_key.cmp(&b.resource_key));
    let keys: Vec<String> = entries
        .iter()
        .map(|entry| entry.resource_key.to_string())
        .collect();
    let bodies: Vec<String> = entries
        .iter()
        .map(|entry| entry.body.get().to_owned())
        .collect();
    let envelopes: Vec<Option<String>> = entries
        .iter()
        .map(|entry| {
            entry
                .envelope
                .as_ref()
                .map(|envelope| envelope.get().to_owned())
        })
        .collect();
    let times: Vec<Option<DateTime<Utc>>> =
        entries.iter().map(|entry| entry.provider_time).collect();
    let hashes: Vec<Option<Vec<u8>>> = entries
        .iter()
        .map(|entry| entry.content_hash.clone())
        .collect();
    let validator = record.validator.as_ref();
    let stored = sqlx::query!(
        r#"
        -- name: store_entries
        insert into larder.entries as e (
            resource_key, provider, endpoint, body, envelope, provider_time, call_id, recorded_call,
            requested_at, fetched_at, fresh_until, content_hash, changed_at,
            validator, validator_of
        )
        select n.key, $5, $6, n.body::json, n.envelope::json,
               -- A time that lies ahead of the database's is no time to compare with.
               case when n.provider_time <= t.now + l.reset_grace then n.provider_time end,
               $7, (select last_value from larder.api_calls_id_seq), c.reserved_at, t.now,
               coalesce(t.now + r.fresh_for, r.next_refresh_at, s.next_tick_at,
                        t.now + make_interval(secs => $8)),
               n.content_hash, t.now, $10, $11
        from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $9::bytea[])
            with ordinality as n(key, body, envelope, provider_time, content_hash, nth)
        cross join (select clock_timestamp() as now) t
        join larder.lanes l on l.lane = $5
        join larder.api_calls c on c.id = $7
        left join larder.resources r on r.resource_key = n.key and r.tracked
        left join larder.schedules s on s.id = r.schedule_id
        order by n.nth
        on conflict (resource_key) do update set
            provider = excluded.provider,
            endpoint = excluded.endpoint,
            body = excluded.body,
            envelope = excluded.envelope,
            provider_time = excluded.provider_time,
            call_id = excluded.call_id,
            recorded_call = excluded.recorded_call,
            requested_at = excluded.requested_at,
            fetched_at = excluded.fetched_at,
            fresh_until = excluded.fresh_until,
            content_hash = excluded.content_hash,
            validator = excluded.validator,
            validator_of = excluded.validator_of,
            -- Without a digest nobody knows: it counts as changed.
            changed_at = case when e.content_hash = excluded.content_hash
                              then e.changed_at else excluded.changed_at end,
            revision = nextval('larder.entry_revisions'),
            written_in = pg_current_xact_id()
        where case
            when excluded.provider_time is not null and e.provider_time is not null
                then excluded.provider_time >= e.provider_time
            else excluded.call_id > e.recorded_call
        end
        returning resource_key, changed_at = fetched_at as "changed!"
        "#,
        &keys,
        &bodies,
        &envelopes as &[Option<String>],
        &times as &[Option<DateTime<Utc>>],
        record.provider.as_str(),
        record.endpoint.as_str(),
        record.call.0,
        seconds(record.fresh_for),
        &hashes as &[Option<Vec<u8>>],
        validator.map(|validator| validator.line.as_str()),
        validator.map(|validator| validator.of.as_str()),
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(stored
        .into_iter()
        .map(|row| StoredEntry {
            resource_key: ResourceKey(row.resource_key),
            changed: row.changed,
        })
        .collect())
}
