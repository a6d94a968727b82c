//! A way to Postgres that can be cut and mended.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::rig::Rig;

/// Hands connections on to the rig's database.
pub(crate) struct Relay {
    addr: SocketAddr,
    target: String,
    database: String,
    cut: CancellationToken,
}

impl Relay {
    pub(crate) async fn start(rig: &Rig) -> Self {
        let options = rig.pool.connect_options();
        let mut relay = Self {
            addr: SocketAddr::from(([127, 0, 0, 1], 0)),
            target: format!("{}:{}", options.get_host(), options.get_port()),
            database: format!(
                "{}/{}",
                options.get_username(),
                options.get_database().unwrap()
            ),
            cut: CancellationToken::new(),
        };
        relay.mend().await;
        relay
    }

    /// The database's URL by this way.
    pub(crate) fn url(&self) -> String {
        let (user, database) = self.database.split_once('/').unwrap();
        format!("postgres://{user}@{}/{database}", self.addr)
    }

    /// Drops every connection, and takes no new one.
    pub(crate) async fn cut(&mut self) {
        self.cut.cancel();
        // The listener is gone when the port is free again.
        while let Err(error) = TcpListener::bind(self.addr).await {
            assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
            tokio::task::yield_now().await;
        }
    }

    /// Takes connections again, at the same address.
    pub(crate) async fn mend(&mut self) {
        let listener = TcpListener::bind(self.addr).await.unwrap();
        self.addr = listener.local_addr().unwrap();
        self.cut = CancellationToken::new();
        let (cut, target) = (self.cut.clone(), self.target.clone());
        tokio::spawn(async move {
            while let Some(accepted) = cut.run_until_cancelled(listener.accept()).await {
                let (mut near, _) = accepted.unwrap();
                let (cut, target) = (cut.clone(), target.clone());
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(target).await.unwrap();
                    let _ = cut
                        .run_until_cancelled(copy_bidirectional(&mut near, &mut far))
                        .await;
                });
            }
        });
    }
}
