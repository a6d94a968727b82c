//! Sums over a million items of any magnitude, to the last digit.

/// Sums that differ by less are the same: it is what adding in another order changes.
pub(super) const SAME: f64 = 1e-12;

/// A sum that keeps what adding a small number to a large one drops.
#[derive(Default)]
pub(super) struct Sum {
    total: f64,
    dropped: f64,
}

impl Sum {
    /// Adds a number.
    pub(super) fn add(&mut self, value: f64) {
        let next = self.total + value;
        self.dropped += match self.total.abs() >= value.abs() {
            true => (self.total - next) + value,
            false => (value - next) + self.total,
        };
        self.total = next;
    }

    /// Adds a product without rounding it.
    pub(super) fn add_product(&mut self, a: f64, b: f64) {
        let product = a * b;
        self.add(product);
        self.dropped += a.mul_add(b, -product);
    }

    /// What it has come to.
    pub(super) fn total(&self) -> f64 {
        match self.total.is_finite() {
            true => self.total + self.dropped,
            false => self.total,
        }
    }
}

/// The sum of all.
pub(super) fn sum(values: impl Iterator<Item = f64>) -> f64 {
    let mut sum = Sum::default();
    for value in values {
        sum.add(value);
    }
    sum.total()
}
