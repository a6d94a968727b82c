//! What a provider said that it does not know.

use std::collections::HashMap;
use std::time::Duration;

use super::{Store, StoreError, seconds};
use crate::model::ResourceKey;
use crate::store::db::Tx;

impl Store {
    /// Those of `keys` that their provider does not know, as it said not long ago, and for
    /// how many seconds yet that is believed.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn absent(
        &self,
        keys: &[ResourceKey],
    ) -> Result<HashMap<ResourceKey, f64>, StoreError> {
        let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
        let rows = sqlx::query!(
            r#"
            -- name: absent
            select resource_key, extract(epoch from until - clock_timestamp())::float8 as "secs!"
            from larder.absences
            where resource_key = any($1) and until > clock_timestamp()
            "#,
            &keys,
        )
        .fetch_all(&self.db)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| (ResourceKey(row.resource_key), row.secs))
            .collect())
    }
}

/// Remembers what a call found to be absent, and forgets it of what it found.
pub(super) async fn remember(
    tx: &mut Tx,
    provider: &str,
    absent: &[String],
    found: &[String],
    ttl: Duration,
) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        -- name: forget_absences
        delete from larder.absences where resource_key = any($1)
        "#,
        found,
    )
    .execute(&mut *tx)
    .await?;
    if absent.is_empty() {
        return Ok(());
    }
    let mut absent = absent.to_vec();
    absent.sort();
    absent.dedup();
    sqlx::query!(
        r#"
        -- name: remember_absences
        insert into larder.absences (resource_key, provider, until)
        select key, $2, clock_timestamp() + make_interval(secs => $3)
        from unnest($1::text[]) with ordinality as a(key, nth)
        order by nth
        on conflict (resource_key) do update set until = excluded.until
        "#,
        &absent,
        provider,
        seconds(ttl),
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}
