//! What each hot statement reads, whatever the planner believes.
//!
//! The statements are those that the code was compiled with (`.sqlx`). Each is run as a plan of
//! its own and as one that serves all arguments, on an empty database, on a million rows that
//! the statistics know nothing of, and on a million that they know. What counts is not how a
//! plan looks but what it read, in functions and triggers too: Postgres counts that for the
//! transaction.

use std::collections::HashMap;

use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::*;

/// Jobs, resources or keys in one statement.
const BATCH: i64 = 250;

/// Rows that a statement may read in all tables together: a small multiple of its batch.
const MOST_READ: i64 = 12 * BATCH;

/// Tables that grow with use. To read the others from end to end is right.
const LARGE: [&str; 5] = ["jobs", "finished_jobs", "api_calls", "resources", "entries"];

/// Settings of records ([`shared::store`]'s `durable`) and of everything else.
const RECORDING: &str = "set local enable_seqscan = off";

/// Hot statements by name, with arguments that fill a batch, and their settings.
fn hot() -> Vec<(&'static str, &'static str, &'static str)> {
    const IDS: &str = "pg_temp.ids()";
    const KEYS: &str = "pg_temp.keys()";
    const TOKENS: &str = "array_fill('00000000-0000-4000-8000-000000000001'::uuid, array[250])";
    const TOKEN: &str = "'00000000-0000-4000-8000-000000000001'";
    let leak = |text: String| -> &'static str { text.leak() };
    vec![
        ("look", "'{noop}'", ""),
        ("admit_lock", "'coins'", ""),
        ("admit_count", "'coins'", ""),
        ("admit_state", "'coins'", ""),
        ("admit_head", "'coins', 32767", ""),
        ("admit_head_by_age", "'coins'", ""),
        (
            "admit_claim",
            leak(format!("'coins', 'quotes?7', {TOKEN}, 'w', 30, {BATCH}")),
            "",
        ),
        (
            "admit_reserve",
            leak(format!(
                "'coins', 'quotes', 'quotes?3001', 'planned', 1, {TOKEN}, 'w', null, 1, 30, {BATCH}"
            )),
            "",
        ),
        ("admit_fold", "'coins'", ""),
        ("usage_call_due", "'coins', 60, null", ""),
        (
            "settle",
            "1000000, 1, 1::smallint, false, 'ok', 200::smallint, 1",
            RECORDING,
        ),
        (
            "record_held",
            leak(format!("{IDS}, {TOKEN}, 1000000")),
            RECORDING,
        ),
        ("complete", IDS, RECORDING),
        (
            "answered_resources",
            leak(format!(
                "{KEYS}, array_fill(''::bytea, array[250]), array_fill(null::timestamptz, array[250])"
            )),
            RECORDING,
        ),
        ("failed_resources", KEYS, RECORDING),
        (
            "store_entries",
            leak(format!(
                "{KEYS}, array_fill('1'::text, array[250]), array_fill(null::text, array[250]),
                 array_fill(null::timestamptz, array[250]), 'coins', 'quotes', 1000000, 60,
                 array_fill(''::bytea, array[250]), null, null"
            )),
            RECORDING,
        ),
        (
            "claim_local",
            leak(format!(
                "{TOKEN}, 'w', 30, '{{noop}}', {BATCH}"
            )),
            "",
        ),
        (
            "claim_local_after",
            leak(format!(
                "{TOKEN}, 'w', 30, '{{10,20,30}}', array_fill('1970-01-01'::timestamptz, array[3]),
                 array_fill('00000000-0000-0000-0000-000000000000'::uuid, array[3]), '{{noop}}', {BATCH}"
            )),
            "",
        ),
        (
            "claim_local_by_age",
            leak(format!("{TOKEN}, 'w', 30, '1970-01-01', '{{noop}}', {BATCH}")),
            "",
        ),
        ("complete_held", leak(format!("{IDS}, {TOKENS}")), ""),
        ("finish_held", leak(format!("{IDS}, {TOKENS}")), ""),
        ("heartbeat", leak(format!("array[{TOKEN}::uuid], 30")), ""),
        ("rescue_find", "250", ""),
        ("lapse", "250", ""),
        ("tick", "false", ""),
        ("take_trigger", "'coins', 'quotes?7', 3600", ""),
        ("lease_plan", leak(format!("'coins', {TOKEN}, 300, 60")), ""),
        ("plan_is_outgrown", "'coins'", ""),
        ("enqueue_find", KEYS, ""),
        (
            "enqueue_raise",
            leak(format!(
                "{KEYS}, array_fill(0::smallint, array[250]),
                 array_fill(null::timestamptz, array[250]), array_fill(false, array[250])"
            )),
            "",
        ),
        ("entries", KEYS, ""),
        ("absent", KEYS, ""),
        (
            "note_reads",
            leak(format!(
                "{KEYS}, array_fill(1::float8, array[250]), 3600, 604800"
            )),
            "",
        ),
    ]
}

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

/// Runs a statement and takes it back; answers what it read, by table.
async fn read(
    connection: &mut PgConnection,
    name: &str,
    arguments: &str,
    settings: &str,
    mode: &str,
) -> Vec<(String, i64, i64)> {
    let run = format!(
        "begin; set local jit = off; set local plan_cache_mode = {mode}; {settings};
         create temp table before on commit drop as
             select relname, seq_tup_read, idx_tup_fetch from pg_stat_xact_user_tables
             where schemaname = 'larder'"
    );
    sqlx::raw_sql(AssertSqlSafe(run))
        .execute(&mut *connection)
        .await
        .unwrap();
    let run = format!("execute {name} ({arguments})");
    sqlx::raw_sql(AssertSqlSafe(run))
        .execute(&mut *connection)
        .await
        .unwrap_or_else(|error| panic!("{name}: {error}"));
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
            let read = read(connection, name, arguments, settings, mode).await;
            let is_large = |table: &str| LARGE.iter().any(|large| table.starts_with(large));
            let scanned = read
                .iter()
                .any(|(table, seq, _)| is_large(table) && *seq > 0);
            let rows: i64 = read.iter().map(|(_, seq, idx)| seq + idx).sum();
            if scanned || rows > MOST_READ {
                found.push(format!("{name}, {state}, {mode}: {read:?}"));
            }
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
    sqlx::raw_sql(FILL).execute(&mut *connection).await.unwrap();
    found.extend(readers_of_too_much(&mut connection, "a million unknown").await);
    analyze().execute(&mut *connection).await.unwrap();
    found.extend(readers_of_too_much(&mut connection, "a million known").await);
    assert!(found.is_empty(), "{}", found.join("\n"));
}
