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
        "IP address syntax",
        "must be a network such as \"10.0.0.0/8\", one address is \"10.0.0.1/32\"",
    ),
    (
        "parse timezone",
        "must be an IANA time zone such as \"Europe/Berlin\" or \"UTC\"",
    ),
    ("a sequence", "must be a list: [ … ]"),
    ("a map", "must be a table"),
    ("struct ", "must be a table"),
    ("a boolean", "must be true or false"),
    ("a string", "must be text in quotes"),
    ("floating point", "must be a number"),
    ("u8", "must be a whole number from 0 to 255"),
    ("u16", "must be a whole number from 0 to 65535"),
    ("u", "must be a whole number, 0 or more"),
    ("i", "must be a whole number"),
    ("f", "must be a number"),
];

/// The rule that a message of serde's is about.
pub(super) fn rule(message: &str) -> String {
    let Some((_, expected)) = message.split_once("expected ") else {
        return custom(message.trim());
    };
    let (expected, or_none) = match expected.trim().strip_suffix(" or nothing") {
        Some(expected) => (expected, ", or \"\" for none"),
        None => (expected.trim(), ""),
    };
    let integer = [
        "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "isize", "f32", "f64",
    ];
    let found = RULES.iter().find(|(word, _)| match word.len() {
        // One letter stands for Rust's numbers of that kind, of whatever size.
        1 => integer.contains(&expected) && expected.starts_with(word),
        _ => expected.starts_with(word),
    });
    match found {
        Some((_, rule)) => format!("{rule}{or_none}"),
        None => format!("must be {expected}"),
    }
}

/// The rule in a message that a type of ours or of a library wrote itself.
fn custom(message: &str) -> String {
    if let Some((_, rule)) = RULES
        .iter()
        .find(|(word, _)| word.len() > 4 && message.contains(word))
    {
        return (*rule).to_owned();
    }
    // A name's error begins with the name, which stands in the line above.
    match message.split_once(": it must ") {
        Some((_, rule)) => format!("must {rule}"),
        None if message.starts_with("must ") => message.to_owned(),
        None => format!("cannot be read: {message}"),
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
            "must be a whole number, 0 or more"
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
