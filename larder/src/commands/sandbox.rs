//! `larder sandbox`: a CoinMarketCap-compatible upstream, for trying Larder out.

use std::net::SocketAddr;
use std::process::ExitCode;

use sandbox::{KeyInfoForm, Sandbox, SandboxConfig};
use secrecy::ExposeSecret;
use shared::config::{Secrets, environment};

use crate::cli::{Failure, Outcome, say};
use crate::commands::signals::Signals;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:8082")]
    listen: SocketAddr,
    /// A key that is accepted, beside the one in CMC_API_KEY; several may be given
    #[arg(long, default_value = DEFAULT_KEY)]
    key: Vec<String>,
    /// Credits that the plan allows in a month
    #[arg(long, default_value_t = 15_000)]
    credits_per_month: u64,
    /// Credits that the plan allows in a day; without it there is no daily limit
    #[arg(long)]
    credits_per_day: Option<u64>,
    /// Requests that the plan allows in a minute
    #[arg(long, default_value_t = 50)]
    requests_per_minute: u64,
    /// Answer /v1/key/info in the form with daily fields
    #[arg(long)]
    old_key_info: bool,
    /// What the made-up prices are made from
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// The key that is accepted without being told to.
pub(super) const DEFAULT_KEY: &str = "sandbox-key";

/// The variable in which Larder itself looks for the key, so that both agree.
const KEY_VARIABLE: &str = "CMC_API_KEY";

/// Serves until a signal.
pub(crate) async fn run(arguments: Arguments) -> Outcome {
    let mut signals = Signals::register()?;
    let config = SandboxConfig {
        keys: keys(arguments.key)?,
        credits_per_month: arguments.credits_per_month,
        credits_per_day: arguments.credits_per_day,
        requests_per_minute: arguments.requests_per_minute,
        key_info_form: match arguments.old_key_info {
            true => KeyInfoForm::WithDaily,
            false => KeyInfoForm::Current,
        },
        seed: arguments.seed,
        ..SandboxConfig::default()
    };
    let sandbox = Sandbox::start(arguments.listen, config)
        .await
        .map_err(|error| Failure::from(&error).with_help("choose another address: --listen"))?;
    say(&format!("The sandbox answers at {}\n", sandbox.url()));
    signals.stop().await;
    sandbox.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// The keys of the command line and the one of the environment.
fn keys(mut keys: Vec<String>) -> Result<Vec<String>, Failure> {
    let directory = std::env::current_dir().map_err(|error| Failure::from(&error))?;
    let environment = environment(&directory).map_err(|error| Failure::from(&error))?;
    let secrets =
        Secrets::read(&environment, [KEY_VARIABLE]).map_err(|error| Failure::from(&error))?;
    if let Some(key) = secrets.provider_key(KEY_VARIABLE) {
        keys.push(key.expose_secret().to_owned());
    }
    Ok(keys)
}
