//! Keeps groups that follow a list up to date with it.
//!
//! Members are the first items of the list's entry. They are resolved again when that
//! entry is another one than last time, by whichever process looks first:
//! `larder.configuration` has one row, which remembers the call that each list was read
//! from, and whoever resolves holds its lock. So two processes do no work twice, and none
//! puts back what an older entry said.
//!
//! The row also says which configuration is in force: that of the process that started
//! last. While a file is being rolled out, processes with another one follow nothing, so
//! that members do not go to and fro between two definitions of a group.
//!
//! | the list's entry                          | members                             |
//! |-------------------------------------------|-------------------------------------|
//! | is missing, empty or broken               | stay as they are                    |
//! | is new                                    | come and go; entries of those that go stay |
//! | has a resource that a group names         | it stays that group's               |
//! | has one that is tracked by hand           | it stays as it was asked for        |
//!
//! A resource in two such lists is of the group that comes first in the configuration.

use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};
use sqlx::PgExecutor;

use super::{Store, StoreError, track};
use crate::model::{FollowSpec, TrackSpec, Wanted};
use crate::store::db::Tx;

/// What following the lists came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Followed {
    /// Every list is as it was, if there are any.
    Unchanged,
    /// A process with another configuration has started since: nothing was done.
    OtherConfiguration,
    /// Members are what the lists say, but for groups whose list could not be read.
    Resolved(Vec<ListProblem>),
}

/// A list that says nothing, so that its group stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListProblem {
    /// Which group follows it.
    pub group: String,
    /// The list's resource key.
    pub list: String,
    /// What is wrong with it, in words.
    pub why: String,
}

impl Store {
    /// Resolves the members of the groups whose list has a newer entry. One small query
    /// where there is none.
    ///
    /// # Errors
    ///
    /// Whatever the database reports; nothing is changed then.
    pub async fn follow(&self, wanted: &Wanted<'_>) -> Result<Followed, StoreError> {
        if let Some(nothing) = look(&self.db, wanted).await? {
            return Ok(nothing);
        }
        let mut tx = self.db.begin().await?;
        sqlx::query!(
            r#"
            -- name: follow_lock
            select digest from larder.configuration for update
            "#
        )
        .fetch_one(&mut tx)
        .await?;
        // Another process may have been faster, or have started, since the look.
        if let Some(nothing) = look(&mut tx, wanted).await? {
            return Ok(nothing);
        }
        let problems = resolve(&mut tx, wanted, When::ListChanged).await?;
        tx.commit().await?;
        Ok(Followed::Resolved(problems))
    }
}

/// Why there is nothing to do; `None` if a list has another entry than last time.
async fn look(
    executor: impl PgExecutor<'_>,
    wanted: &Wanted<'_>,
) -> Result<Option<Followed>, StoreError> {
    let row = sqlx::query!(
        r#"
        -- name: follow_look
        select digest,
               exists (select from larder.entries e
                       where e.resource_key = any($1)
                         and c.lists ->> e.resource_key is distinct from e.call_id::text) as "changed!"
        from larder.configuration c
        "#,
        &keys(wanted),
    )
    .fetch_one(executor)
    .await?;
    Ok(nothing_to_do(wanted, &row.digest, row.changed))
}

/// Why there is nothing to do, by what the rows say.
pub(super) fn nothing_to_do(
    wanted: &Wanted<'_>,
    in_force: &str,
    changed: bool,
) -> Option<Followed> {
    match (in_force == digest(wanted), changed) {
        (false, _) => Some(Followed::OtherConfiguration),
        (true, false) => Some(Followed::Unchanged),
        (true, true) => None,
    }
}

/// Puts the configuration in force, with all that it tracks. Answers what is wrong with
/// its lists.
pub(super) async fn start(
    tx: &mut Tx,
    wanted: &Wanted<'_>,
) -> Result<Vec<ListProblem>, StoreError> {
    sqlx::query!(
        r#"
        -- name: follow_start
        update larder.configuration set digest = $1
        "#,
        digest(wanted),
    )
    .execute(&mut *tx)
    .await?;
    resolve(tx, wanted, When::Start).await
}

/// What makes the members be resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// A process starts: what the configuration names is tracked too.
    Start,
    /// A list changed: only members come and go.
    ListChanged,
}

/// Tracks what is wanted, and no longer what is not. The caller holds the lock of
/// `larder.configuration`.
async fn resolve(
    tx: &mut Tx,
    wanted: &Wanted<'_>,
    when: When,
) -> Result<Vec<ListProblem>, StoreError> {
    let lists = lists(tx, wanted).await?;
    let mut problems = Vec::new();
    let named: HashSet<&str> = wanted
        .tracked
        .iter()
        .map(|track| track.resource.key.as_str())
        .collect();
    let mut members: Vec<TrackSpec> = Vec::new();
    for follow in wanted.followed {
        let read = match lists.get(follow.list.as_str()) {
            Some(list) => wanted.members.members(follow, list),
            None => Err("it is not in the cache yet".to_owned()),
        };
        match read {
            Ok(resources) => members.extend(resources.into_iter().map(|resource| TrackSpec {
                resource,
                group: follow.group.clone(),
                tracking: follow.tracking.clone(),
            })),
            Err(why) => problems.push(ListProblem {
                group: follow.group.clone(),
                list: follow.list.to_string(),
                why,
            }),
        }
    }
    members.retain(|member| !named.contains(member.resource.key.as_str()));
    let named = match when {
        When::Start => wanted.tracked,
        When::ListChanged => &[],
    };
    let mut kept: Vec<String> = wanted
        .tracked
        .iter()
        .map(|track| track.resource.key.to_string())
        .collect();
    kept.extend(members.iter().map(|member| member.resource.key.to_string()));
    let kept_groups: Vec<String> = problems
        .iter()
        .map(|problem| problem.group.clone())
        .collect();
    track::sync(tx, named, &members, &kept, &kept_groups).await?;
    Ok(problems)
}

/// The bodies of the followed lists that are in the cache; notes which calls they are of.
async fn lists(tx: &mut Tx, wanted: &Wanted<'_>) -> Result<HashMap<String, String>, StoreError> {
    let rows = sqlx::query!(
        r#"
        -- name: follow_lists
        select resource_key, call_id, body::text as "body!" from larder.entries
        where resource_key = any($1)
        "#,
        &keys(wanted),
    )
    .fetch_all(&mut *tx)
    .await?;
    let calls: serde_json::Map<String, serde_json::Value> = rows
        .iter()
        .map(|row| (row.resource_key.clone(), row.call_id.into()))
        .collect();
    sqlx::query!(
        r#"
        -- name: follow_note
        update larder.configuration set lists = $1
        "#,
        serde_json::Value::Object(calls),
    )
    .execute(&mut *tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.resource_key, row.body))
        .collect())
}

/// The resource keys of the lists that are followed.
pub(super) fn keys(wanted: &Wanted<'_>) -> Vec<String> {
    let list = |follow: &FollowSpec| follow.list.to_string();
    wanted.followed.iter().map(list).collect()
}

/// Tells one configuration's wishes from another's.
fn digest(wanted: &Wanted<'_>) -> String {
    let text = format!("{:?}\n{:?}", wanted.tracked, wanted.followed);
    let digest = Sha256::digest(text.as_bytes());
    digest
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
