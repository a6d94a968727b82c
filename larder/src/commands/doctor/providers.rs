//! The providers: their hosts, keys and lanes.
//!
//! A key is not tried out: whatever calls a provider must be reserved first, and a worker
//! does that. So the ledger is asked what became of the last call with this key.

use std::time::Duration;

use shared::setup::Setup;
use shared::store::{LaneState, Store};

use super::findings::{Findings, Grade};

/// How long a host may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Looks at each provider of the configuration.
pub(super) async fn look(setup: &Setup, store: Option<&Store>, findings: &mut Findings) {
    for provider in setup.catalog.providers() {
        let name = provider.name();
        let Some(section) = setup.catalog.config().providers.get(name) else {
            continue;
        };
        let variable = section.provider.key_env.as_deref();
        let missing = variable.filter(|name| setup.secrets.provider_key(name).is_none());
        if let Some(variable) = missing {
            let found = format!("{variable} is not set: nobody can call it");
            let help = format!("set {variable} or {variable}_FILE; larder up takes its sandbox");
            findings.warn(name.as_str(), &found, &help);
        }
        // Where nobody can call it, it need not be there.
        let away = match missing {
            Some(_) => Grade::Warning,
            None => Grade::Bad,
        };
        reach(name.as_str(), &section.provider.base_url, away, findings).await;
        if missing.is_some() {
            continue;
        }
        let key_id = setup.catalog.key_id(name, &setup.secrets);
        if let Some(store) = store {
            key(name.as_str(), key_id.as_deref(), store, findings).await;
        }
    }
    if let Some(store) = store {
        // A schema that is not there has been found already.
        for lane in store.budget().await.unwrap_or_default() {
            budget(&lane, findings);
        }
    }
}

fn budget(lane: &LaneState, findings: &mut Findings) {
    if !lane.open {
        let reason = lane.reason.as_deref().unwrap_or("no reason given");
        let found = format!("its lane is closed: {reason}");
        let help = format!(
            "larder budget says until when; larder lane open {} opens it",
            lane.provider
        );
        findings.warn(&lane.provider, &found, &help);
    }
    for limit in &lane.limits {
        if limit.exhausted_at.is_some() {
            let found = format!("at this pace {} is full before its end", limit.name);
            let help = "slow a group down, or raise the cap: docs/operations.md";
            findings.warn(&lane.provider, &found, help);
        }
    }
}

/// Whether the host answers at all. Without a key, which no provider charges for; what it
/// answers does not matter.
async fn reach(name: &str, base_url: &str, away: Grade, findings: &mut Findings) {
    // Refused where it has been done already, which is as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none())
        // The way that workers go.
        .no_proxy()
        .http1_only()
        .build();
    let Ok(client) = client else {
        return findings.bad(name, "no client can be made", "report this, please");
    };
    match client.head(base_url).send().await {
        Ok(answer) => {
            let status = answer.status();
            let found = format!("its host answers, with {}", status.as_u16());
            match status.is_server_error() {
                true => {
                    let help = "it is in trouble, or base_url is wrong: see its status page";
                    findings.warn(name, &found, help);
                }
                false => findings.good(name, &found),
            }
        }
        Err(error) => {
            // Without the URL: whoever configured it may have put something into it.
            let error = error.without_url();
            let mut words = error.to_string();
            let mut cause = std::error::Error::source(&error);
            while let Some(error) = cause {
                words = error.to_string();
                cause = error.source();
            }
            let help = "look at base_url, the name server, and what may leave this network";
            let found = format!("its host does not answer: {words}");
            findings.add(away, name, &found, Some(help));
        }
    }
}

async fn key(name: &str, key_id: Option<&str>, store: &Store, findings: &mut Findings) {
    let Ok(last) = store.last_call(name, key_id).await else {
        return;
    };
    let Some(last) = last else {
        let found = "no call was made with this key yet, so nobody knows whether it is right";
        let help = "start a worker, and look again after its first call";
        return findings.warn(name, found, help);
    };
    let ago = humantime::format_duration(Duration::from_secs(last.ago_secs.max(0.0) as u64));
    let status = last
        .http_status
        .map_or(String::new(), |status| format!(" ({status})"));
    let found = format!("the last call, {ago} ago, came to {}{status}", last.outcome);
    match last.outcome.as_str() {
        "key_dead" => findings.bad(
            name,
            &found,
            "look at the provider's dashboard; then a new key, or larder lane open",
        ),
        "ok" | "not_modified" | "empty" | "not_found" => findings.good(name, &found),
        _ => findings.warn(name, &found, "GET /api/calls shows the ledger"),
    }
}
