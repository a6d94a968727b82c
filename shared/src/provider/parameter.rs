//! One parameter of an endpoint, and the canonical form of its values.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::config::provider::{LetterCase, ParameterConfig, ParameterKind, Scalar};

/// Most bytes of a value of type `text`.
const MAX_TEXT: usize = 256;
/// Most bytes of a value of type `word`: longer than any symbol or slug seen.
const MAX_WORD: usize = 64;
/// Most bytes of a decimal number.
const MAX_NUMBER: usize = 40;
/// Signs that a word may have beside letters and digits. Symbols of coins have
/// been seen with each of them; a comma would separate items.
const WORD_SIGNS: &str = "-_.$+@*!~:&'()#?^|/";

/// All but the unreserved characters of RFC 3986, section 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A parameter that a question may have.
#[derive(Debug, Clone)]
pub(super) struct Parameter {
    config: ParameterConfig,
    /// The canonical form of the default; empty if there is none.
    default: Vec<String>,
    /// The canonical forms of the only values; empty if any will do.
    allowed: Vec<String>,
}

impl Parameter {
    /// Checks that what the configuration gives as values fits the type.
    ///
    /// # Errors
    ///
    /// The first value that does not fit, and what it should be.
    pub(super) fn compile(config: &ParameterConfig) -> Result<Self, (String, String)> {
        let mut parameter = Self {
            config: config.clone(),
            default: Vec::new(),
            allowed: Vec::new(),
        };
        let explain = |value: &Scalar| {
            let value = value.to_string();
            move |reason| (value, reason)
        };
        parameter.allowed = config
            .values
            .iter()
            .map(|value| parameter.typed(value.as_str()).map_err(explain(value)))
            .collect::<Result<_, _>>()?;
        if let Some(default) = &config.default {
            parameter.default = parameter
                .values(default.as_str())
                .map_err(explain(default))?;
        }
        if let Some(fixed) = &config.fixed {
            parameter.values(fixed.as_str()).map_err(explain(fixed))?;
        }
        Ok(parameter)
    }

    /// What the configuration says of it.
    pub(super) fn config(&self) -> &ParameterConfig {
        &self.config
    }

    /// The value sent with every call, if there is one.
    pub(super) fn fixed(&self) -> Option<&str> {
        self.config.fixed.as_ref().map(Scalar::as_str)
    }

    /// The default's values in canonical form; empty if there is none.
    pub(super) fn default_values(&self) -> &[String] {
        &self.default
    }

    /// The canonical form of everything given for this parameter.
    ///
    /// A list is sorted and has no repetitions; any other parameter has one value.
    ///
    /// # Errors
    ///
    /// What a value must be, to follow the value in a message.
    pub(super) fn values(&self, given: &str) -> Result<Vec<String>, String> {
        let mut values = self.values_in_order(given)?;
        values.sort_unstable();
        values.dedup();
        Ok(values)
    }

    /// Like [`Parameter::values`], in the order given, repetitions kept.
    pub(super) fn values_in_order(&self, given: &str) -> Result<Vec<String>, String> {
        if self.config.list {
            given.split(',').map(|value| self.value(value)).collect()
        } else {
            Ok(vec![self.value(given)?])
        }
    }

    /// The canonical form of one value.
    pub(super) fn value(&self, given: &str) -> Result<String, String> {
        let value = self.typed(given)?;
        if self.allowed.is_empty() || self.allowed.contains(&value) {
            return Ok(value);
        }
        Err(format!("must be one of {}", self.allowed.join(", ")))
    }

    /// A value as it is compared: letters in their canonical case, nothing checked.
    ///
    /// Replies hold values that nobody could ask for, such as a symbol with a
    /// space; they are not errors, they only match nothing.
    pub(super) fn folded(&self, value: &str) -> String {
        match self.config.case {
            LetterCase::Keep => value.to_owned(),
            LetterCase::Upper => value.to_uppercase(),
            LetterCase::Lower => value.to_lowercase(),
        }
    }

    fn typed(&self, given: &str) -> Result<String, String> {
        let given = given.trim();
        if given.is_empty() {
            return Err("must not be empty".to_owned());
        }
        if given == "." || given == ".." {
            // In a path they would climb the tree.
            return Err("must not be dots alone".to_owned());
        }
        match self.config.kind {
            ParameterKind::Text => self.text(given),
            ParameterKind::Word => self.word(given),
            ParameterKind::Integer => self.integer(given),
            ParameterKind::Number => number(given),
            ParameterKind::Boolean => boolean(given),
        }
    }

    fn text(&self, given: &str) -> Result<String, String> {
        let folded = self.folded(given);
        if folded.len() > MAX_TEXT || folded.chars().any(is_unprintable) {
            return Err(format!(
                "must be text of at most {MAX_TEXT} bytes without control characters"
            ));
        }
        self.stable(folded)
    }

    fn word(&self, given: &str) -> Result<String, String> {
        let good = |letter: char| letter.is_alphanumeric() || WORD_SIGNS.contains(letter);
        let folded = self.folded(given);
        if folded.len() > MAX_WORD || !folded.chars().all(good) {
            return Err(format!(
                "must be a word of at most {MAX_WORD} bytes: letters, digits and {WORD_SIGNS}"
            ));
        }
        self.stable(folded)
    }

    /// Refuses the few texts outside ASCII whose case has a case of its own, so that
    /// canonical of canonical is itself.
    fn stable(&self, folded: String) -> Result<String, String> {
        if self.folded(&folded) == folded {
            Ok(folded)
        } else {
            Err("must not have letters without a stable case".to_owned())
        }
    }

    fn integer(&self, given: &str) -> Result<String, String> {
        let min = self.config.min.unwrap_or(1);
        let max = self.config.max.unwrap_or(i64::MAX);
        // `i64::from_str` takes one sign and ASCII digits, nothing else.
        match given.parse::<i64>() {
            Ok(value) if (min..=max).contains(&value) => Ok(value.to_string()),
            _ if max == i64::MAX => Err(format!("must be a whole number of at least {min}")),
            _ => Err(format!("must be a whole number from {min} to {max}")),
        }
    }
}

/// `+01.50` is `1.5`: digits are kept as text, so that no precision is lost.
fn number(given: &str) -> Result<String, String> {
    let bad = || format!("must be a decimal number of at most {MAX_NUMBER} characters");
    let (negative, digits) = match given.as_bytes().first() {
        Some(b'-') => (true, &given[1..]),
        Some(b'+') => (false, &given[1..]),
        _ => (false, given),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let only_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if given.len() > MAX_NUMBER || !only_digits(whole) || !only_digits(fraction) {
        return Err(bad());
    }
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let sign = if negative && (whole != "0" || !fraction.is_empty()) {
        "-"
    } else {
        ""
    };
    if fraction.is_empty() {
        Ok(format!("{sign}{whole}"))
    } else {
        Ok(format!("{sign}{whole}.{fraction}"))
    }
}

fn boolean(given: &str) -> Result<String, String> {
    match given.to_ascii_lowercase().as_str() {
        "true" | "1" => Ok("true".to_owned()),
        "false" | "0" => Ok("false".to_owned()),
        _ => Err("must be true or false".to_owned()),
    }
}

fn is_unprintable(letter: char) -> bool {
    // Control characters, and those that hide or reorder text around them.
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A canonical value as it stands in a key.
pub(super) fn encode(value: &str) -> String {
    utf8_percent_encode(value, RESERVED).to_string()
}

/// Canonical values as they stand in a key, commas between them left readable.
pub(super) fn encode_list(values: &[String]) -> String {
    let encoded: Vec<String> = values.iter().map(|value| encode(value)).collect();
    encoded.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_spelling() {
        for (given, canonical) in [
            ("1", "1"),
            ("+01.50", "1.5"),
            ("-0.0", "0"),
            ("-0.10", "-0.1"),
            ("000", "0"),
        ] {
            assert_eq!(number(given).as_deref(), Ok(canonical), "{given}");
        }
        for bad in ["", ".", "1.", ".5", "1e3", "--1", "0x1", "1,5", "NaN"] {
            assert!(number(bad).is_err(), "{bad}");
        }
    }
}
