//! Numbers out of a seed.

/// The same numbers in every run and on every machine (splitmix64).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Of any size: as many small as large.
    pub(crate) fn any_size(&mut self) -> u64 {
        let shift = self.next() % 64;
        self.next() >> shift
    }

    /// Less than `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).expect("small");
        usize::try_from(self.next() % end).expect("small")
    }

    /// Between both, which it may be.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = u128::from(high.abs_diff(low)) + 1;
        let above = i128::try_from(u128::from(self.next()) % span).expect("less than 2^64");
        i64::try_from(i128::from(low) + above).expect("between the two")
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    /// Decimal digits. Runs of zeros and nines are where digits are lost.
    pub(crate) fn digits(&mut self, count: usize) -> String {
        let style = self.below(4);
        let digit = |random: &mut Self| match (style, random.below(3)) {
            (0, _) | (1, 0) => random.below(10),
            (1 | 2, _) => 0,
            _ => 9,
        };
        (0..count).map(|_| char::from(b"0123456789"[digit(self)])).collect()
    }

    /// Two hexadecimal digits a byte.
    pub(crate) fn hex(&mut self, bytes: usize) -> String {
        (0..bytes).fold(String::new(), |hex, _| hex + &format!("{:02x}", self.next() & 255))
    }

    /// A time of day.
    pub(crate) fn clock(&mut self) -> String {
        let fraction = match self.below(3) {
            0 => String::new(),
            1 => format!(".{:06}", self.below(1_000_000)),
            _ => format!(".{}", self.below(1000)),
        };
        format!("{:02}:{:02}:{:02}{fraction}", self.below(24), self.below(60), self.below(60))
    }
}
