//! Numbers that look random and follow from a seed, so that every run can be repeated.

/// Scrambles a number; equal inputs give equal outputs (splitmix64's last step).
pub(crate) fn mix(input: u64) -> u64 {
    let mut z = input.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number in `0.0..1.0` that follows from `input`.
pub(crate) fn unit(input: u64) -> f64 {
    // 53 bits are what a double holds exactly.
    (mix(input) >> 11) as f64 / (1_u64 << 53) as f64
}
