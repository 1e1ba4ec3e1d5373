use std::cell::Cell;

use crate::token::Secret;

/// The random numbers of one step: SplitMix64 over the step's seed, so that a replay with the
/// same environment draws the same ones.
pub(crate) struct Random {
    state: Cell<u64>,
}

impl Random {
    pub fn new(seed: u64) -> Random {
        Random { state: Cell::new(seed) }
    }

    pub fn next(&self) -> u64 {
        let state = self.state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.state.set(state);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `0..bound`.
    pub fn below(&self, bound: u64) -> u64 {
        // The high half of a 128-bit product: biased by less than bound / 2^64.
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    pub fn secret(&self) -> Secret {
        let (high, low) = (self.next(), self.next());
        Secret((u128::from(high) << 64 | u128::from(low)).to_be_bytes())
    }
}
