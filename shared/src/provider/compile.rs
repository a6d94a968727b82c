//! Checking a provider's configuration, all problems at once.

mod endpoint;

use std::collections::{BTreeMap, BTreeSet};

use url::{Host, Url};

use super::endpoint::Endpoint;
use super::envelope::Envelope;
use super::limit;
use super::pointer::Pointer;
use super::problem::Problems;
use super::rate_limit::RateLimit;
use super::rule::Rule;
use super::usage::Usage;
use super::{Provider, ProviderProblem};
use crate::config::provider::ProviderConfig;
use crate::model::{EndpointName, ProviderName};

impl Provider {
    /// Checks a configuration and makes it ready for use.
    ///
    /// # Errors
    ///
    /// Every problem at once: its key, the value, the rule that it breaks and why
    /// that rule is there.
    pub fn compile(
        name: &ProviderName,
        config: &ProviderConfig,
    ) -> Result<Self, Vec<ProviderProblem>> {
        let mut problems = Problems::default();
        let host = host(config, &mut problems);
        check_auth(config, &mut problems);
        let limits = config
            .limits
            .iter()
            .filter_map(|(name, limit)| limit::compile(name, limit, &mut problems))
            .collect();
        let rules = config
            .rules
            .iter()
            .enumerate()
            .filter_map(|(index, rule)| {
                Rule::compile(&format!("rules.{index}"), rule, &mut problems)
            })
            .collect();
        let envelope = config.envelope.as_ref().and_then(|envelope| {
            if envelope.data.is_empty() {
                problems.add(
                    "envelope.data",
                    "",
                    "must be a JSON pointer to the data, such as /data",
                    "without an envelope, leave the section out: the body is the data",
                );
            }
            Envelope::compile(envelope, &mut problems)
        });
        let cost_pointer = pointer("cost.pointer", config.cost.pointer.as_ref(), &mut problems);
        let message = pointer("message", config.message.as_ref(), &mut problems);
        let code = pointer("code", config.code.as_ref(), &mut problems);
        let secret_parameters = secret_parameters(config);
        let endpoints = endpoints(config, &secret_parameters, &mut problems);
        let usage = config
            .usage
            .as_ref()
            .and_then(|usage| Usage::compile(usage, &config.limits, &mut problems));
        check_usage(config, &mut problems);
        let rate_limits = config
            .rate_limits
            .iter()
            .enumerate()
            .map(|(index, section)| {
                RateLimit::compile(index, section, &config.limits, &mut problems)
            })
            .collect();
        check_discovered(config, &mut problems);
        if config.cost.charged.is_some() && config.cost.free.is_some() {
            problems.add(
                "cost.free",
                "",
                "must not stand beside cost.charged",
                "each of them says what becomes of every outcome",
            );
        }
        problems.into_result()?;
        Ok(Self {
            name: name.clone(),
            config: config.clone(),
            host: host.unwrap_or_default(),
            endpoints,
            limits,
            rules,
            envelope,
            cost_pointer,
            message,
            code,
            usage,
            rate_limits,
            secret_parameters,
        })
    }
}

/// Reads a JSON pointer; `None` when there is none, or it is not one.
pub(super) fn pointer(
    key: impl Into<String>,
    text: Option<&String>,
    problems: &mut Problems,
) -> Option<Pointer> {
    let text = text?;
    match Pointer::parse(text) {
        Ok(pointer) => Some(pointer),
        Err(error) => {
            problems.add(key, text, "must be a JSON pointer", error.to_string());
            None
        }
    }
}

fn endpoints(
    config: &ProviderConfig,
    secret_parameters: &[String],
    problems: &mut Problems,
) -> BTreeMap<EndpointName, Endpoint> {
    let mut endpoints = BTreeMap::new();
    let mut paths = BTreeSet::new();
    for (name, endpoint) in &config.endpoints {
        let key = format!("endpoints.{name}");
        if !paths.insert(&endpoint.path) {
            problems.add(
                format!("{key}.path"),
                &endpoint.path,
                "must be the path of one endpoint only",
                "a reader's request would match both",
            );
        }
        if let Some(secret) = endpoint
            .parameters
            .keys()
            .find(|name| secret_parameters.contains(name))
        {
            problems.add(
                format!("{key}.parameters.{secret}"),
                secret,
                "must not be a parameter that carries a key",
                "its value would enter resource keys, which are stored",
            );
        }
        if let Some(endpoint) = endpoint::compile(&key, name, endpoint, problems) {
            endpoints.insert(endpoint.name.clone(), endpoint);
        }
    }
    endpoints
}

fn secret_parameters(config: &ProviderConfig) -> Vec<String> {
    let own = config.auth.query.iter();
    own.chain(&config.auth.reader_query).cloned().collect()
}

/// Checks the base URL, and tells its host and port.
fn host(config: &ProviderConfig, problems: &mut Problems) -> Option<String> {
    let base_url = config.base_url.as_str();
    let mut add = |rule: &str, reason: &str| {
        // Without what stands before an @: it would be a password.
        let shown = base_url.rsplit('@').next().unwrap_or_default();
        problems.add("base_url", shown, rule, reason);
    };
    let Ok(url) = Url::parse(base_url) else {
        add(
            "must be a URL, such as https://api.example.com",
            "calls go there",
        );
        return None;
    };
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let is_trusted = is_loopback
        || (url.host_str()).is_some_and(|host| {
            let named = &config.plain_http_hosts;
            named.iter().any(|known| known.eq_ignore_ascii_case(host))
        });
    if url.scheme() != "https" && !(url.scheme() == "http" && is_trusted) {
        add(
            "must start with https:// unless the host is this machine or one of plain_http_hosts",
            "the key would travel readable by others",
        );
    }
    if !url.username().is_empty() || url.password().is_some() {
        add(
            "must not hold a name or password",
            "secrets come from the environment or a file only",
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        add(
            "must not have a query or fragment",
            "paths and queries are the endpoints'",
        );
    }
    let host = url.host_str()?;
    let port = url.port_or_known_default().unwrap_or_default();
    Some(format!("{host}:{port}"))
}

fn check_auth(config: &ProviderConfig, problems: &mut Problems) {
    let auth = &config.auth;
    let ways = [auth.header.is_some(), auth.query.is_some(), auth.bearer];
    let count = ways.iter().filter(|way| **way).count();
    match (&config.key_env, count) {
        (None, 0) | (Some(_), 1) => {}
        (key_env, _) => problems.add(
            "auth",
            format!("{count} of header, query, bearer"),
            if key_env.is_some() {
                "must have exactly one of header, query, bearer"
            } else {
                "must have none of header, query, bearer without key_env"
            },
            "it says where the key goes",
        ),
    }
    if let Some(variable) = &config.key_env
        && !is_variable(variable)
    {
        problems.add(
            "key_env",
            "(not shown)",
            "must be the name of a variable: capital letters, digits and _",
            "a key must never stand in the configuration itself",
        );
    }
    let names = config.headers.keys().chain(&auth.header);
    for name in names.chain(&config.cost.header) {
        if !is_token(name) {
            problems.add(
                "headers",
                name,
                "must be the name of a header",
                "HTTP allows letters, digits and a few signs in it",
            );
        }
    }
    for (name, value) in &config.headers {
        if value.chars().any(char::is_control) || !value.is_ascii() {
            problems.add(
                format!("headers.{name}"),
                "(not shown)",
                "must be ASCII text without control characters",
                "HTTP allows nothing else in a header",
            );
        }
    }
}

fn check_usage(config: &ProviderConfig, problems: &mut Problems) {
    let Some(usage) = &config.usage else {
        return;
    };
    match config.endpoints.get(&usage.endpoint) {
        Some(endpoint) if endpoint.local && endpoint.batch.is_none() => {}
        _ => problems.add(
            "usage.endpoint",
            &usage.endpoint,
            "must be an endpoint with local = true and without batch",
            "usage is never cached",
        ),
    }
    for (index, limit) in usage.limits.iter().enumerate() {
        if !limit.optional && !config.limits.contains_key(&limit.limit) {
            problems.add(
                format!("usage.limits[{index}].limit"),
                &limit.limit,
                "must be the name of a limit, or stand beside optional = true",
                "what the provider reports is compared with it",
            );
        }
    }
}

fn check_discovered(config: &ProviderConfig, problems: &mut Problems) {
    for (name, _) in config.limits.iter().filter(|(_, it)| it.window.discovered) {
        let mut in_report = config.usage.iter().flat_map(|usage| &usage.limits);
        let mut in_headers = config.rate_limits.iter();
        let is_told = in_report.any(|it| it.limit == *name && it.resets.is_some())
            || in_headers.any(|it| it.limit.as_ref() == Some(name) && it.reset.is_some());
        if !is_told {
            problems.add(
                format!("limits.{name}.window.discovered"),
                "true",
                "must have resets in usage.limits, or reset in rate_limits, for this limit",
                "a window whose end nobody reports would never end",
            );
        }
    }
}

fn is_variable(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_uppercase())
        && bytes.all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Whether HTTP takes this as the name of a header.
pub(super) fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}
