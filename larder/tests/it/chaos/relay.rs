//! The way to Postgres: an address that stays while the server comes and goes, and
//! connections that can be cut or fall silent.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio_util::sync::CancellationToken;
use url::Url;

/// How long the server takes to find that a silent connection is dead. Without an end they
/// would take all that it allows.
const NOTICED: Duration = Duration::from_secs(30);

/// Passes connections on to a server's socket.
#[derive(Debug)]
pub(crate) struct Relay {
    url: String,
    /// Cancelled to cut the connections made since the last cut.
    wire: Arc<Mutex<CancellationToken>>,
    /// Cancelled to have the connections made since the last time pass nothing on.
    voice: Arc<Mutex<CancellationToken>>,
}

impl Relay {
    /// A relay to the server of this URL, which names a socket.
    pub(crate) async fn start(server: &str) -> Self {
        let socket = socket(server);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!(
            "postgres://larder@{}/larder",
            listener.local_addr().unwrap()
        );
        let wire = Arc::new(Mutex::new(CancellationToken::new()));
        let voice = Arc::new(Mutex::new(CancellationToken::new()));
        let (current, heard) = (Arc::clone(&wire), Arc::clone(&voice));
        tokio::spawn(async move {
            while let Ok((from, _)) = listener.accept().await {
                let wire = current.lock().unwrap().clone();
                let voice = heard.lock().unwrap().clone();
                let socket = socket.clone();
                tokio::spawn(
                    async move { wire.run_until_cancelled(pass(from, &socket, &voice)).await },
                );
            }
        });
        Self { url, wire, voice }
    }

    /// Where processes connect.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Closes every connection, whatever is on its way.
    pub(crate) fn cut(&self) {
        let old = std::mem::take(&mut *self.wire.lock().unwrap());
        old.cancel();
    }

    /// Passes nothing on of the connections that stand, and closes none of them: as where a
    /// firewall has forgotten them. New ones work.
    pub(crate) fn stall(&self) {
        let old = std::mem::take(&mut *self.voice.lock().unwrap());
        old.cancel();
    }
}

async fn pass(mut from: TcpStream, socket: &Path, voice: &CancellationToken) {
    let _ = from.set_nodelay(true);
    if let Ok(mut onward) = UnixStream::connect(socket).await {
        // An end of either side is the end of both; nobody asks why.
        let both = tokio::io::copy_bidirectional(&mut from, &mut onward);
        if voice.run_until_cancelled(both).await.is_none() {
            tokio::time::sleep(NOTICED).await;
        }
    }
}

/// The socket that a URL of a private Postgres names.
fn socket(url: &str) -> PathBuf {
    let url = Url::parse(url).unwrap();
    let host = url.query_pairs().find(|(name, _)| name == "host");
    Path::new(host.unwrap().1.as_ref()).join(".s.PGSQL.5432")
}
