//! The database server: version, settings, connections, clock, transactions.

use std::time::Duration;

use chrono::{DateTime, Utc};
use shared::store::{DatabaseHealth, Store};

use super::findings::Findings;

/// Versions that Larder is tested with.
const VERSIONS: std::ops::RangeInclusive<i32> = 15..=18;

/// An open transaction of this age, in seconds, keeps dead rows of the queue from being
/// cleaned up.
const LONG: f64 = 600.0;

/// Connections that should be free: by default an enqueuer takes up to 9, a worker up to 16.
const FEWEST_FREE: i64 = 25;

/// A statement that takes as long is no sign of trouble, in milliseconds: upkeep and bulk changes
/// of a large database.
const SHORT_MS: i64 = 15_000;

/// Reads what there is to know, and judges it; `None` if the database does not tell.
pub(super) async fn look(store: &Store, findings: &mut Findings) -> Option<DatabaseHealth> {
    let before = process_clock();
    let found = store.database_health().await;
    let after = process_clock();
    let health = match found {
        Ok(health) => health,
        Err(error) => {
            let help = "it answers, but not this login's question: check its rights";
            findings.bad("database", &error.chain(), help);
            return None;
        }
    };
    server(&health, findings);
    match store.shares_sessions().await {
        Ok(true) => findings.good("pooler", "one in transaction mode stands between"),
        Ok(false) => findings.good("pooler", "none that shares sessions"),
        Err(error) => findings.warn("pooler", &error.chain(), "see above"),
    }
    clock(apart(&health, before, after), findings);
    transactions(&health, findings);
    Some(health)
}

fn server(health: &DatabaseHealth, findings: &mut Findings) {
    let name = format!("PostgreSQL {}", health.version_text);
    match VERSIONS.contains(&(health.version / 10_000)) {
        true => findings.good("database", &name),
        false => findings.bad("database", &name, "Larder is made for PostgreSQL 15 to 18"),
    }
    if health.read_only {
        let help = "DATABASE_URL must lead to the primary";
        findings.bad("database", "takes no writes", help);
    }
    settings(health, findings);
    let free = i64::from(health.max_connections) - health.connections;
    let found = format!(
        "{} of {} are taken",
        health.connections, health.max_connections
    );
    match free < FEWEST_FREE {
        true => {
            let help = "raise max_connections, or put a pooler in between";
            findings.warn("connections", &found, help);
        }
        false => findings.good("connections", &found),
    }
    match (health.superuser, health.owns_schema) {
        (true, _) => {
            let help = "larder init --roles makes a role with less: docs/security.md";
            findings.warn("rights", "this login is a superuser", help);
        }
        (false, true) => findings.good("rights", "this login owns the schema, and can migrate"),
        (false, false) => findings.good("rights", "this login cannot migrate: the owner can"),
    }
}

fn settings(health: &DatabaseHealth, findings: &mut Findings) {
    let statement = limit(health.statement_timeout_ms);
    let mut good = true;
    let mut warn = |found: &str, help: &str| {
        good = false;
        findings.warn("settings", found, help);
    };
    if !health.durable {
        let found = "fsync or full_page_writes is off: a crash forgets what was spent";
        warn(found, "turn both on, unless this is a test");
    }
    if !health.autovacuum {
        let found = "autovacuum is off: the queue becomes slower with each job";
        warn(found, "turn it on");
    }
    if (1..SHORT_MS).contains(&health.statement_timeout_ms) {
        let found = format!("statement_timeout is {statement}: bulk changes may take longer");
        warn(&found, "set it to 60s for this login, with alter role");
    }
    if good {
        let idle = limit(health.idle_timeout_ms);
        let found = format!(
            "fsync, full_page_writes and autovacuum are on; statement_timeout {statement}, \
             idle_in_transaction_session_timeout {idle}"
        );
        findings.good("settings", &found);
    }
}

/// A time-out as people read it.
fn limit(milliseconds: i64) -> String {
    match u64::try_from(milliseconds) {
        Ok(0) | Err(_) => "off".to_owned(),
        Ok(set) => humantime::format_duration(Duration::from_millis(set)).to_string(),
    }
}

/// No decision of Larder depends on a process's clock; but calendar windows do on the
/// database's, and people compare log lines.
fn clock(apart_ms: i64, findings: &mut Findings) {
    let found = format!("at most {apart_ms} ms from the database's");
    match apart_ms > 2_000 {
        true => {
            let help = "set both by NTP: the database's decides when a month begins";
            findings.warn("clock", &found, help);
        }
        false => findings.good("clock", &found),
    }
}

/// How far the clocks are apart at least, in milliseconds: the database read its own
/// somewhere between the two.
fn apart(health: &DatabaseHealth, before: DateTime<Utc>, after: DateTime<Utc>) -> i64 {
    let (ahead, behind) = (health.now - after, before - health.now);
    ahead.max(behind).num_milliseconds().max(0)
}

fn transactions(health: &DatabaseHealth, findings: &mut Findings) {
    let oldest = Duration::from_secs(health.oldest_transaction_secs as u64);
    let found = format!("the oldest is {} old", humantime::format_duration(oldest));
    match health.oldest_transaction_secs > LONG {
        true => {
            let help = "end it: docs/operations.md, When Postgres is slow";
            findings.warn("transactions", &found, help);
        }
        false => findings.good("transactions", &found),
    }
    if health.prepared_transactions > 0 {
        let found = format!(
            "{} prepared ones wait for their end",
            health.prepared_transactions
        );
        let help = "commit prepared or rollback prepared: see pg_prepared_xacts";
        findings.warn("transactions", &found, help);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "compared with the database's, and nothing decided"
)]
fn process_clock() -> DateTime<Utc> {
    Utc::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health() -> DatabaseHealth {
        DatabaseHealth {
            version: 150_012,
            version_text: "15.12".to_owned(),
            now: DateTime::UNIX_EPOCH,
            durable: true,
            autovacuum: true,
            statement_timeout_ms: 0,
            idle_timeout_ms: 60_000,
            read_only: false,
            max_connections: 100,
            connections: 7,
            oldest_transaction_secs: 0.4,
            prepared_transactions: 0,
            owns_schema: true,
            superuser: false,
        }
    }

    fn said(health: &DatabaseHealth) -> String {
        let mut findings = Findings::default();
        server(health, &mut findings);
        transactions(health, &mut findings);
        findings.text()
    }

    #[test]
    fn a_good_server_has_no_warning() {
        let text = said(&health());
        assert!(!text.contains("warn") && !text.contains("FAIL"), "{text}");
        let settings = "ok    settings      fsync, full_page_writes and autovacuum are on;";
        assert!(text.contains(settings), "{text}");
        let words: Vec<&str> = text.split_whitespace().collect();
        assert!(words.join(" ").contains("session_timeout 1m"), "{text}");
    }

    #[test]
    fn each_thing_that_is_wrong_has_its_words() {
        type Break = fn(&mut DatabaseHealth);
        let cases: [(Break, &str); 9] = [
            (|it| it.version = 140_002, "made for PostgreSQL 15 to 18"),
            (|it| it.read_only = true, "takes no writes"),
            (|it| it.durable = false, "fsync or full_page_writes is off"),
            (|it| it.autovacuum = false, "autovacuum is off"),
            (
                |it| it.statement_timeout_ms = 3_000,
                "statement_timeout is 3s",
            ),
            (|it| it.connections = 95, "raise max_connections"),
            (|it| it.superuser = true, "larder init --roles"),
            (
                |it| it.oldest_transaction_secs = 4_000.0,
                "When Postgres is slow",
            ),
            (|it| it.prepared_transactions = 2, "2 prepared ones wait"),
        ];
        for (change, words) in cases {
            let mut broken = health();
            change(&mut broken);
            let text = said(&broken);
            assert!(text.contains(words), "{words}: {text}");
        }
    }

    #[test]
    fn clocks_are_compared_with_the_time_that_the_question_took() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        let now = DatabaseHealth {
            now: at(100),
            ..health()
        };
        assert_eq!(apart(&now, at(99), at(101)), 0);
        assert_eq!(apart(&now, at(105), at(106)), 5_000);
        assert_eq!(apart(&now, at(90), at(97)), 3_000);
        let mut findings = Findings::default();
        clock(3_000, &mut findings);
        assert!(findings.text().contains("set both by NTP"));
    }
}
