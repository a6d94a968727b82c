//! Figures that providers report of their counts.

/// More than this is no count of calls or credits but a mistake: it is 10^15.
const MOST: u64 = 1_000_000_000_000_000;

/// Reads a count; `None` for what cannot be one: a negative or broken number, text
/// that is no number, or more than 10^15.
pub(super) fn parse(text: &str) -> Option<u64> {
    let text = text.trim_matches([' ', '\t']);
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = is_digits.then(|| text.parse().ok())??;
    (number <= MOST).then_some(number)
}
