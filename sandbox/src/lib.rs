//! A CoinMarketCap-compatible upstream, for trying Larder out and for judging it.
//!
//! It answers the endpoints that Larder's preset knows, in the shapes that were
//! recorded from the real API, charges for them by the real rules, and keeps a
//! [ledger](LedgerReport) of its own. Larder's tests compare their budget with that
//! ledger: it shares no code with Larder's engine, so a mistake in one does not
//! hide in the other. It also goes wrong on request ([`Trouble`]), in every way
//! that a provider was seen, or is feared, to go wrong.
//!
//! ```
//! use sandbox::{Sandbox, SandboxConfig, Trouble, TroubleKind};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), sandbox::SandboxError> {
//! let sandbox = Sandbox::start("127.0.0.1:0", SandboxConfig::default()).await?;
//! let handle = sandbox.handle();
//! handle.script(Trouble::next(1, TroubleKind::DropAfterCounting));
//! // … let a client call sandbox.url() with the key "sandbox-key" …
//! assert_eq!(handle.total().requests, 0);
//! sandbox.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Not here
//!
//! CoinMarketCap's keyless API, its DEX endpoints and its history.

mod admin;
mod call;
mod catalogue;
mod chance;
mod clock;
mod config;
mod currency;
mod endpoints;
mod envelope;
mod fault;
mod handle;
mod in_flight;
mod ledger;
mod market;
mod query;
mod reply;
mod selection;
mod server;
mod trouble;
mod window;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, ToSocketAddrs};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use call::World;
pub use config::{KeyInfoForm, KeyState, Plan, SandboxConfig};
pub use handle::Handle;
pub use ledger::{Arrival, EndpointCount, LedgerReport, Peak, Tally, WindowCount, WindowReport};
pub use trouble::{CreditReport, RetryAfter, Trouble, TroubleKind};
pub use window::{Window, Windows};

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The address cannot be listened on.
    #[error("cannot listen on the sandbox's address")]
    Bind(#[source] std::io::Error),
    /// The configuration makes no sense.
    #[error("the sandbox's configuration is wrong: {0}")]
    Config(&'static str),
}

/// A running sandbox. Dropping it stops it without waiting; [`Sandbox::stop`] waits.
pub struct Sandbox {
    addr: SocketAddr,
    handle: Handle,
    stopping: CancellationToken,
    server: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// Starts to serve on `addr`; port 0 takes a free one. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// - [`SandboxError::Config`] if there is no key, or a window or the price step
    ///   is shorter than a millisecond.
    /// - [`SandboxError::Bind`] if the address cannot be listened on.
    pub async fn start(
        addr: impl ToSocketAddrs,
        config: SandboxConfig,
    ) -> Result<Self, SandboxError> {
        let world = world(config)?;
        let listener = TcpListener::bind(addr).await.map_err(SandboxError::Bind)?;
        let addr = listener.local_addr().map_err(SandboxError::Bind)?;
        let world = Arc::new(world);
        tracing::info!(%addr, "the sandbox is listening");
        Ok(Self {
            addr,
            handle: Handle::new(Arc::clone(&world)),
            stopping: world.stopping.clone(),
            server: Some(tokio::spawn(server::run(listener, world))),
        })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The base URL, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Reads its ledger and scripts its trouble.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Stops listening, gives calls in flight a second to end, and waits for that.
    pub async fn stop(mut self) {
        self.stopping.cancel();
        if let Some(server) = self.server.take() {
            // It fails only if it panicked or the runtime is going down: stopped, either way.
            let _ = server.await;
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stopping.cancel();
    }
}

fn world(config: SandboxConfig) -> Result<World, SandboxError> {
    if config.keys.is_empty() {
        return Err(SandboxError::Config("it needs at least one key"));
    }
    let windows = config.windows;
    let too_short = [windows.minute, windows.day, windows.month]
        .iter()
        .any(|window| matches!(window, Window::EveryMs(0) | Window::RollingMs(0)));
    let price_step_ms = i64::try_from(config.price_step.as_millis()).unwrap_or(i64::MAX / 100);
    if too_short || price_step_ms == 0 {
        return Err(SandboxError::Config(
            "windows and the price step are at least a millisecond",
        ));
    }
    Ok(World {
        catalogue: catalogue::Catalogue::new(config.coins),
        ledger: ledger::Ledger::new(&config),
        board: trouble::board::Board::new(config.seed),
        seed: config.seed,
        price_step_ms,
        key_info_form: config.key_info_form,
        in_flight: Arc::default(),
        stopping: CancellationToken::new(),
    })
}
