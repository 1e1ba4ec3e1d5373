//! Decisions that follow from the seed.

/// A stream of numbers (SplitMix64). Each actor has one of its own, so that what one decides does
/// not depend on when the others do.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The stream of `actor` in the world of `seed`.
    pub fn new(seed: u64, actor: &str) -> Dice {
        let mut state = seed ^ 0x5357_4147_4552_5321;
        for byte in actor.bytes() {
            state = (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        let mut dice = Dice(state);
        dice.number();
        dice
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from `least` to `most`.
    pub fn between(&mut self, least: i64, most: i64) -> i64 {
        let span = most.saturating_sub(least).saturating_add(1).max(1).unsigned_abs();
        let above = i64::try_from(self.number() % span).unwrap_or(0);
        least.saturating_add(above)
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.number() % 100 < percent
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let at = self.number() % (of.len() as u64);
        &of[usize::try_from(at).unwrap_or(0)]
    }
}
