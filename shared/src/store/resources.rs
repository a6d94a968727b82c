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
}

/// Which resources to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResourceFilter {
    /// Of this provider only.
    pub provider: Option<String>,
    /// Tracked ones only, or untracked ones only.
    pub tracked: Option<bool>,
    /// After this key, for paging.
    pub after: Option<String>,
    /// At most so many.
    pub limit: i64,
}

impl Store {
    /// Lists resources by key.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn resources(&self, filter: &ResourceFilter) -> Result<Vec<ResourceRow>, StoreError> {
        let rows = sqlx::query_as!(
            ResourceRow,
            r#"
            -- name: resources
            select r.resource_key, r.provider, r.endpoint, r.tracked, r.origin, r.tracked_group,
                   extract(epoch from r.every)::float8 as every_secs,
                   s.expression as "schedule?", s.zone as "zone?",
                   extract(epoch from r.max_age)::float8 as max_age_secs, r.weight,
                   coalesce(r.next_refresh_at, case when r.tracked then s.next_tick_at end)
                       as next_refresh_at,
                   e.fetched_at as "fetched_at?",
                   extract(epoch from clock_timestamp() - e.fetched_at)::float8 as "age_secs?",
                   coalesce(e.fresh_until > clock_timestamp(), false) as "is_fresh!",
                   r.failures, r.planned, r.planned_reads, r.planned_changes, r.planned_cost,
                   extract(epoch from r.kept_age)::float8 as kept_age_secs
            from larder.resources r
            left join larder.entries e using (resource_key)
            left join larder.schedules s on s.id = r.schedule_id
            where ($1::text is null or r.provider = $1)
              and ($2::boolean is null or r.tracked = $2)
              and ($3::text is null or r.resource_key > $3)
            order by r.resource_key
            limit $4
            "#,
            filter.provider,
            filter.tracked,
            filter.after,
            filter.limit,
        )
        .fetch_all(&self.db)
        .await?;
        Ok(rows)
    }
}

/// Adds the resources that have no row yet, untracked, in key order.
pub(super) async fn insert_missing(
    tx: &mut Tx<'_>,
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
