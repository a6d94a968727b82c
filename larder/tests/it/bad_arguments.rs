//! Arguments that make no sense: refused before anything is done, in a line.

use sqlx::PgPool;

use crate::commands::run;
use crate::runs::errors;

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn arguments_that_make_no_sense_are_refused_in_words(pool: PgPool) {
    const KEY: &str = "coinmarketcap:/v1/cryptocurrency/map";
    for (arguments, said) in [
        (vec!["jobs", "show", "1"], "invalid"),
        (vec!["jobs", "list", "--limit", "0"], "1..=1000"),
        (vec!["jobs", "list", "--limit", "-1"], "-1"),
        (
            vec!["jobs", "list", "--limit", "9223372036854775808"],
            "too large",
        ),
        (vec!["jobs", "list", "--status", "lost"], "possible values"),
        (vec!["jobs", "list", "--after", "x"], "invalid"),
        (vec!["jobs", "retry"], "required"),
        (
            vec!["jobs", "cancel", "--all", "--limit", "0"],
            "0 is not in",
        ),
        (
            vec!["jobs", "cancel", "--created-before", "soon"],
            "invalid",
        ),
        (
            vec![
                "jobs",
                "cancel",
                "--created-before",
                "+10000-01-01T00:00:00Z",
            ],
            "four digits",
        ),
        (
            vec!["jobs", "retry", "--created-before=-262142-01-01T00:00:00Z"],
            "four digits",
        ),
        (vec!["lane", "close", "No Lane"], "invalid"),
        (
            vec!["lane", "close", "local", "--for", "1000000years"],
            "at most a year",
        ),
        (vec!["lane", "close", "local", "--for", "-1s"], "-1"),
        (vec!["lane", "close", "local", "--reason", ""], "1 to"),
        (vec!["lane", "open", "nobody"], "nobody"),
        (vec!["track", "nobody:/x"], "nobody"),
        (vec!["track", KEY, "--every", "0s"], "from 1s to 366 days"),
        (
            vec!["track", KEY, "--every", "1000000years"],
            "from 1s to 366 days",
        ),
        (vec!["track", KEY, "--schedule", "* * *"], "five fields"),
        (vec!["track", KEY, "--zone", "Mars/Olympus"], "IANA"),
    ] {
        let refused = run(&pool, &arguments);
        let code = refused.status.code();
        assert!(matches!(code, Some(1 | 2)), "{arguments:?}: {code:?}");
        assert!(refused.stdout.is_empty(), "{arguments:?}");
        let text = errors(&refused);
        assert!(text.starts_with("error: "), "{arguments:?}: {text}");
        assert!(text.contains(said), "{arguments:?}: {text}");
        assert!(!text.contains("panicked"), "{arguments:?}: {text}");
    }
}
