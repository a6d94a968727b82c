//! Notices that the database is another one than the ledger was last written in.
//!
//! After a failover to a replica that lagged, or a restore, calls that were admitted and
//! committed may be missing here, and would be spent a second time. So the lane is held
//! until none of them can arrive any more or stand in a rolling window, and then until
//! the provider has told its own count. A provider that tells none is opened by a person.

use super::Tx;
use crate::model::ProviderName;
use crate::store::StoreError;

/// Remembers which database this is; closes the lane unless it had none before.
pub(super) async fn note(
    tx: &mut Tx,
    provider: &ProviderName,
    database: Option<&str>,
    is_new: bool,
) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        -- name: admit_replaced
        update larder.lanes l
        set database_id = $2,
            database_changed_at = case when $3 then l.database_changed_at else clock_timestamp() end,
            closed_reason = case when $3 then l.closed_reason else 'database_replaced' end,
            closed_at = case when $3 then l.closed_at else clock_timestamp() end,
            closed_until = case
                when $3 then l.closed_until
                when not l.reports_usage then 'infinity'
                else clock_timestamp() + l.max_freeze + l.max_transit
                     + coalesce((select max(m.width) from larder.limits m
                                 where m.provider = l.lane and m.removed_at is null), interval '0')
            end
        where l.lane = $1
        "#,
        provider.as_str(),
        database,
        is_new,
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// Whether the provider has told its count since the lane was held.
pub(super) async fn was_asked(tx: &mut Tx, provider: &ProviderName) -> Result<bool, StoreError> {
    let asked = sqlx::query_scalar!(
        r#"
        -- name: admit_was_asked
        select exists (
            select from larder.limit_reports r
            join larder.limits m on m.id = r.limit_id
            where m.provider = l.lane and r.read_at > l.closed_until
        ) as "asked!"
        from larder.lanes l
        where l.lane = $1
        "#,
        provider.as_str(),
    )
    .fetch_one(&mut *tx)
    .await?;
    if asked {
        sqlx::query!(
            r#"
            -- name: admit_believed_again
            update larder.lanes set database_changed_at = null where lane = $1
            "#,
            provider.as_str(),
        )
        .execute(&mut *tx)
        .await?;
    }
    Ok(asked)
}
