//! A value as an error may show it: short, on one line, without secrets.

use url::Url;

use super::tree::{Item, Node};

/// Most characters of a value that are shown.
const MOST: usize = 60;

/// The value as it stands in TOML; `None` for tables, which are many lines, and
/// for what may be a secret.
pub(super) fn value(item: &Item) -> Option<String> {
    let name = item.label.rsplit('.').next().unwrap_or_default();
    if may_be_secret(name) {
        return None;
    }
    let text = match &item.node {
        Node::Table(_) => return None,
        Node::List(items) => {
            let shown: Option<Vec<_>> = items.iter().map(value).collect();
            format!("[{}]", shown?.join(", "))
        }
        Node::Scalar(toml::Value::String(text)) => {
            toml::Value::from(without_login(text)).to_string()
        }
        Node::Scalar(other) => other.to_string(),
    };
    Some(shorten(text))
}

/// Whether a key of this name looks as if a secret stood under it.
///
/// Names of variables (`key_env`) and of headers (`key_header`) are none.
pub(super) fn may_be_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let whole = ["key", "pass", "auth", "authorization"];
    let parts = [
        "secret",
        "password",
        "passwd",
        "token",
        "api_key",
        "apikey",
        "database_url",
    ];
    let about = ["_env", "_header", "_parameter", "_file"];
    (whole.contains(&name.as_str())
        || name.ends_with("_key")
        || parts.iter().any(|part| name.contains(part)))
        && !about.iter().any(|end| name.ends_with(end))
}

/// A URL without user, password, query and fragment; other texts as they are.
///
/// Text that is no URL but has an `@` after `://` is cut there, since what
/// stands before it may be a password with a character that URLs do not allow.
pub(super) fn without_login(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let Ok(mut url) = Url::parse(text) else {
        return match rest.rsplit_once('@') {
            Some((_, host)) => format!("{scheme}://…@{host}"),
            None => text.to_owned(),
        };
    };
    let login = !url.username().is_empty() || url.password().is_some();
    if !login && url.query().is_none() && url.fragment().is_none() {
        return text.to_owned();
    }
    // Both fail only for URLs without a host, which have no login either.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

fn shorten(text: String) -> String {
    let line = text.replace(['\n', '\r'], " ");
    if line.chars().count() <= MOST {
        return line;
    }
    let start: String = line.chars().take(MOST - 1).collect();
    format!("{start}…")
}
