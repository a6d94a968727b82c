//! A way to Postgres that can be cut, mended and stalled, and that counts statements.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use sqlx::PgPool;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// Hands connections on to a test's database.
pub(crate) struct Relay {
    addr: SocketAddr,
    target: String,
    database: String,
    cut: CancellationToken,
    /// Cancelled to have all connections made so far hand on nothing more.
    stalled: Arc<Mutex<CancellationToken>>,
    statements: Arc<AtomicU64>,
}

impl Relay {
    pub(crate) async fn start(pool: &PgPool) -> Self {
        let options = pool.connect_options();
        let mut relay = Self {
            addr: SocketAddr::from(([127, 0, 0, 1], 0)),
            target: format!("{}:{}", options.get_host(), options.get_port()),
            database: format!(
                "{}/{}",
                options.get_username(),
                options.get_database().unwrap()
            ),
            cut: CancellationToken::new(),
            stalled: Arc::default(),
            statements: Arc::default(),
        };
        relay.mend().await;
        relay
    }

    /// The database's URL by this way.
    pub(crate) fn url(&self) -> String {
        let (user, database) = self.database.split_once('/').unwrap();
        format!("postgres://{user}@{}/{database}", self.addr)
    }

    /// Statements that went this way so far.
    pub(crate) fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
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

    /// Hands on nothing more of the connections that stand, and closes none of them: as where
    /// a firewall has forgotten them. New ones work.
    pub(crate) fn stall(&self) {
        let old = std::mem::take(&mut *self.stalled.lock().unwrap());
        old.cancel();
    }

    /// Takes connections again, at the same address.
    pub(crate) async fn mend(&mut self) {
        let listener = TcpListener::bind(self.addr).await.unwrap();
        self.addr = listener.local_addr().unwrap();
        self.cut = CancellationToken::new();
        let (cut, target) = (self.cut.clone(), self.target.clone());
        let statements = Arc::clone(&self.statements);
        let stalled = Arc::clone(&self.stalled);
        tokio::spawn(async move {
            while let Some(accepted) = cut.run_until_cancelled(listener.accept()).await {
                let (near, _) = accepted.unwrap();
                let (cut, target) = (cut.clone(), target.clone());
                let statements = Arc::clone(&statements);
                let stalled = stalled.lock().unwrap().clone();
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(target).await.unwrap();
                    let mut near = near;
                    let both = async {
                        let both = hand_on(&mut near, &mut far, &statements);
                        if stalled.run_until_cancelled(both).await.is_none() {
                            std::future::pending::<()>().await;
                        }
                    };
                    // Whichever side ends it, or the cut, both are dropped.
                    let _ = cut.run_until_cancelled(both).await;
                });
            }
        });
    }
}

async fn hand_on(near: &mut TcpStream, far: &mut TcpStream, statements: &AtomicU64) {
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let (from_near, mut to_near) = near.split();
    let (mut from_far, to_far) = far.split();
    tokio::select! {
        _ = count(from_near, to_far, statements) => {}
        _ = copy(&mut from_far, &mut to_near) => {}
    }
}

/// Hands on what a client sends, message by message.
async fn count(
    from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    statements: &AtomicU64,
) -> io::Result<()> {
    /// What comes before a session: may we talk TLS, or GSSAPI?
    const REQUESTS: [u32; 2] = [80_877_103, 80_877_104];
    let mut from = BufReader::new(from);
    loop {
        let length = from.read_u32().await?;
        let code = from.read_u32().await?;
        to.write_all(&[length.to_be_bytes(), code.to_be_bytes()].concat())
            .await?;
        let mut rest = (&mut from).take(u64::from(length) - 8);
        copy(&mut rest, &mut to).await?;
        if !REQUESTS.contains(&code) {
            break;
        }
    }
    loop {
        let kind = from.read_u8().await?;
        let length = from.read_u32().await?;
        // Execute, and simple queries.
        if b"EQ".contains(&kind) {
            statements.fetch_add(1, Ordering::Relaxed);
        }
        let mut message = vec![0; usize::try_from(length).unwrap() + 1];
        message[0] = kind;
        message[1..5].copy_from_slice(&length.to_be_bytes());
        from.read_exact(&mut message[5..]).await?;
        to.write_all(&message).await?;
    }
}
