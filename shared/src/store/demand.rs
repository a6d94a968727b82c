//! How much each resource is read.
//!
//! Two counters that fade, so that a planner sees what readers want now and what they
//! usually want, without a row for each read. They are true as of `last_read_at`: who reads
//! them fades them to the present.

use super::{Store, StoreError, seconds};
use crate::model::ResourceKey;
use crate::plan::reads;

impl Store {
    /// Notes that resources were read just now, each so many times.
    ///
    /// What another transaction holds at the moment is left out: a read that is not counted
    /// costs less than a wait.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn note_reads(&self, reads: &[(ResourceKey, f64)]) -> Result<(), StoreError> {
        let keys: Vec<String> = reads.iter().map(|(key, _)| key.to_string()).collect();
        let counts: Vec<f64> = reads.iter().map(|(_, count)| *count).collect();
        sqlx::query!(
            r#"
            -- name: note_reads
            with free as materialized (
                select resource_key, provider from larder.resources
                where resource_key = any($1)
                order by resource_key
                for update skip locked
            ),
            noted as (
                select f.resource_key, n.count, t.now,
                       coalesce(extract(epoch from p.memory)::float8, $4::float8) as memory
                from free f
                join unnest($1::text[], $2::float8[]) as n(key, count) on n.key = f.resource_key
                left join larder.plans p on p.provider = f.provider
                cross join (select clock_timestamp() as now) t
            )
            update larder.resources r
            -- Of longer ago than fifty times what a count remembers, nothing is left: exp()
            -- fails on what it cannot tell from zero. What is no count, NaN too, begins anew.
            set reads_recent = n.count + case when r.reads_recent between 1e-9 and 1e15
                    then r.reads_recent * exp(-least(greatest(extract(epoch from n.now - r.last_read_at)::float8, 0) / $3::float8, 50))
                    else 0 end,
                reads_long = n.count + case when r.reads_long between 1e-9 and 1e15
                    then r.reads_long * exp(-least(greatest(extract(epoch from n.now - r.last_read_at)::float8, 0) / n.memory, 50))
                    else 0 end,
                last_read_at = n.now
            from noted n
            where r.resource_key = n.resource_key
            "#,
            &keys,
            &counts,
            seconds(reads::SHORT),
            seconds(reads::LONG),
        )
        .execute(&self.db)
        .await?;
        Ok(())
    }
}
