//! `/`: the operator's page, compiled in.
//!
//! The page holds no data and no secret: it asks for the secret, keeps it in the tab, and
//! asks the API like any other program. It loads nothing from elsewhere, and the policy
//! that comes with it lets it load nothing: no inline script, no other host, no frame.

use axum::extract::Path;
use axum::http::{HeaderName, header};
use axum::response::IntoResponse;

use crate::problem::{Kind, Problem};

const INDEX: &str = include_str!("../../page/index.html");

macro_rules! parts {
    ($($name:literal),*) => {
        /// What the page loads, by name.
        const PARTS: &[(&str, &str)] = &[$(($name, include_str!(concat!("../../page/", $name)))),*];
    };
}

parts!(
    "budget.js",
    "calls.js",
    "charts.js",
    "deeds.js",
    "jobs.js",
    "page.css",
    "page.js",
    "resources.js",
    "rows.js",
    "server.js",
    "words.js"
);

/// What the page may do: run and show what comes from here, and ask here. What is given to
/// the browser as HTML would be refused.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'";

/// The page.
pub(super) async fn index() -> impl IntoResponse {
    sealed("text/html; charset=utf-8", INDEX)
}

/// A script of the page, or its style.
pub(super) async fn part(Path(name): Path<String>) -> Result<impl IntoResponse, Problem> {
    let found = PARTS.iter().find(|(known, _)| *known == name);
    let Some((_, text)) = found else {
        return Err(Problem::new(Kind::NotFound, "the page has no such part"));
    };
    let kind = match name.ends_with(".css") {
        true => "text/css; charset=utf-8",
        false => "text/javascript; charset=utf-8",
    };
    Ok(sealed(kind, text))
}

fn sealed(kind: &'static str, text: &'static str) -> impl IntoResponse {
    let headers: [(HeaderName, &'static str); 7] = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        // Asked for anew each time: a page of the release before would not fit this one.
        (header::CACHE_CONTROL, "no-cache"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ];
    (headers, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_that_the_page_names_is_there() {
        let known = |name: &str| PARTS.iter().any(|(known, _)| *known == name);
        for text in PARTS.iter().map(|(_, text)| *text) {
            for import in text.split("from './").skip(1) {
                let name = import.split('\'').next().unwrap();
                assert!(known(name), "{name}");
            }
        }
        for link in INDEX.split("\"/page/").skip(1) {
            let name = link.split('"').next().unwrap();
            assert!(known(name), "{name}");
        }
    }

    #[test]
    fn no_text_becomes_html_and_no_script_stands_in_the_page() {
        for (name, text) in PARTS {
            for word in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
            ] {
                assert!(!text.contains(word), "{name}: {word}");
            }
            assert!(!text.contains("https://"), "{name}");
        }
        assert_eq!(INDEX.matches("<script").count(), 1);
        assert!(!INDEX.contains(" style=") && !INDEX.contains(" onclick="));
    }
}
