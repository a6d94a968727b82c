//! Groups that follow a list, and configurations that are rolled out one process at a time.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::*;
use shared::catalog::Catalog;
use shared::config::Secrets;
use shared::store::Followed;

const LIST: &str = "coinmarketcap:/v3/cryptocurrency/listings/latest?limit=250";
const LISTS: &str = r#"
[providers.coinmarketcap]
[[track]]
name = "list"
resources = ["coinmarketcap:/v3/cryptocurrency/listings/latest?limit=250"]
every = "15m"
"#;

fn group(name: &str, first: usize, every: &str) -> String {
    format!(
        "[[track]]\nname = \"{name}\"\nprovider = \"coinmarketcap\"\nendpoint = \"quotes_latest\"\n\
         first = {first}\nof = \"listings_latest\"\nevery = \"{every}\"\n"
    )
}

fn named(name: &str, ids: &[u32], every: &str) -> String {
    format!(
        "[[track]]\nname = \"{name}\"\nprovider = \"coinmarketcap\"\nendpoint = \"quotes_latest\"\n\
         parameters = {{ id = {ids:?} }}\nevery = \"{every}\"\n"
    )
}

/// A process with a configuration of its own, on a shared database.
#[derive(Clone)]
struct Process {
    store: Store,
    catalog: Arc<Catalog>,
}

impl Process {
    fn new(pool: &sqlx::PgPool, groups: &[String]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = format!("{LISTS}{}", groups.concat());
        std::fs::write(dir.path().join("larder.toml"), file).unwrap();
        let (catalog, _) = Catalog::load(&crate::config::source(dir.path(), &[])).unwrap();
        Self {
            store: Store::new(pool.clone()),
            catalog: Arc::new(catalog),
        }
    }

    async fn start(&self) {
        let secrets = Secrets::read(&std::collections::BTreeMap::new(), []).unwrap();
        let lanes = self.catalog.lanes(&secrets);
        let wanted = self.catalog.wanted();
        self.store.sync_all(&lanes, &wanted).await.unwrap();
    }

    async fn follow(&self) -> Followed {
        self.store.follow(&self.catalog.wanted()).await.unwrap()
    }

    /// What is wrong with the list, which must have been read.
    async fn trouble(&self) -> String {
        match self.follow().await {
            Followed::Resolved(problems) => {
                problems.into_iter().map(|problem| problem.why).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    /// The list has a newer answer.
    async fn listed(&self, body: &str) {
        sqlx::query(
            "insert into larder.entries as e (resource_key, provider, endpoint, body, call_id,
                 recorded_call, requested_at, fetched_at, fresh_until)
             values ($1, 'coinmarketcap', 'listings_latest', $2::json, 1, 1, now(), now(), now())
             on conflict (resource_key) do update set body = excluded.body, call_id = e.call_id + 1",
        )
        .bind(LIST)
        .bind(body)
        .execute(self.store.pool())
        .await
        .unwrap();
    }

    async fn lists(&self, ids: impl IntoIterator<Item = u32>) {
        self.listed(&list(ids)).await;
    }

    /// The ids of tracked quotes of a group.
    async fn members(&self, group: &str) -> BTreeSet<u32> {
        let items: Vec<String> = sqlx::query_scalar(
            "select item from larder.resources
             where tracked and tracked_group is not distinct from nullif($1, '') and item is not null",
        )
        .bind(group)
        .fetch_all(self.store.pool())
        .await
        .unwrap();
        items.iter().map(|item| item.parse().unwrap()).collect()
    }
}

fn list(ids: impl IntoIterator<Item = u32>) -> String {
    let elements: Vec<String> = ids
        .into_iter()
        .map(|id| format!(r#"{{"id": {id}, "name": "Coin {id}"}}"#))
        .collect();
    format!("[{}]", elements.join(","))
}

fn ids(range: impl IntoIterator<Item = u32>) -> BTreeSet<u32> {
    range.into_iter().collect()
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn members_come_and_go_with_the_list(pool: sqlx::PgPool) -> TestResult {
    let process = Process::new(&pool, &[group("coins", 5, "5m")]);
    process.start().await;
    assert_eq!(process.follow().await, Followed::Unchanged, "no list yet");
    assert!(process.members("coins").await.is_empty());

    process.lists(1..=10).await;
    assert_eq!(process.trouble().await, "");
    assert_eq!(process.members("coins").await, ids(1..=5));
    assert_eq!(process.follow().await, Followed::Unchanged);
    let due = process.store.tick(true).await?;
    assert_eq!(due.enqueued, 6, "the list and five new members");

    // The fifth falls out, the ninth comes in; the order among the others means nothing.
    sqlx::query(
        "insert into larder.entries (resource_key, provider, endpoint, body, call_id,
             recorded_call, requested_at, fetched_at, fresh_until)
         select resource_key, provider, endpoint, '{}', 1, 1, now(), now(), now()
         from larder.resources where item = '5'",
    )
    .execute(&pool)
    .await?;
    process.lists([9, 4, 3, 2, 1, 5]).await;
    assert_eq!(process.trouble().await, "");
    assert_eq!(process.members("coins").await, ids([1, 2, 3, 4, 9]));
    let kept = "select count(*) from larder.cache where params ->> 'id' = '5'";
    assert_eq!(number(&process.store, kept).await, 1, "its entry stays");

    process.lists([7, 8]).await;
    process.follow().await;
    assert_eq!(process.members("coins").await, ids([7, 8]), "a short list");
    // A process that starts finds them, too.
    process.start().await;
    assert_eq!(process.members("coins").await, ids([7, 8]));
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_list_that_is_empty_or_broken_changes_nothing(pool: sqlx::PgPool) -> TestResult {
    let process = Process::new(&pool, &[group("coins", 3, "5m")]);
    process.start().await;
    process.lists(1..=3).await;
    process.follow().await;
    for (body, why) in [
        ("[]", "empty"),
        ("{}", "no list"),
        ("null", "no list"),
        (r#"{"coins": [{"id": 7}]}"#, "no list"),
        (r#"[{"id": 7}, {"name": "no id"}]"#, "element 1"),
        (r#"[{"id": 7}, {"id": null}]"#, "element 1"),
        (r#"[{"id": "7,8"}]"#, "element 0"),
        (r#"[{"id": 7}, {"id": "bitcoin"}]"#, "cannot be asked"),
        (r#"[{"id": 7}, {"id": -1}]"#, "cannot be asked"),
        (r#"[7, 8]"#, "element 0"),
    ] {
        process.listed(body).await;
        let told = process.trouble().await;
        assert!(told.contains(why), "{body}: {told}");
        assert_eq!(process.members("coins").await, ids(1..=3), "{body}");
        assert_eq!(process.follow().await, Followed::Unchanged, "told once");
        process.start().await;
        assert_eq!(
            process.members("coins").await,
            ids(1..=3),
            "{body}, at a start"
        );
    }
    sqlx::query("delete from larder.entries")
        .execute(&pool)
        .await?;
    process.follow().await;
    process.start().await;
    assert_eq!(
        process.members("coins").await,
        ids(1..=3),
        "a list that is gone"
    );
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn what_others_hold_stays_theirs(pool: sqlx::PgPool) -> TestResult {
    let groups = [
        group("top", 3, "1m"),
        named("mine", &[2, 8], "10m"),
        group("more", 6, "5m"),
    ];
    let process = Process::new(&pool, &groups);
    process.start().await;
    let by_hand = process
        .catalog
        .resource("coinmarketcap:/v3/cryptocurrency/quotes/latest?id=3")?;
    let pace = Tracking::every(Duration::from_secs(77));
    process.store.track(&by_hand, &pace).await?;

    process.lists(1..=8).await;
    assert_eq!(process.trouble().await, "");

    assert_eq!(
        process.members("top").await,
        ids([1]),
        "the first of two lists"
    );
    assert_eq!(process.members("mine").await, ids([2, 8]));
    assert_eq!(process.members("more").await, ids(4..=6));
    assert_eq!(process.members("").await, ids([3]));

    // All of them fall out of both lists.
    process.lists(101..=108).await;
    process.follow().await;
    assert_eq!(process.members("top").await, ids(101..=103));
    assert_eq!(process.members("more").await, ids(104..=106));
    assert_eq!(process.members("mine").await, ids([2, 8]));
    assert_eq!(process.members("").await, ids([3]));
    let pace = "select count(*) from larder.resources where item = '3' and every = interval '77 s'";
    assert_eq!(number(&process.store, pace).await, 1);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn many_processes_at_once_agree(pool: sqlx::PgPool) -> TestResult {
    let process = Process::new(&pool, &[group("coins", 50, "5m")]);
    process.start().await;
    for round in 0..10_u32 {
        let range = round * 10 + 1..=round * 10 + 60;
        process.lists(range).await;
        let mut all = tokio::task::JoinSet::new();
        for at in 0..4 {
            let process = process.clone();
            all.spawn(async move {
                if at == 3 {
                    process.start().await;
                }
                let followed = process.follow().await;
                process.store.tick(false).await.unwrap();
                followed
            });
        }
        let resolved = all.join_all().await;
        let resolved = resolved
            .iter()
            .filter(|followed| matches!(followed, Followed::Resolved(_)))
            .count();
        assert!(resolved <= 1, "one of them does the work");
        let expected = ids(round * 10 + 1..=round * 10 + 50);
        assert_eq!(process.members("coins").await, expected);
    }
    let doubled = "select count(*) - count(distinct resource_key) from larder.jobs";
    assert_eq!(number(&process.store, doubled).await, 0);
    Ok(())
}

/// The old file is still in force for a process that runs, and for one that starts again.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_file_that_is_rolled_out_process_by_process_loses_and_doubles_nothing(
    pool: sqlx::PgPool,
) -> TestResult {
    let old = Process::new(
        &pool,
        &[
            named("coins", &[101, 102, 103], "5m"),
            group("top", 2, "5m"),
        ],
    );
    let new = Process::new(
        &pool,
        &[
            named("coins", &[102, 103, 104], "5m"),
            group("top", 3, "5m"),
        ],
    );
    old.start().await;
    old.lists(1..=9).await;
    old.follow().await;
    // Everything has just been answered: nothing is due for minutes.
    sqlx::query(
        "with answered as (
             update larder.resources set fetched_at = now(), next_refresh_at = now() + every
             returning resource_key, provider, endpoint)
         insert into larder.entries (resource_key, provider, endpoint, body, call_id,
             recorded_call, requested_at, fetched_at, fresh_until)
         select resource_key, provider, endpoint, '{}', 1, 1, now(), now(), now() from answered
         on conflict do nothing",
    )
    .execute(&pool)
    .await?;
    let planned = "select coalesce(sum(extract(epoch from next_refresh_at)), 0)::bigint
                   from larder.resources where item in ('102', '103', '1', '2')";
    let (before, kept) = (
        number(&old.store, planned).await,
        "select count(*) from larder.entries",
    );
    let entries = number(&old.store, kept).await;

    // One process has the new file, the other still runs with the old one.
    new.start().await;
    for _ in 0..3 {
        old.lists(1..=9).await;
        assert_eq!(old.follow().await, Followed::OtherConfiguration);
        new.follow().await;
        old.store.tick(false).await?;
        assert_eq!(new.members("coins").await, ids(102..=104));
        assert_eq!(new.members("top").await, ids(1..=3));
    }
    let jobs: Vec<String> = sqlx::query_scalar("select item from larder.jobs order by item")
        .fetch_all(&pool)
        .await?;
    assert_eq!(jobs, ["104", "3"], "only what is new is due, once");

    // It dies, and starts with the old file once more: what starts last is in force.
    old.start().await;
    assert_eq!(new.follow().await, Followed::OtherConfiguration);
    assert_eq!(old.members("coins").await, ids(101..=103));
    assert_eq!(old.members("top").await, ids(1..=2));
    new.start().await;
    assert_eq!(new.members("coins").await, ids(102..=104));
    assert_eq!(new.members("top").await, ids(1..=3));

    assert_eq!(
        number(&new.store, planned).await,
        before,
        "nobody's turn was moved"
    );
    assert_eq!(number(&new.store, kept).await, entries, "entries stay");
    new.store.tick(false).await?;
    let doubled = "select count(*) - count(distinct resource_key) from larder.jobs";
    assert_eq!(number(&new.store, doubled).await, 0);
    assert_eq!(
        number(&new.store, "select count(*) from larder.jobs").await,
        2
    );

    // Both at once, over and over, with ticks between: the last start decides.
    let mut all = tokio::task::JoinSet::new();
    for at in 0..12 {
        let process = if at % 2 == 0 {
            old.clone()
        } else {
            new.clone()
        };
        all.spawn(async move {
            process.start().await;
            process.store.tick(false).await.unwrap();
            process.follow().await;
        });
    }
    all.join_all().await;
    new.start().await;
    assert_eq!(new.members("coins").await, ids(102..=104));
    assert_eq!(new.members("top").await, ids(1..=3));
    assert_eq!(number(&new.store, doubled).await, 0);
    Ok(())
}
