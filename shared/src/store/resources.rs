//! What can be cached: known resources, and which of them are tracked.

use chrono::{DateTime, Utc};

use super::{Store, StoreError};
use crate::model::ResourceSpec;
use crate::store::db::Tx;

/// A resource as people see it.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceRow {
    /// Its canonical key.
    pub resource_key: String,
    /// Whose answer it is.
    pub provider: String,
    /// Which of the provider's paths gives it.
    pub endpoint: String,
    /// Whether it is refreshed ahead of need.
    pub tracked: bool,
    /// Who tracks it: `config`, `api`, or `read` for one that was only asked for.
    pub origin: String,
    /// Group of the configuration that it stands in.
    pub tracked_group: Option<String>,
    /// Time from one refresh to the next, in seconds.
    pub every_secs: Option<f64>,
    /// Cron expression that it is refreshed by, instead.
    pub schedule: Option<String>,
    /// Time zone of the expression.
    pub zone: Option<String>,
    /// Past this age, in seconds, a reader waits for a refresh.
    pub max_age_secs: Option<f64>,
    /// How much a read counts against one of another resource.
    pub weight: f64,
    /// When it is due.
    pub next_refresh_at: Option<DateTime<Utc>>,
    /// When its last answer came.
    pub fetched_at: Option<DateTime<Utc>>,
    /// How old its entry is, in seconds.
    pub age_secs: Option<f64>,
    /// Whether its entry is fresh.
    pub is_fresh: bool,
    /// Refreshes that failed for good since the last answer.
    pub failures: i32,
    /// Whether the planner says its pace.
    pub planned: bool,
    /// Reads a second that its pace was planned for.
    pub planned_reads: Option<f64>,
    /// Changes a second that its pace was planned for.
    pub planned_changes: Option<f64>,
    /// Credits for one planned refresh.
    pub planned_cost: Option<f64>,
    /// The age in seconds that the plan keeps instead of `max_age`, where it cannot.
    pub kept_age_secs: Option<f64>,
    /// Reads a second lately: those of the last half hour count most.
    pub recent_reads: f64,
    /// Credits a day at its pace: by the plan's cost of a refresh, else by what one came to in
    /// the last calls of its endpoint.
    pub credits_a_day: Option<f64>,
}

/// In which order resources are listed. All but the first read every row that fits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ResourceOrder {
    /// By key, which an index gives.
    #[default]
    Key,
    /// Oldest answer first, and what has none before.
    Age,
    /// By age in relation to its bound; what has none last.
    Bound,
    /// Shortest interval first.
    Interval,
    /// Most read first.
    Reads,
    /// Dearest first.
    Cost,
    /// Soonest refresh first.
    Next,
}

impl ResourceOrder {
    /// The word for it, as in a query.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Age => "age",
            Self::Bound => "bound",
            Self::Interval => "interval",
            Self::Reads => "reads",
            Self::Cost => "cost",
            Self::Next => "next",
        }
    }
}

/// Which resources to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResourceFilter {
    /// Of this provider only.
    pub provider: Option<String>,
    /// Tracked ones only, or untracked ones only.
    pub tracked: Option<bool>,
    /// With this text in the key, in upper or lower case.
    pub search: Option<String>,
    /// In which order.
    pub order: ResourceOrder,
    /// In that order the other way round; what has no value in it is last all the same.
    pub is_reversed: bool,
    /// After so many, for paging in another order than by key.
    pub skip: i64,
    /// After this key, for paging.
    pub after: Option<String>,
    /// At most so many.
    pub limit: i64,
}

impl Store {
    /// Lists resources, a page at a time.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn resources(&self, filter: &ResourceFilter) -> Result<Vec<ResourceRow>, StoreError> {
        let rows = sqlx::query_as!(
            ResourceRow,
            r#"
            -- name: resources
            with n as materialized (select clock_timestamp() as now),
            recent as materialized (
                select c.provider, c.endpoint, sum(c.credits)::float8 / nullif(sum(c.items), 0) as cost
                from larder.lanes l
                cross join lateral (
                    select provider, endpoint, credits, items
                    from larder.api_calls
                    where provider = l.lane and settled_at is not null
                    order by id desc
                    limit 500
                ) c
                group by c.provider, c.endpoint
            ),
            -- The keys of the page first: whatever else is shown is then read for these alone.
            page as materialized (
                select r.resource_key,
                       -- The same for every row when sorted by key: then the index gives the order.
                       case when $8::boolean then -1 else 1 end * case $6::text
                           when 'age' then coalesce(extract(epoch from r.fetched_at)::float8, '-infinity')
                           when 'bound' then coalesce(extract(epoch from r.fetched_at - n.now)::float8, '-infinity')
                               / extract(epoch from coalesce(r.kept_age, r.max_age))::float8
                           when 'interval' then extract(epoch from r.every)::float8
                           when 'reads' then -r.reads_recent
                               * exp(-least(extract(epoch from n.now - r.last_read_at)::float8, 86400) / 1800)
                           when 'cost' then case when r.tracked
                               then -coalesce(r.planned_cost, c.cost) / extract(epoch from r.every)::float8 end
                           when 'next' then extract(epoch from
                               coalesce(r.next_refresh_at, case when r.tracked then s.next_tick_at end))::float8
                       end as place
                from n
                cross join larder.resources r
                left join larder.schedules s on s.id = r.schedule_id
                left join recent c on c.provider = r.provider and c.endpoint = r.endpoint
                where ($1::text is null or r.provider = $1)
                  and ($2::boolean is null or r.tracked = $2)
                  and ($3::text is null or case when $8 then r.resource_key < $3 else r.resource_key > $3 end)
                  and ($5::text is null or position(lower($5) in lower(r.resource_key)) > 0)
                -- Of the two by key one is the same for every row, and so no order at all.
                order by place nulls last, case when not $8 then r.resource_key end,
                         case when $8 then r.resource_key end desc
                limit $4
                offset $7
            )
            select r.resource_key, r.provider, r.endpoint, r.tracked, r.origin, r.tracked_group,
                   extract(epoch from r.every)::float8 as every_secs,
                   s.expression as "schedule?", s.zone as "zone?",
                   extract(epoch from r.max_age)::float8 as max_age_secs, r.weight,
                   coalesce(r.next_refresh_at, case when r.tracked then s.next_tick_at end)
                       as next_refresh_at,
                   e.fetched_at as "fetched_at?",
                   extract(epoch from n.now - e.fetched_at)::float8 as "age_secs?",
                   coalesce(e.fresh_until > n.now, false) as "is_fresh!",
                   r.failures, r.planned, r.planned_reads, r.planned_changes, r.planned_cost,
                   extract(epoch from r.kept_age)::float8 as kept_age_secs,
                   -- Faded to 1/e after half an hour; of longer ago than a day nothing is left.
                   coalesce(r.reads_recent / 1800
                       * exp(-least(extract(epoch from n.now - r.last_read_at)::float8, 86400) / 1800), 0)
                       as "recent_reads!",
                   case when r.tracked
                       then coalesce(r.planned_cost, c.cost) * 86400 / extract(epoch from r.every)::float8
                   end as credits_a_day
            from n
            cross join page p
            join larder.resources r using (resource_key)
            left join larder.entries e using (resource_key)
            left join larder.schedules s on s.id = r.schedule_id
            left join recent c on c.provider = r.provider and c.endpoint = r.endpoint
            order by p.place nulls last, case when not $8 then r.resource_key end,
                     case when $8 then r.resource_key end desc
            "#,
            filter.provider,
            filter.tracked,
            filter.after,
            filter.limit,
            filter.search,
            filter.order.as_str(),
            filter.skip,
            filter.is_reversed,
        )
        .fetch_all(&self.db)
        .await?;
        Ok(rows)
    }
}

/// Adds the resources that have no row yet, untracked, in key order.
pub(super) async fn insert_missing(
    tx: &mut Tx,
    resources: &[&ResourceSpec],
    origin: &str,
) -> Result<(), StoreError> {
    if resources.is_empty() {
        return Ok(());
    }
    let mut resources = resources.to_vec();
    resources.sort_by(|a, b| a.key.cmp(&b.key));
    resources.dedup_by(|a, b| a.key == b.key);
    let text = |pick: fn(&ResourceSpec) -> String| -> Vec<String> {
        resources.iter().map(|resource| pick(resource)).collect()
    };
    let items: Vec<Option<String>> = resources.iter().map(|spec| spec.item.clone()).collect();
    let params: Vec<serde_json::Value> = resources.iter().map(|spec| params(spec)).collect();
    sqlx::query!(
        r#"
        -- name: insert_resources
        insert into larder.resources (resource_key, provider, endpoint, batch_key, item, params, origin)
        select n.key, n.provider, n.endpoint, n.batch_key, n.item, n.params, $7
        from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::jsonb[])
            with ordinality as n(key, provider, endpoint, batch_key, item, params, nth)
        order by n.nth
        on conflict (resource_key) do nothing
        "#,
        &text(|spec| spec.key.to_string()),
        &text(|spec| spec.provider.to_string()),
        &text(|spec| spec.endpoint.to_string()),
        &text(|spec| spec.batch_key.to_string()),
        &items as &[Option<String>],
        &params,
        origin,
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// The parameters of a resource as `larder.cache` shows them.
fn params(resource: &ResourceSpec) -> serde_json::Value {
    let query = resource
        .key
        .as_str()
        .split_once('?')
        .map_or("", |(_, query)| query);
    url::form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| {
            (
                name.into_owned(),
                serde_json::Value::from(value.into_owned()),
            )
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}
