//! Says in the words of the configuration what serde says in those of Rust.
//!
//! Serde's messages are `invalid type: string "x", expected u32`. What was found
//! is shown from the file itself, so only what was expected is taken from them;
//! that also keeps values, which may be secrets, out of the text.

/// What serde expects, and the rule that this makes.
const RULES: &[(&str, &str)] = &[
    (
        "a duration",
        "must be a duration such as \"30s\", \"5m\" or \"1h 30m\"",
    ),
    (
        "socket address",
        "must be an IP address with a port, such as \"127.0.0.1:8080\"",
    ),
    (
        "IPv4 or IPv6 network",
        "must be a network such as \"10.0.0.0/8\"",
    ),
    (
        "network address",
        "must be a network such as \"10.0.0.0/8\"",
    ),
    ("a sequence", "must be a list: [ … ]"),
    ("a map", "must be a table"),
    ("struct ", "must be a table"),
    ("a boolean", "must be true or false"),
    ("a string", "must be text in quotes"),
    ("floating point", "must be a number"),
    ("u8", "must be a whole number from 0 to 255"),
    ("u16", "must be a whole number from 0 to 65535"),
    ("u32", "must be a whole number from 0 to 4294967295"),
    ("u64", "must be a whole number, 0 or more"),
    ("usize", "must be a whole number, 0 or more"),
    ("i16", "must be a whole number"),
    ("i32", "must be a whole number"),
    ("i64", "must be a whole number"),
    ("f32", "must be a number"),
    ("f64", "must be a number"),
];

/// The rule that a message of serde's is about.
pub(super) fn rule(message: &str) -> String {
    let expected = message
        .split_once("expected ")
        .map(|(_, after)| after.trim());
    let found = RULES.iter().find(|(word, _)| match expected {
        Some(expected) => expected.starts_with(word),
        None => message.contains(word),
    });
    match (found, expected) {
        (Some((word, rule)), Some(expected)) if expected.ends_with(" or nothing") => {
            debug_assert!(!word.is_empty());
            format!("{rule}, or \"\" for none")
        }
        (Some((_, rule)), _) => (*rule).to_owned(),
        (None, Some(expected)) => format!("must be {expected}"),
        (None, None) => message.trim().to_owned(),
    }
}

/// The field that is missing.
pub(super) fn missing_field(message: &str) -> Option<&str> {
    let rest = message.strip_prefix("missing field `")?;
    Some(rest.split_once('`')?.0)
}

/// The field that is unknown, and those that are known.
pub(super) fn unknown_field(message: &str) -> Option<(&str, Vec<&str>)> {
    named(message.strip_prefix("unknown field `")?)
}

/// The choice that is unknown, and those that are known.
pub(super) fn unknown_variant(message: &str) -> Option<(&str, Vec<&str>)> {
    named(message.strip_prefix("unknown variant `")?)
}

fn named(rest: &str) -> Option<(&str, Vec<&str>)> {
    let (name, rest) = rest.split_once("`, ")?;
    // Odd pieces between backticks are the names.
    Some((name, rest.split('`').skip(1).step_by(2).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_found_value_is_never_repeated() {
        assert_eq!(
            rule("invalid type: string \"hunter2\", expected u32"),
            "must be a whole number from 0 to 4294967295"
        );
    }

    #[test]
    fn known_fields_are_read_from_the_message() {
        let message = "unknown field `leese`, expected one of `lease`, `listen`";
        assert_eq!(
            unknown_field(message),
            Some(("leese", vec!["lease", "listen"]))
        );
        assert_eq!(
            unknown_field("unknown field `x`, expected `a` or `b`"),
            Some(("x", vec!["a", "b"]))
        );
        assert_eq!(
            unknown_field("unknown field `x`, there are no fields"),
            Some(("x", vec![]))
        );
    }
}
