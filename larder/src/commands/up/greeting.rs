//! What `larder up` says when everything runs.

use std::fmt::Write;
use std::net::SocketAddr;

use shared::setup::Setup;

use super::made_up::MadeUp;
use crate::commands::table::wrap;

/// What is left of a terminal's 80 columns beside the name.
const BESIDE: usize = 63;

/// A space at which no line ends.
const HARD: &str = "\u{1}";

/// The addresses to open, and a command to try.
pub(super) fn text(setup: &Setup, made_up: &MadeUp, address: SocketAddr) -> String {
    let base = format!("http://{address}");
    let mut text = String::from("\nLarder is up.\n\n");
    let mut line = |name: &str, value: &str, note: &str| {
        // An address and what a shell takes stay whole; what is said of it fits the terminal.
        let mut lines = wrap(&format!("{} {note}", value.replace(' ', HARD)), BESIDE).into_iter();
        let first = lines.next().unwrap_or_default().replace(HARD, " ");
        // Writing to a text cannot fail.
        let _ = writeln!(text, "  {name:<15}{first}");
        for further in lines {
            let _ = writeln!(text, "{:17}{further}", "");
        }
    };
    let secret = match made_up.secret_file() {
        Some(file) => format!("$(cat {})", shown(file)),
        None => "$JOBS_API_SECRET".to_owned(),
    };
    let asks = match made_up.secret_file() {
        Some(file) => format!("the secret in {}", shown(file)),
        None => "JOBS_API_SECRET".to_owned(),
    };
    line("page", &base, &format!("(it asks for {asks})"));
    line("HTTP API", &base, "");
    line("metrics", &format!("{base}/metrics"), "");
    line("configuration", &setup.origin, "");
    for provider in setup.catalog.providers() {
        let base_url = &provider.config().base_url;
        let note = match &provider.config().key_env {
            Some(key) if made_up.sandbox_url().as_ref() == Some(base_url) => {
                format!("(the sandbox; set {key} for CoinMarketCap itself)")
            }
            _ => String::new(),
        };
        line(provider.name().as_str(), base_url, &note);
    }
    if let Some(url) = made_up.database_url() {
        line("Postgres", &format!("psql '{url}'"), "");
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
