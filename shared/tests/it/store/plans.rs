//! What each hot statement reads, whatever the planner believes.
//!
//! The statements are those that the code was compiled with (`.sqlx`). Each is run as a plan of
//! its own and as one that serves all arguments, on an empty database, on a million rows that
//! the statistics know nothing of, and on a million that they know. What counts is not how a
//! plan looks but what it read, in functions and triggers too: Postgres counts that for the
//! transaction. Nor may a plan have a sequential scan of a large table in it (EXPLAIN): it may be
//! one that would have read nothing this time.
//!
//! A session that made its plans on the empty database, and was idle when somebody enqueued a million
//! jobs, has the wrong ones. They must not read a million rows for each of a batch, and are
//! replaced once a worker has looked ([`Store::analyze_grown`]).

mod hot;
mod lists;

use std::collections::HashMap;

use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::*;
use hot::hot;

/// Jobs, resources or keys in one statement.
const BATCH: i64 = 250;

/// Rows that a statement may read in all tables together: a small multiple of its batch.
const MOST_READ: i64 = 12 * BATCH;

/// What a statement takes that reads a million rows for each of its batch; any other takes a
/// moment.
const ENDLESS: &str = "60s";

/// Tables that grow with use. To read the others from end to end is right.
const LARGE: [&str; 5] = ["jobs", "finished_jobs", "api_calls", "resources", "entries"];

/// The texts of all statements, by name.
fn statements() -> HashMap<String, String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../.sqlx");
    let texts = std::fs::read_dir(folder).unwrap().map(|file| {
        let file = std::fs::read(file.unwrap().path()).unwrap();
        let file: serde_json::Value = serde_json::from_slice(&file).unwrap();
        file["query"].as_str().unwrap().to_owned()
    });
    let named = texts.filter_map(|text| {
        let (_, rest) = text.split_once("-- name: ")?;
        Some((rest.split_whitespace().next()?.to_owned(), text.clone()))
    });
    named.collect()
}

/// Arguments that fill a batch: `execute` takes no subqueries.
const ARGUMENTS: &str = "
    create function pg_temp.ids() returns uuid[] language sql as $$
        select array_agg(('0197e6a0-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid)
        from generate_series(900001, 900250) n
    $$;
    create function pg_temp.new_ids() returns uuid[] language sql as $$
        select array_agg(gen_random_uuid()) from generate_series(1, 250)
    $$;
    create function pg_temp.new_keys() returns text[] language sql as $$
        select array_agg('coins:/quotes?new=' || n) from generate_series(1, 250) n
    $$;
    create function pg_temp.keys() returns text[] language sql as $$
        select array_agg('coins:/quotes?id=' || n) from generate_series(500001, 500250) n
    $$;
";

/// A million rows in each of the large tables, of which a batch is due, held or running; what
/// the statistics say of them stays what it was.
const FILL: &str = "
    set session_replication_role = replica;
    insert into larder.jobs (id, lane, kind, endpoint, resource_key, batch_key, priority, run_at)
    select ('0197e6a0-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'coins', 'refresh', 'quotes',
           'coins:/quotes?id=' || n, 'quotes?' || n / 250, 20, now() - interval '1 hour' + n * interval '1 ms'
    from generate_series(1, 700000) n;
    insert into larder.jobs (id, lane, kind, priority, run_at)
    select ('0197e6a0-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'local', 'noop', 20,
           now() - interval '1 hour' + n * interval '1 ms'
    from generate_series(700001, 900000) n;
    insert into larder.jobs (id, lane, kind, priority, run_at)
    select ('0197e6a0-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'local', 'noop', 20,
           now() + interval '1 day'
    from generate_series(900251, 1000000) n;
    insert into larder.jobs (id, lane, kind, priority, status, attempt, lease_token, leased_by,
                             leased_until, started_at)
    select ('0197e6a0-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'local', 'noop', 20,
           'running', 1, '00000000-0000-4000-8000-000000000001', 'w', now() + interval '1 hour', now()
    from generate_series(900001, 900250) n;
    insert into larder.finished_jobs (id, lane, kind, args, class, priority, status, run_at, attempt,
        max_attempts, rescues, errors, created_at, started_at, completed_at)
    select gen_random_uuid(), 'local', 'noop', '{}', 'operator', 20, 'completed', now(), 1, 5, 0, '[]',
           now(), now(), now()
    from generate_series(1, 1000000) n;
    insert into larder.resources (resource_key, provider, endpoint, batch_key, item, params, tracked,
                                  origin, every, next_refresh_at)
    select 'coins:/quotes?id=' || n, 'coins', 'quotes', 'quotes?' || n / 250, n, '{}', true, 'config',
           interval '1 hour', now() + case when n > 999750 then interval '0' else interval '1 hour' end
    from generate_series(1, 1000000) n;
    insert into larder.entries (resource_key, provider, endpoint, body, call_id, recorded_call,
                                requested_at, fetched_at, fresh_until)
    select 'coins:/quotes?id=' || n, 'coins', 'quotes', '1', 1, 1, now(), now(), now()
    from generate_series(1, 1000000) n;
    insert into larder.api_calls (provider, endpoint, batch_key, class, items, lease_token, worker,
        reserved_at, reserved_credits, leased_until, settled_at, end_at, credits, outcome,
        folded_requests, folded_credits, folded_end_at)
    select 'coins', 'quotes', 'quotes?1', 'planned', 1, gen_random_uuid(), 'w', at, 1, at, at, at, 1, 'ok', 1, 1, at
    from generate_series(1, 999900) n
    cross join lateral (select now() - (1000000 - n) * interval '80 ms' as at) t;
    insert into larder.api_calls (provider, endpoint, batch_key, class, items, lease_token, worker,
        reserved_at, reserved_credits, leased_until)
    select 'coins', 'quotes', 'quotes?1', 'planned', 1, gen_random_uuid(), 'w', now(), 1,
           now() + interval '1 hour'
    from generate_series(1, 100) n;
    set session_replication_role = default;
";

fn execute(name: &str, arguments: &str) -> String {
    match arguments {
        "" => format!("execute {name}"),
        _ => format!("execute {name} ({arguments})"),
    }
}

/// The large tables that a statement's plan reads from end to end.
async fn scanned(
    connection: &mut PgConnection,
    name: &str,
    arguments: &str,
    settings: &str,
) -> Vec<String> {
    let explain = format!("begin; {settings}");
    sqlx::raw_sql(AssertSqlSafe(explain))
        .execute(&mut *connection)
        .await
        .unwrap();
    let explain = format!("explain (format json) {}", execute(name, arguments));
    let plan: serde_json::Value = sqlx::raw_sql(AssertSqlSafe(explain))
        .fetch_one(&mut *connection)
        .await
        .unwrap()
        .get(0);
    sqlx::raw_sql("rollback").execute(connection).await.unwrap();
    let mut found = Vec::new();
    seq_scans(&plan, &mut found);
    found.retain(|table| is_large(table));
    found
}

fn seq_scans(plan: &serde_json::Value, found: &mut Vec<String>) {
    match plan {
        serde_json::Value::Array(parts) => parts.iter().for_each(|part| seq_scans(part, found)),
        serde_json::Value::Object(node) => {
            if node.get("Node Type").is_some_and(|kind| kind == "Seq Scan") {
                found.push(node["Relation Name"].as_str().unwrap().to_owned());
            }
            node.values().for_each(|part| seq_scans(part, found));
        }
        _ => {}
    }
}

fn is_large(table: &str) -> bool {
    LARGE.iter().any(|large| table.starts_with(large)) && !table.ends_with("_seq")
}

/// Runs a statement and takes it back; answers what it read, by table.
async fn read(
    connection: &mut PgConnection,
    name: &str,
    arguments: &str,
    settings: &str,
) -> Vec<(String, i64, i64)> {
    let run = format!(
        "begin; {settings}; set local statement_timeout = '{ENDLESS}';
         create temp table before on commit drop as
             select relname, seq_tup_read, idx_tup_fetch from pg_stat_xact_user_tables
             where schemaname = 'larder'"
    );
    sqlx::raw_sql(AssertSqlSafe(run))
        .execute(&mut *connection)
        .await
        .unwrap();
    let run = execute(name, arguments);
    let run = sqlx::raw_sql(AssertSqlSafe(run));
    if let Err(error) = run.execute(&mut *connection).await {
        let is_endless = error.to_string().contains("statement timeout");
        assert!(is_endless, "{name}: {error}");
        sqlx::raw_sql("rollback").execute(connection).await.unwrap();
        return vec![("no end".to_owned(), i64::MAX / 2, 0)];
    }
    let rows = sqlx::raw_sql(
        "select s.relname::text as name, s.seq_tup_read - coalesce(b.seq_tup_read, 0) as seq,
                coalesce(s.idx_tup_fetch - coalesce(b.idx_tup_fetch, 0), 0) as idx
         from pg_stat_xact_user_tables s left join before b using (relname)
         where s.schemaname = 'larder'",
    );
    let rows = rows.fetch_all(&mut *connection).await.unwrap();
    sqlx::raw_sql("rollback").execute(connection).await.unwrap();
    let read = rows
        .iter()
        .map(|row| (row.get("name"), row.get("seq"), row.get("idx")));
    read.filter(|(_, seq, idx)| seq + idx > 0).collect()
}

/// Each hot statement that reads a large table from end to end, or too much of all of them.
async fn readers_of_too_much(connection: &mut PgConnection, state: &str) -> Vec<String> {
    let mut found = Vec::new();
    for mode in ["force_custom_plan", "force_generic_plan"] {
        for (name, arguments, settings) in hot() {
            let settings =
                format!("set local jit = off; set local plan_cache_mode = {mode}; {settings}");
            let read = read(connection, name, arguments, &settings).await;
            let did_scan = read
                .iter()
                .any(|(table, seq, _)| is_large(table) && *seq > 0);
            let mut would_scan = scanned(connection, name, arguments, &settings).await;
            // The days to come are empty.
            would_scan.retain(|table| state != "empty" && !table.starts_with("finished_jobs"));
            let rows: i64 = read.iter().map(|(_, seq, idx)| seq + idx).sum();
            if did_scan || !would_scan.is_empty() || rows > MOST_READ {
                found.push(format!(
                    "{name}, {state}, {mode}: {read:?}, scans {would_scan:?}"
                ));
            }
        }
    }
    found
}

/// Each hot statement that reads a table many times over by a plan from an empty database.
async fn endless(connection: &mut PgConnection) -> Vec<String> {
    let mut found = Vec::new();
    for (name, arguments, settings) in hot() {
        let settings = format!("set local plan_cache_mode = force_generic_plan; {settings}");
        let read = read(connection, name, arguments, &settings).await;
        let rows: i64 = read.iter().map(|(_, seq, idx)| seq + idx).sum();
        if rows > 5_000_000 {
            found.push(format!("{name}, planned while empty: {read:?}"));
        }
    }
    found
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn no_hot_statement_reads_more_than_its_batch_whatever_the_statistics_say(
    pool: sqlx::PgPool,
) {
    let store = Store::new(pool.clone());
    let minute = LimitWindow::Rolling(Duration::from_secs(60));
    let limits = vec![
        monthly(1_000_000_000),
        limit("minute", Unit::Requests, 1_000_000, minute),
    ];
    store.sync(&[lane(limits)], &[]).await.unwrap();
    let mut connection = pool.acquire().await.unwrap();
    let arguments = sqlx::raw_sql(ARGUMENTS);
    arguments.execute(&mut *connection).await.unwrap();
    let texts = statements();
    for (name, ..) in hot() {
        let text = texts
            .get(name)
            .unwrap_or_else(|| panic!("no statement {name}"));
        let prepare = format!("prepare {name} as {text}");
        sqlx::raw_sql(AssertSqlSafe(prepare))
            .execute(&mut *connection)
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    // The statistics change when this test says so.
    for table in LARGE.iter().filter(|table| **table != "finished_jobs") {
        let stop = format!("alter table larder.{table} set (autovacuum_enabled = off)");
        let stop = sqlx::raw_sql(AssertSqlSafe(stop));
        stop.execute(&mut *connection).await.unwrap();
    }
    let analyze = || sqlx::raw_sql("analyze");
    analyze().execute(&mut *connection).await.unwrap();
    let mut found = readers_of_too_much(&mut connection, "empty").await;
    // By another session: setting the role makes one forget its plans.
    sqlx::raw_sql(FILL).execute(&pool).await.unwrap();
    found.extend(endless(&mut connection).await);
    let known =
        "select bool_and(reltuples > 0) from pg_class where oid in ('larder.jobs'::regclass,
        'larder.resources'::regclass, 'larder.entries'::regclass, 'larder.api_calls'::regclass)";
    let mut analyzed = false;
    // What was written is told to everybody after a moment.
    while !analyzed {
        store.analyze_grown().await.unwrap();
        analyzed = sqlx::query_scalar(known).fetch_one(&pool).await.unwrap();
    }
    found.extend(readers_of_too_much(&mut connection, "a million known").await);
    assert_eq!(store.analyze_grown().await.unwrap(), 0, "once is enough");
    // As if nobody had: the statistics are from before, the plans are not.
    let forget = "update pg_class set relpages = (relkind = 'i')::int, reltuples = 0
        where relnamespace = 'larder'::regnamespace and relkind in ('r', 'i');
        delete from pg_statistic where starelid in (
            select oid from pg_class where relnamespace = 'larder'::regnamespace);
        discard plans";
    sqlx::raw_sql(forget)
        .execute(&mut *connection)
        .await
        .unwrap();
    found.extend(readers_of_too_much(&mut connection, "a million unknown").await);
    assert!(found.is_empty(), "{}", found.join("\n"));
}
