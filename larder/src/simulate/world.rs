//! What there is to be read, how often, and how it changes.

use super::random::Random;

/// Seconds of the simulated month.
pub const MONTH: f64 = 30.0 * 86_400.0;

/// Reads of a month for one time the readers.
pub const READS: f64 = 10_000.0;

/// A world. The one of [`World::reference`] is that of the published tables.
#[derive(Debug, Clone, PartialEq)]
pub struct World {
    /// Reads per second of each item.
    pub reads: Vec<f64>,
    /// Changes per second of each item.
    pub changes: Vec<f64>,
    /// Credits of the month.
    pub credits: f64,
    /// Items that one credit pays for.
    pub batch: usize,
    /// A time in which one item is read much more often.
    pub burst: Option<Burst>,
    /// Hard bound on the age in seconds, where an item has one.
    pub max_age: Vec<Option<f64>>,
    /// What everything random comes from.
    pub seed: u64,
}

/// One item is read more often for a while.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Burst {
    /// Which.
    pub item: usize,
    /// From when on, in seconds.
    pub start: f64,
    /// Until when.
    pub end: f64,
    /// Reads per second, beside the usual ones.
    pub reads: f64,
}

impl World {
    /// 2,000 items, read by Zipf's law with exponent 1, `readers` times 10,000 reads a month;
    /// change intervals lognormal around an hour (σ 1.5); 10,000 credits, 100 items each.
    pub fn reference(readers: f64, seed: u64) -> Self {
        Self::of(2_000, readers, seed)
    }

    /// The same with so many items.
    pub fn of(items: usize, readers: f64, seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x5eed_0f00_0000_0001);
        let harmonic: f64 = (1..=items).map(|rank| 1.0 / rank as f64).sum();
        let per_second = readers * READS / MONTH / harmonic;
        Self {
            reads: (1..=items).map(|rank| per_second / rank as f64).collect(),
            changes: (0..items)
                .map(|_| 1.0 / (3_600.0 * (1.5 * random.normal()).exp()))
                .collect(),
            credits: 10_000.0,
            batch: 100,
            burst: None,
            max_age: vec![None; items],
            seed,
        }
    }

    /// The item of rank 1,500 is read 20 times a minute for two hours on day 20.
    #[must_use]
    pub fn with_burst(mut self) -> Self {
        let start = 20.0 * 86_400.0;
        self.burst = Some(Burst {
            item: 1_499,
            start,
            end: start + 2.0 * 3_600.0,
            reads: 20.0 / 60.0,
        });
        self
    }

    /// A tenth of the items, chosen at random, is never read.
    #[must_use]
    pub fn with_unread(mut self) -> Self {
        for item in self.tenth() {
            self.reads[item] = 0.0;
        }
        self
    }

    /// A hundred items, chosen at random, may never be served older than 30 minutes.
    #[must_use]
    pub fn with_bounds(mut self) -> Self {
        for item in self.tenth().into_iter().take(100) {
            self.max_age[item] = Some(1_800.0);
        }
        self
    }

    fn tenth(&self) -> Vec<usize> {
        let mut random = Random::new(self.seed ^ 0x5eed_0f00_0000_0002);
        let mut items: Vec<usize> = (0..self.items()).collect();
        for nth in (1..items.len()).rev() {
            items.swap(nth, random.below(nth + 1));
        }
        items.truncate(self.items() / 10);
        items
    }

    /// How many items there are.
    pub fn items(&self) -> usize {
        self.reads.len()
    }

    /// The reads of the month, one after the other.
    pub(super) fn readers(&self) -> Readers {
        let burst = self.burst;
        let mut random = Random::new(self.seed ^ 0x5eed_0f00_0000_0003);
        let total = self.reads.iter().sum();
        let first = random.wait(total);
        let first_burst = burst.map_or(f64::INFINITY, |burst| {
            burst.start + random.wait(burst.reads)
        });
        Readers {
            alias: Alias::of(&self.reads),
            total,
            burst,
            next: first,
            next_burst: first_burst,
            random,
        }
    }
}

/// Comes with the next read.
pub(super) struct Readers {
    alias: Alias,
    total: f64,
    burst: Option<Burst>,
    next: f64,
    next_burst: f64,
    random: Random,
}

impl Readers {
    /// When the next read comes.
    pub(super) fn at(&self) -> f64 {
        self.next.min(self.next_burst)
    }

    /// What is read then; goes on to the one after.
    pub(super) fn read(&mut self) -> usize {
        if let Some(burst) = self.burst.filter(|_| self.next_burst < self.next) {
            self.next_burst += self.random.wait(burst.reads);
            if self.next_burst > burst.end {
                self.next_burst = f64::INFINITY;
            }
            return burst.item;
        }
        self.next += self.random.wait(self.total);
        self.alias.draw(&mut self.random)
    }
}

/// Draws with given weights in constant time (Walker's alias method).
struct Alias {
    keep: Vec<f64>,
    other: Vec<usize>,
}

impl Alias {
    fn of(weights: &[f64]) -> Self {
        let mean = weights.iter().sum::<f64>() / weights.len() as f64;
        let mut keep: Vec<f64> = weights.iter().map(|weight| weight / mean).collect();
        let mut other: Vec<usize> = (0..weights.len()).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..weights.len()).partition(|nth| keep[*nth] < 1.0);
        while let (Some(less), Some(more)) = (small.pop(), large.pop()) {
            other[less] = more;
            keep[more] -= 1.0 - keep[less];
            match keep[more] < 1.0 {
                true => small.push(more),
                false => large.push(more),
            }
        }
        Self { keep, other }
    }

    fn draw(&self, random: &mut Random) -> usize {
        let nth = random.below(self.keep.len());
        match random.unit() < self.keep[nth] {
            true => nth,
            false => self.other[nth],
        }
    }
}
