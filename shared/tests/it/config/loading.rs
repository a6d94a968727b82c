//! Where a configuration comes from, and what stands over what.

use std::time::Duration;

use proptest::prelude::*;
use shared::config::{EXAMPLE, EXAMPLE_ORIGIN, Origin, environment, load, load_with};

use super::{loaded, source};

const PROVIDER: &str = "[providers.coinmarketcap]\n";

#[test]
fn a_file_named_on_the_command_line_goes_before_the_variable() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str, lease: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, format!("[worker]\nlease = \"{lease}\"")).unwrap();
        path
    };
    let (named, variable, _usual) = (
        path("named.toml", "31s"),
        path("variable.toml", "32s"),
        path("larder.toml", "33s"),
    );
    let variable = variable.to_str().unwrap();

    let mut source = source(directory.path(), &[("LARDER_CONFIG", variable)]);
    let by_variable = load(&source).unwrap();
    source.path = Some(named);
    let by_name = load(&source).unwrap();
    source.path = None;
    source.environment.clear();
    let usual = load(&source).unwrap();

    assert_eq!(by_name.config.worker.lease, Duration::from_secs(31));
    assert_eq!(by_variable.config.worker.lease, Duration::from_secs(32));
    assert_eq!(by_variable.origin, variable);
    assert_eq!(usual.config.worker.lease, Duration::from_secs(33));
}

#[test]
fn without_a_file_the_example_stands_in() {
    let loaded = loaded(None, &[("LARDER_CONFIG", "")]).unwrap();
    assert_eq!(loaded.origin, EXAMPLE_ORIGIN);
    assert_eq!(loaded.config.track.len(), 3);
}

/// Why a file of these bytes is refused, with its path left out.
fn refused(name: &str, bytes: Option<&[u8]>) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("larder.toml");
    if let Some(bytes) = bytes {
        std::fs::write(&path, bytes).unwrap();
    }
    let mut source = source(directory.path(), &[]);
    source.path = Some(directory.path().join(name));
    let text = load(&source).unwrap_err().to_string();
    text.replace(directory.path().to_str().unwrap(), "DIR")
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let end = "\n\nNothing was started. Check a file without starting: larder check --config FILE";
    let expected = [
        (
            refused("missing.toml", None),
            "1 problem in DIR/missing.toml\n\n  DIR/missing.toml\n    \
             must be a file that can be read:\n    \
             No such file or directory (os error 2); --config names it",
        ),
        (
            refused("larder.toml/x", Some(b"")),
            "1 problem in DIR/larder.toml/x\n\n  DIR/larder.toml/x\n    \
             must be a file that can be read:\n    \
             Not a directory (os error 20); --config names it",
        ),
        (
            refused("", None),
            "1 problem in DIR/\n\n  DIR/\n    \
             must be a file, not a directory:\n    --config names it",
        ),
        (
            refused("larder.toml", Some(b"[worker]\n# \xff\n")),
            "1 problem in DIR/larder.toml\n\n  file, line 2\n    \
             must be UTF-8:\n    byte 12 of the file is not",
        ),
        (
            refused("larder.toml", Some(&b"#".repeat(10 << 20))),
            "1 problem in DIR/larder.toml\n\n  DIR/larder.toml\n    \
             must have at most 1 MiB:\n    so large a file is hardly a configuration",
        ),
    ];
    for (said, expected) in expected {
        assert_eq!(said, format!("{expected}{end}"));
    }
}

#[test]
fn a_variable_changes_any_key() {
    let file = format!(
        "{PROVIDER}[[track]]\nname = 'coins'\nprovider = 'coinmarketcap'\n\
         endpoint = 'quotes_latest'\nparameters = {{ id = 1 }}\nevery = '5m'"
    );
    let variables = [
        ("LARDER__WORKER__LEASE", "60s"),
        ("larder__worker__concurrency", "3"),
        ("LARDER__QUEUE__RETRY__JITTER", "0.5"),
        ("LARDER__ENQUEUER__ALLOW_FROM", "[\"10.0.0.0/8\"]"),
        (
            "LARDER__PROVIDERS__COINMARKETCAP__BASE_URL",
            "http://127.0.0.1:8082",
        ),
        (
            "LARDER__PROVIDERS__COINMARKETCAP__LIMITS__MONTH__CAP",
            "100",
        ),
        ("LARDER__TRACK__COINS__EVERY", "10m"),
        ("LARDER_OTHER", "is not ours"),
    ];

    let config = loaded(Some(&file), &variables).unwrap().config;

    assert_eq!(config.worker.lease, Duration::from_secs(60));
    assert_eq!(config.worker.concurrency, 3);
    assert_eq!(config.queue.retry.jitter, 0.5);
    assert_eq!(config.enqueuer.allow_from.len(), 1);
    assert_eq!(config.track[0].every, Some(Duration::from_secs(600)));
    let provider = &config.providers.values().next().unwrap().provider;
    assert_eq!(provider.base_url, "http://127.0.0.1:8082");
    let shown = format!("{provider:?}");
    assert!(shown.contains("100"), "{shown}");
}

/// `zone` is text, and so is a parameter that happens to look like a number.
#[test]
fn a_variable_is_text_where_its_toml_would_not_do() {
    let file = format!(
        "{PROVIDER}[[track]]\nname = 'coins'\nprovider = 'coinmarketcap'\n\
         endpoint = 'quotes_latest'\nschedule = '0 9 * * *'"
    );
    let refused = loaded(Some(&file), &[("LARDER__TRACK__COINS__ENDPOINT", "true")]);
    let text = refused.unwrap_err().to_string();
    assert!(
        text.contains("track[0].endpoint = true"),
        "read as a name, and no endpoint of the provider: {text}"
    );
}

#[test]
fn a_preset_stands_under_what_the_file_says() {
    let file = format!("{PROVIDER}base_url = 'http://127.0.0.1:1'\n");
    let loaded = loaded(Some(&file), &[]).unwrap();

    let of = |key: &str| loaded.places.origin_of(key);
    assert_eq!(
        of("providers.coinmarketcap.base_url"),
        Origin::File {
            line: 2,
            column: None
        }
    );
    assert!(matches!(
        of("providers.coinmarketcap.endpoints.quotes_latest.path"),
        Origin::Preset { name, .. } if name == "coinmarketcap"
    ));
    assert_eq!(of("worker.lease"), Origin::Default);
}

#[test]
fn what_another_part_finds_wrong_is_reported_with_the_rest() {
    let directory = tempfile::tempdir().unwrap();
    let file = format!("worker.concurrency = 0\n{PROVIDER}base_url = 'ftp://x'\n");
    std::fs::write(directory.path().join("larder.toml"), file).unwrap();

    let errors = load_with(&source(directory.path(), &[]), |config, problems| {
        for name in config.providers.keys() {
            let key = format!("providers.{name}.base_url");
            problems.refuse(
                &key,
                "must begin with https://",
                "a key would travel in the clear",
            );
        }
    })
    .unwrap_err();

    let text = errors.to_string();
    assert_eq!(errors.problems().len(), 2, "{text}");
    let line = "providers.coinmarketcap.base_url = \"ftp://x\" (file, line 3)";
    assert!(text.contains(line), "{text}");
}

#[test]
fn hopeless_files_are_refused_in_reasonable_time() {
    let deep = format!("a = {}", "[".repeat(100_000));
    let many: String = (0..5_000).map(|n| format!("wrong_{n} = 1\n")).collect();
    for file in [deep, format!("[worker]\n{many}"), many] {
        assert!(loaded(Some(&file), &[]).is_err());
    }
}

#[test]
fn files_of_other_systems_are_read() {
    let file = "\u{feff}[worker]\r\nlease = \"31s\"\r\n";
    let config = loaded(Some(file), &[]).unwrap().config;
    assert_eq!(config.worker.lease, Duration::from_secs(31));
}

proptest! {
    /// Whatever one line of the example is replaced by: an answer, no panic.
    #[test]
    fn any_line_may_be_anything(line in 0..EXAMPLE.lines().count(), with in "[a-z_.=\\[\\]{}\"' 0-9-]{0,30}") {
        let mut lines: Vec<_> = EXAMPLE.lines().collect();
        lines[line] = &with;
        if let Err(errors) = loaded(Some(&lines.join("\n")), &[]) {
            prop_assert!(!errors.problems().is_empty());
        }
    }
}

#[test]
fn the_local_file_of_variables_goes_before_the_common_one() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    write(".env", "LARDER_TEST_A=1\nLARDER_TEST_B=1\nPATH=nowhere\n");
    write(".env.local", "LARDER_TEST_B='2 # 2'\n");

    let merged = environment(directory.path()).unwrap();

    assert_eq!(merged["LARDER_TEST_A"], "1");
    assert_eq!(merged["LARDER_TEST_B"], "2 # 2");
    assert_ne!(merged["PATH"], "nowhere", "the real environment wins");
    assert!(
        std::env::var_os("LARDER_TEST_A").is_none(),
        "and is not changed"
    );
}

#[test]
fn a_broken_line_of_variables_is_refused_but_not_shown() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join(".env"), "A=1\nB='hunter2\n").unwrap();

    let text = environment(directory.path()).unwrap_err().to_string();

    assert!(text.contains("must consist of lines NAME=value"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}
