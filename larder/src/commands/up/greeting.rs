//! What `larder up` says when everything runs.

use std::fmt::Write;
use std::net::SocketAddr;

use shared::setup::Setup;

use super::made_up::MadeUp;

/// The addresses to open, and a command to try.
pub(super) fn text(setup: &Setup, made_up: &MadeUp, address: SocketAddr) -> String {
    let base = format!("http://{address}");
    let mut text = String::from("\nLarder is up.\n\n");
    let mut line = |name: &str, value: &str| {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "  {name:<15}{value}");
    };
    let secret = match made_up.secret_file() {
        Some(file) => format!("$(cat {})", shown(file)),
        None => "$JOBS_API_SECRET".to_owned(),
    };
    let asks = match made_up.secret_file() {
        Some(file) => format!("the secret in {}", shown(file)),
        None => "JOBS_API_SECRET".to_owned(),
    };
    line("page", &format!("{base} (it asks for {asks})"));
    line("HTTP API", &base);
    line("metrics", &format!("{base}/metrics"));
    line("configuration", &setup.origin);
    for provider in setup.catalog.providers() {
        let base_url = &provider.config().base_url;
        let upstream = match &provider.config().key_env {
            Some(key) if made_up.sandbox_url().as_ref() == Some(base_url) => {
                format!("{base_url} (the sandbox; set {key} for CoinMarketCap itself)")
            }
            _ => base_url.clone(),
        };
        line(provider.name().as_str(), &upstream);
    }
    if let Some(url) = made_up.database_url() {
        line("Postgres", &format!("psql '{url}'"));
    }
    let first = setup.catalog.tracked().first();
    if let Some(track) = first {
        let key = track.resource.key.as_str();
        let (provider, path) = key.split_once(':').unwrap_or((key, ""));
        let _ = write!(
            text,
            "\nRead the cache, as the provider itself answers:\n  curl '{base}/proxy/{provider}{path}'\n"
        );
    }
    let _ = write!(
        text,
        "\nSee what it costs:\n  curl -H \"Authorization: Bearer {secret}\" {base}/api/budget\n\nCtrl-C stops everything; the data stays.\n\n"
    );
    text
}

/// A path as a shell takes it.
fn shown(path: &std::path::Path) -> String {
    let path = std::env::current_dir()
        .ok()
        .and_then(|here| {
            path.strip_prefix(here)
                .ok()
                .map(std::path::Path::to_path_buf)
        })
        .unwrap_or_else(|| path.to_path_buf());
    let text = path.display().to_string();
    match text.contains(|letter: char| !letter.is_ascii_alphanumeric() && !"/._-".contains(letter))
    {
        true => format!("'{text}'"),
        false => text,
    }
}
