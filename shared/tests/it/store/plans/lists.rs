//! What a page of a long list reads.

use super::*;

/// A hundred thousand resources, which the statistics know.
const FILL: &str = "
    set session_replication_role = replica;
    insert into larder.resources (resource_key, provider, endpoint, batch_key, item, params, tracked,
                                  origin, every, next_refresh_at)
    select 'coins:/quotes?id=' || n, 'coins', 'quotes', 'quotes?' || n / 250, n, '{}', true, 'config',
           interval '1 hour', now()
    from generate_series(1, 100000) n;
    set session_replication_role = default;
    analyze larder.resources;
";

/// In key order an index leads to the page, from either end and from its middle, so that the
/// length of the list costs nothing. In the other orders every row is looked at, once.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_page_by_key_reads_itself_alone_either_way_round(pool: sqlx::PgPool) {
    let store = Store::new(pool.clone());
    store.sync(&[lane(vec![monthly(100)])], &[]).await.unwrap();
    let mut connection = pool.acquire().await.unwrap();
    sqlx::raw_sql(FILL).execute(&mut *connection).await.unwrap();
    let prepare = format!("prepare resources as {}", statements()["resources"]);
    let prepare = sqlx::raw_sql(AssertSqlSafe(prepare));
    prepare.execute(&mut *connection).await.unwrap();
    for order in ["key", "next", "age"] {
        for reversed in [false, true] {
            for after in ["null", "'coins:/quotes?id=50000'"] {
                let arguments = format!("null, null, {after}, 51, null, '{order}', 0, {reversed}");
                let settings = "set local plan_cache_mode = force_custom_plan";
                let read = read(&mut connection, "resources", &arguments, settings).await;
                let of_resources = read.iter().find(|(table, ..)| table == "resources");
                let (_, seq, idx) = of_resources.unwrap();
                match order {
                    "key" => assert!(seq + idx <= 3 * 51, "{arguments}: {read:?}"),
                    _ => assert!(seq + idx <= 100_000 + 3 * 51, "{arguments}: {read:?}"),
                }
            }
        }
    }
}
