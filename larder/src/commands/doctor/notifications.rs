//! LISTEN: whether a notification that is sent is heard.

use std::time::Duration;

use secrecy::ExposeSecret;
use shared::setup::Setup;
use shared::store::{Listener, Store, Wake};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::findings::Findings;

/// How long a notification may take.
const HEARD: Duration = Duration::from_secs(3);

/// Sends one and waits for it, over the address that processes listen on.
pub(super) async fn look(setup: &Setup, url: &str, store: &Store, findings: &mut Findings) {
    let own = setup.secrets.database_listen_url.as_ref();
    let name = match own {
        Some(_) => "DATABASE_LISTEN_URL",
        None => "DATABASE_URL",
    };
    let listen_url = own.map_or(url, |url| url.expose_secret());
    let (wake, stop) = (Wake::default(), CancellationToken::new());
    if Listener::start(listen_url, &wake, &stop).is_err() {
        let found = format!("{name} is no Postgres URL");
        findings.bad("LISTEN", &found, "postgres://user@host:port/database");
        return;
    }
    let heard = async {
        // The first wake is the listener's own, after it connected.
        wake.jobs().await;
        store.announce_jobs().await.map_err(|error| error.chain())?;
        wake.jobs().await;
        Ok::<(), String>(())
    };
    let heard = timeout(HEARD, heard).await;
    stop.cancel();
    match heard {
        Ok(Ok(())) => findings.good("LISTEN", &format!("notifications arrive over {name}")),
        Ok(Err(error)) => {
            let help = "a standby cannot notify: DATABASE_URL must lead to the primary";
            findings.warn("LISTEN", &error, help);
        }
        Err(_) => {
            let found = format!("nothing arrives over {name}: processes poll each second");
            let help = "set DATABASE_LISTEN_URL to an address past the pooler: docs/supabase.md";
            findings.warn("LISTEN", &found, help);
        }
    }
}
