//! Finds out whether a pooler stands between that lends out sessions by the transaction.
//!
//! Neither the URL nor the server says so, but which session a statement reaches does.

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _, Error, Row as _};

/// Whether statements on one connection reach different sessions, or statements on two
/// connections the same: then a pooler lends out sessions by the transaction.
///
/// Nothing is left behind by asking. A pooler with more than one idle session may answer in
/// a way that looks direct, so it is asked in [`TURNS`], and port 6543, which is where hosted
/// poolers of this kind listen, is believed.
pub(super) async fn is_shared(options: &PgConnectOptions) -> Result<bool, Error> {
    if options.get_port() == 6543 {
        return Ok(true);
    }
    let (mut one, mut other) = tokio::try_join!(options.connect(), options.connect())?;
    let mut reached = Vec::with_capacity(TURNS.len());
    for is_other in TURNS {
        let connection = if is_other { &mut other } else { &mut one };
        reached.push(session(connection).await?);
    }
    // Polite, and no more: what was asked is known.
    let _ = tokio::join!(one.close(), other.close());
    Ok(are_shared(&reached))
}

/// Which of the two connections is asked, time after time: in no regular order, since a pooler
/// that takes its sessions in turns would give each connection the same one again.
const TURNS: [bool; 6] = [false, false, true, false, true, true];

/// Whether the sessions that were reached are not one to each connection.
fn are_shared(reached: &[i32]) -> bool {
    let of = |connection: bool| {
        let asked = TURNS.iter().zip(reached);
        let mut sessions: Vec<i32> = asked
            .filter(|(is_other, _)| **is_other == connection)
            .map(|(_, session)| *session)
            .collect();
        sessions.dedup();
        sessions
    };
    let (ones, others) = (of(false), of(true));
    ones.len() > 1 || others.len() > 1 || ones == others
}

/// Which of the server's processes a statement reaches. Without a prepared statement.
async fn session(connection: &mut PgConnection) -> Result<i32, Error> {
    let row = sqlx::raw_sql("select pg_backend_pid()");
    row.fetch_one(connection).await?.try_get(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_lends_sessions_in_turns_is_found_out() {
        for idle in 1..=4_i32 {
            let in_turns: Vec<i32> = (0..6).map(|nth| nth % idle).collect();
            assert!(are_shared(&in_turns), "{idle} idle sessions");
        }
        let direct = TURNS.map(|is_other| 7 + i32::from(is_other));
        assert!(!are_shared(&direct));
    }
}
