//! Random numbers that are the same on every machine for one seed.

/// A generator: splitmix64 (Steele, Lea and Flood, 2014), whose every seed is a good one.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Evenly distributed, above 0 and below 1.
    pub(super) fn unit(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Evenly distributed among the first so many numbers.
    pub(super) fn below(&mut self, many: usize) -> usize {
        ((self.unit() * many as f64) as usize).min(many.saturating_sub(1))
    }

    /// Time to the next of events that come at this rate; without end at rate 0.
    pub(super) fn wait(&mut self, rate: f64) -> f64 {
        match rate > 0.0 {
            true => -self.unit().ln() / rate,
            false => f64::INFINITY,
        }
    }

    /// Normally distributed, mean 0, deviation 1 (Box and Muller).
    pub(super) fn normal(&mut self) -> f64 {
        (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }
}
