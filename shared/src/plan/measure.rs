//! Numbers that stand in rows, which anybody may have written.

/// More reads, or more seconds, than any resource will ever have counted (a million reads a
/// second for thirty years): sums, products and cubes of such numbers stay finite.
const MOST: f64 = 1e15;

/// A count or a time of a row: none if it is no such thing (NaN, infinite, negative), and at
/// most [`MOST`].
pub(super) fn measure(value: f64) -> f64 {
    match value.is_finite() {
        true => value.clamp(0.0, MOST),
        false => 0.0,
    }
}
