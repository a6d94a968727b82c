//! The hot statements, and arguments for them.

use super::BATCH;

/// The settings of records ([`shared::store`]'s `durable`) and of what is enqueued by keys.
const BY_KEYS: &str = "set local enable_seqscan = off";

/// Hot statements by name, with arguments that fill a batch, and their settings.
pub(super) fn hot() -> Vec<(&'static str, &'static str, &'static str)> {
    const IDS: &str = "pg_temp.ids()";
    const NEW_IDS: &str = "pg_temp.new_ids()";
    const KEYS: &str = "pg_temp.keys()";
    const NEW_KEYS: &str = "pg_temp.new_keys()";
    const TOKENS: &str = "array_fill('00000000-0000-4000-8000-000000000001'::uuid, array[250])";
    const TOKEN: &str = "'00000000-0000-4000-8000-000000000001'";
    let fill = |what: &str| format!("array_fill({what}, array[{BATCH}])");
    let leak = |text: String| -> &'static str { text.leak() };
    vec![
        ("look", "'{noop}', '{}', '{}', null", ""),
        ("lanes_now", "", ""),
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
            BY_KEYS,
        ),
        (
            "record_held",
            leak(format!("{IDS}, {TOKEN}, 1000000")),
            BY_KEYS,
        ),
        ("complete", IDS, BY_KEYS),
        (
            "answered_resources",
            leak(format!(
                "{KEYS}, array_fill(''::bytea, array[250]), array_fill(null::timestamptz, array[250])"
            )),
            BY_KEYS,
        ),
        ("failed_resources", KEYS, BY_KEYS),
        (
            "store_entries",
            leak(format!(
                "{KEYS}, array_fill('1'::text, array[250]), array_fill(null::text, array[250]),
                 array_fill(null::timestamptz, array[250]), 'coins', 'quotes', 1000000, 60,
                 array_fill(''::bytea, array[250]), null, null"
            )),
            BY_KEYS,
        ),
        (
            "claim_local_look",
            "array[-1, 10, 20, 30], array[10, 20, 30, 99], 32, '{10,20,30}',
             array_fill(now(), array[3]),
             array_fill('00000000-0000-0000-0000-000000000000'::uuid, array[3]),
             null, '{noop}', 500, now()",
            "",
        ),
        (
            "claim_local_passed",
            leak(format!("{TOKEN}, 'w', 30, {IDS}, '{{noop}}'")),
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
        ("timers_tick", KEYS, ""),
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
            "enqueue_local_usual",
            "gen_random_uuid(), 'noop', '{}'",
            "",
        ),
        (
            "enqueue_local",
            leak(format!(
                "{NEW_IDS}, {}, {}, {}, {}, {}, {}",
                fill("'noop'::text"),
                fill("'{}'::jsonb"),
                fill("'operator'::text"),
                fill("20::smallint"),
                fill("null::timestamptz"),
                fill("5"),
            )),
            "",
        ),
        (
            "enqueue",
            leak(format!(
                "{NEW_IDS}, {}, {}, {}, {NEW_KEYS}, {}, {}, {}, {}, {}, {}, {}, {}",
                fill("'coins'::text"),
                fill("'refresh'::text"),
                fill("'quotes'::text"),
                fill("'quotes?1'::text"),
                fill("'1'::text"),
                fill("'{}'::jsonb"),
                fill("'planned'::text"),
                fill("20::smallint"),
                fill("null::timestamptz"),
                fill("false"),
                fill("5"),
            )),
            BY_KEYS,
        ),
        (
            "insert_resources",
            leak(format!(
                "{NEW_KEYS}, {}, {}, {}, {}, {}, 'read'",
                fill("'coins'::text"),
                fill("'quotes'::text"),
                fill("'quotes?1'::text"),
                fill("'1'::text"),
                fill("'{}'::jsonb"),
            )),
            "",
        ),
        ("live_jobs", IDS, ""),
        ("release", IDS, ""),
        ("rescue", IDS, ""),
        ("cancel", IDS, ""),
        ("fail", leak(format!("{IDS}, {}", fill("'why'::text"))), ""),
        (
            "retry_later",
            leak(format!(
                "{IDS}, {}, {}",
                fill("'why'::text"),
                fill("1::float8")
            )),
            "",
        ),
        ("confirm_entries", leak(format!("{KEYS}, 1000000, 60")), BY_KEYS),
        ("remember_absences", leak(format!("{KEYS}, 'coins', 60")), BY_KEYS),
        ("forget_absences", KEYS, BY_KEYS),
        ("validator", leak(format!("{KEYS}, ''")), ""),
        ("ended_refreshes", IDS, ""),
        ("entry_marks", KEYS, ""),
        ("due_schedules", "", ""),
        ("follow_look", KEYS, ""),
        (
            "note_reads",
            leak(format!(
                "{KEYS}, array_fill(1::float8, array[250]), 3600, 604800"
            )),
            "",
        ),
    ]
}
