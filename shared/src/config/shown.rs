//! A value as an error may show it: short, on one line, without secrets.

use url::Url;

use super::tree::{Item, Node};

/// Most characters of a value that are shown.
const MOST: usize = 60;

/// The value as it stands in TOML; `None` for tables, which are many lines, and
/// for what may be a secret. That includes what stands where the name of a variable
/// should, since it is probably the secret itself.
pub(super) fn value(item: &Item) -> Option<String> {
    let name = item.label.rsplit('.').next().unwrap_or_default();
    let misplaced = name.ends_with("_env") && !item.text().is_some_and(is_variable);
    if may_be_secret(name) || misplaced {
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
        "credential",
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

/// Whether a text can be the name of a variable: capital letters, digits and `_`.
pub(super) fn is_variable(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_uppercase())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::origin::Origin;

    #[test]
    fn what_may_be_a_secret_is_not_shown() {
        let text = "api_key = 'a'\nkey_env = 'MY_KEY'\nheaders = { X-CMC_PRO_API_KEY = 'c' }\n\
                    list = [{ token = 'd' }]";
        let mut root = Item::parse(text, &|_| Origin::Default).unwrap();
        root.label("");

        let shown = |item: Option<&Item>| item.and_then(value);
        assert_eq!(shown(root.get("api_key")), None);
        assert_eq!(shown(root.get("key_env")).as_deref(), Some("\"MY_KEY\""));
        let headers = root.get("headers").unwrap();
        assert_eq!(shown(headers.get("X-CMC_PRO_API_KEY")), None);
        assert_eq!(shown(root.get("list")), None);
    }

    #[test]
    fn a_url_is_shown_without_login_and_query() {
        for (url, shown) in [
            ("https://u:p@host/a?key=1#x", "https://host/a"),
            ("postgres://u:p@host:5432/db", "postgres://host:5432/db"),
            ("postgres://u:p/w@host/db", "postgres://…@host/db"),
            ("http://127.0.0.1:8082", "http://127.0.0.1:8082"),
            ("coinmarketcap:/v1/a?id=1", "coinmarketcap:/v1/a?id=1"),
        ] {
            assert_eq!(without_login(url), shown, "{url}");
        }
    }
}
