//! Every mistake has a message that says how to put it right.
//!
//! `bad_configs.txt` holds the mistakes with their messages. After a change of a
//! message, `LARDER_BLESS=1 cargo test -p shared` writes them anew; read the
//! difference before it is committed.

use super::loaded;

const PATH: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/it/config/bad_configs.txt"
);

/// One mistake: a file, variables, and what is said about them.
struct Case {
    name: String,
    variables: Vec<(String, String)>,
    file: String,
    message: String,
}

/// Reads cases: a line `=== name`, lines `NAME=value`, a line `--- file`, the
/// file, a line `--- message`, the message.
fn cases(text: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    for part in text.split("=== ").skip(1) {
        let (head, rest) = part.split_once("--- file\n").unwrap();
        let (file, message) = rest.split_once("--- message\n").unwrap();
        let mut lines = head.lines();
        cases.push(Case {
            name: lines.next().unwrap().to_owned(),
            variables: lines
                .filter_map(|line| line.split_once('='))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            file: file.to_owned(),
            message: message.trim_end().to_owned(),
        });
    }
    cases
}

fn written(cases: &[Case]) -> String {
    let mut text = String::new();
    for case in cases {
        text.push_str(&format!("=== {}\n", case.name));
        for (name, value) in &case.variables {
            text.push_str(&format!("{name}={value}\n"));
        }
        text.push_str(&format!(
            "--- file\n{}--- message\n{}\n\n",
            case.file, case.message
        ));
    }
    text
}

/// What an operator is told, with the file called by its name alone.
fn said(case: &Case) -> String {
    let variables: Vec<_> = case
        .variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    match loaded(Some(&case.file), &variables) {
        Ok(_) => "(accepted)".to_owned(),
        Err(errors) => {
            let text = errors.to_string();
            let (first, rest) = text.split_once('\n').unwrap();
            let count = first.split(" in ").next().unwrap();
            let lines = rest.lines().map(str::trim_end);
            let body = lines.collect::<Vec<_>>().join("\n");
            let body = body.trim_end_matches(
                "Nothing was started. Check a file without starting: larder check --config FILE",
            );
            format!("{count}\n{}", body.trim_end())
        }
    }
}

#[test]
fn every_mistake_has_its_message() {
    let text = std::fs::read_to_string(PATH).unwrap();
    let mut cases = cases(&text);
    assert!(cases.len() >= 40, "{} cases", cases.len());
    if std::env::var_os("LARDER_BLESS").is_some() {
        for case in &mut cases {
            case.message = said(case);
        }
        std::fs::write(PATH, written(&cases)).unwrap();
    }
    for case in &cases {
        let said = said(case);
        assert!(said != "(accepted)", "{} was accepted", case.name);
        assert_eq!(said, case.message, "{}", case.name);
    }
}

#[test]
fn no_message_repeats_a_secret() {
    for case in cases(&std::fs::read_to_string(PATH).unwrap()) {
        assert!(!said(&case).contains("hunter2"), "{}", case.name);
    }
}
