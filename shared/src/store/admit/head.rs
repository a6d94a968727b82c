//! Whose turn it is.

use super::{AdmitRequest, Tx};
use crate::budget::Caller;
use crate::model::{BatchKey, EndpointName, Priority};
use crate::store::StoreError;

/// What a head may be.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wanted<'a> {
    /// None of these endpoints.
    pub(super) skipped: &'a [EndpointName],
    /// Only these endpoints.
    pub(super) within: Option<&'a [EndpointName]>,
    /// Nothing that only the plan wants.
    pub(super) urgent: bool,
}

/// The batch whose turn it is.
pub(super) struct Head {
    pub(super) batch: BatchKey,
    /// Priority of the most urgent job that waits for it.
    pub(super) priority: Priority,
}

impl Head {
    /// Who will have caused the call: the most urgent of those who wait for it.
    pub(super) fn caller(&self) -> Caller {
        match self.priority < Priority::PLANNED {
            true => Caller::Reader,
            false => Caller::Plan,
        }
    }
}

/// The batch of the job whose turn it is. Locks nothing: the claim does.
pub(super) async fn head(
    tx: &mut Tx,
    request: &AdmitRequest<'_>,
    wanted: Wanted<'_>,
) -> Result<Option<Head>, StoreError> {
    let lane = request.provider.as_str();
    let is_plain = wanted.skipped.is_empty() && wanted.within.is_none();
    if is_plain && request.by_age && !wanted.urgent {
        let row = sqlx::query!(
            r#"
            -- name: admit_head_by_age
            select oldest.batch_key as "key!", (
                select priority from larder.jobs
                where lane = $1 and batch_key = oldest.batch_key
                  and status = 'pending' and run_at <= (select clock_timestamp())
                order by priority
                limit 1
            ) as "priority!"
            from (
                select batch_key from larder.jobs
                where lane = $1 and status = 'pending' and run_at <= (select clock_timestamp())
                order by run_at
                limit 1
            ) oldest
            "#,
            lane,
        )
        .fetch_optional(&mut *tx)
        .await?;
        return Ok(row.map(|row| Head {
            batch: BatchKey(row.key),
            priority: Priority(row.priority),
        }));
    }
    if is_plain {
        let row = sqlx::query!(
            r#"
            -- name: admit_head
            select batch_key as "key!", priority from larder.jobs
            where lane = $1 and status = 'pending' and run_at <= (select clock_timestamp())
              and priority <= $2
            order by priority, run_at, id
            limit 1
            "#,
            lane,
            most(wanted),
        )
        .fetch_optional(&mut *tx)
        .await?;
        return Ok(row.map(|row| Head {
            batch: BatchKey(row.key),
            priority: Priority(row.priority),
        }));
    }
    let names = |endpoints: &[EndpointName]| -> Vec<String> {
        endpoints.iter().map(ToString::to_string).collect()
    };
    let within = wanted.within.map(names);
    let row = sqlx::query!(
        r#"
        -- name: admit_head_of
        select batch_key as "key!", priority from larder.jobs
        where lane = $1 and status = 'pending' and run_at <= (select clock_timestamp())
          and priority <= $4
          and endpoint <> all($2)
          and ($3::text[] is null or endpoint = any($3))
        order by priority, run_at, id
        limit 1
        "#,
        lane,
        &names(wanted.skipped),
        within.as_deref(),
        most(wanted),
    )
    .fetch_optional(&mut *tx)
    .await?;
    Ok(row.map(|row| Head {
        batch: BatchKey(row.key),
        priority: Priority(row.priority),
    }))
}

/// The least urgent priority that the head may have.
fn most(wanted: Wanted<'_>) -> i16 {
    match wanted.urgent {
        true => Priority::PLANNED.0 - 1,
        false => i16::MAX,
    }
}
