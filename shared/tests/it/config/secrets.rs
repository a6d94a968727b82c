//! Secrets come from the environment, and go nowhere else.

use secrecy::{ExposeSecret, SecretString};
use shared::config::{Secrets, without_password};

use super::variables;

const LONG: &str = "0123456789abcdef";

fn read(environment: &[(&str, &str)]) -> Result<Secrets, String> {
    Secrets::read(&variables(environment), ["CMC_API_KEY"]).map_err(|errors| errors.to_string())
}

#[test]
fn several_secrets_open_the_api_during_a_rotation() {
    let list = format!("{LONG}, {LONG}2,");
    let secrets = read(&[
        ("JOBS_API_SECRET", &list),
        ("CRON_SECRET", "fedcba9876543210"),
    ])
    .unwrap();

    let texts: Vec<_> = secrets
        .jobs_api
        .iter()
        .map(ExposeSecret::expose_secret)
        .collect();
    assert_eq!(texts, [LONG, "0123456789abcdef2", "fedcba9876543210"]);
}

#[test]
fn a_secret_can_stand_in_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    std::fs::write(&path, "the-key\n").unwrap();
    let path = path.to_str().unwrap();

    let secrets = read(&[("CMC_API_KEY_FILE", path), ("CMC_API_KEY", "")]).unwrap();

    assert_eq!(
        secrets.provider_key("CMC_API_KEY").unwrap().expose_secret(),
        "the-key"
    );
}

#[test]
fn nothing_is_set_in_an_empty_environment() {
    let secrets = read(&[("DATABASE_URL", "")]).unwrap();

    assert!(secrets.database_url.is_none() && secrets.jobs_api.is_empty());
    let needed = [
        ("DATABASE_URL", "jobs stand in Postgres"),
        ("JOBS_API_SECRET", "anybody could enqueue jobs"),
    ];
    assert_eq!(
        secrets.require(&needed).unwrap_err().to_string(),
        "2 problems in the environment\n\n  \
         DATABASE_URL                                (environment)\n    \
         must be set, or DATABASE_URL_FILE:\n    jobs stand in Postgres\n\n  \
         JOBS_API_SECRET                             (environment)\n    \
         must be set, or JOBS_API_SECRET_FILE:\n    anybody could enqueue jobs\n\n\
         Nothing was started. Check a file without starting: larder check --config FILE"
    );
}

#[test]
fn what_is_wrong_with_secrets_is_said_at_once_and_without_them() {
    let errors = read(&[
        ("DATABASE_URL", "mysql://larder:hunter2@db/larder"),
        ("DATABASE_LISTEN_URL", "host=db password=hunter2"),
        ("JOBS_API_SECRET", "hunter2"),
        ("CRON_SECRET", "hunter2 with a space in it"),
        ("READ_API_SECRET", "hunter2hunter2"),
        ("READ_API_SECRET_FILE", "/nowhere"),
        ("CMC_API_KEY_FILE", "/nowhere/at/all"),
    ])
    .unwrap_err();

    for (name, rule) in [
        ("DATABASE_URL ", "it does not begin with postgres://"),
        ("DATABASE_LISTEN_URL ", "must be a URL such as postgres://"),
        ("JOBS_API_SECRET ", "must have at least 16 bytes"),
        ("CRON_SECRET ", "must consist of printable ASCII"),
        (
            "READ_API_SECRET ",
            "must not be set together with READ_API_SECRET_FILE",
        ),
        ("CMC_API_KEY_FILE ", "/nowhere/at/all: No such file"),
    ] {
        let (_, after) = errors
            .split_once(name)
            .unwrap_or_else(|| panic!("{name} in {errors}"));
        let problem = after.split("\n\n").next().unwrap();
        assert!(problem.contains(rule), "{name}: {problem}");
    }
    assert!(!errors.contains("hunter2"), "{errors}");
}

#[test]
fn a_readers_secret_that_can_be_guessed_is_refused() {
    let errors = read(&[("READ_API_SECRET", "fifteen-bytes-1")]).unwrap_err();
    assert!(errors.contains("must have at least 16 bytes"), "{errors}");
    assert!(!errors.contains("fifteen"), "{errors}");
    assert!(read(&[("READ_API_SECRET", "sixteen-bytes-12")]).is_ok());
}

#[test]
fn readers_must_not_hold_the_secret_that_enqueues() {
    let errors = read(&[("JOBS_API_SECRET", LONG), ("READ_API_SECRET", LONG)]).unwrap_err();
    assert!(
        errors.contains("must differ from JOBS_API_SECRET"),
        "{errors}"
    );
}

#[test]
fn no_secret_is_shown_by_debug_or_in_a_url() {
    let url = "postgres://larder:hunter2@db.example.com:5432/larder?password=hunter2";
    let secrets = read(&[
        ("DATABASE_URL", url),
        ("JOBS_API_SECRET", "hunter2hunter2hunter2"),
        ("READ_API_SECRET", "hunter2hunter2hunter"),
        ("CMC_API_KEY", "hunter2"),
    ])
    .unwrap();

    assert!(!format!("{secrets:?}").contains("hunter2"), "{secrets:?}");
    assert_eq!(
        without_password(&SecretString::from(url)),
        "postgres://larder@db.example.com:5432/larder"
    );
    let broken = without_password(&SecretString::from("hunter2"));
    assert!(!broken.contains("hunter2"), "{broken}");
}
