//! How a window filled: for the charts of people.

use chrono::{DateTime, Utc};

use super::{Store, StoreError};

/// How much of a window had been taken by a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct SpentBy {
    /// The end of a stretch of the window, or now.
    pub at: DateTime<Utc>,
    /// Credits, or requests, of our calls that were reserved since the window began.
    pub spent: i64,
}

impl Store {
    /// What our calls of a provider have come to since `from`, at each of `steps` moments up
    /// to now. Rises only; calls that are not settled count as reserved.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn spending(
        &self,
        provider: &str,
        from: DateTime<Utc>,
        credits: bool,
        steps: i32,
    ) -> Result<Vec<SpentBy>, StoreError> {
        let points = sqlx::query_as!(
            SpentBy,
            r#"
            -- name: spending
            with n as materialized (
                select clock_timestamp() as now,
                       greatest(clock_timestamp() - $2::timestamptz, interval '1 second') as length
            ),
            spent as (
                select least(floor(extract(epoch from c.reserved_at - $2::timestamptz)
                                   / extract(epoch from n.length) * $4::integer)::integer, $4::integer - 1) as step,
                       sum(case when $3 then coalesce(c.credits, c.reserved_credits)
                                else c.requests end)::bigint as taken
                from larder.api_calls c, n
                where c.reserved_at >= $2 and c.provider = $1
                group by 1
            )
            select n.now - n.length * (1 - (g.step + 1)::float8 / $4::integer) as "at!",
                   sum(coalesce(s.taken, 0)) over (order by g.step)::bigint as "spent!"
            from n
            cross join generate_series(0, $4::integer - 1) as g (step)
            left join spent s using (step)
            order by g.step
            "#,
            provider,
            from,
            credits,
            steps,
        )
        .fetch_all(&self.db)
        .await?;
        Ok(points)
    }
}
