//! Where random numbers come from.

/// Gives every step of an execution its own seed.
#[derive(Clone, Debug, Default)]
pub enum Seeds {
    /// From the operating system.
    #[default]
    System,
    /// A sequence that follows from its first number, so that a run can be repeated. The numbers
    /// come out of SplitMix64.
    From(u64),
}

/// Numbers of [`Seeds::next_seeds`].
const AT_ONCE: usize = 64;

impl Seeds {
    /// The next seed; an error when the operating system has none to give.
    pub fn next_seed(&mut self) -> Result<u64, getrandom::Error> {
        match self {
            Seeds::System => getrandom::u64(),
            Seeds::From(state) => {
                *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
                let mut z = *state;
                z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
                Ok(z ^ (z >> 31))
            }
        }
    }

    /// Several at once, for one call of the operating system.
    pub(crate) fn next_seeds(&mut self) -> Result<Vec<u64>, getrandom::Error> {
        match self {
            Seeds::System => {
                let mut bytes = [0; AT_ONCE * 8];
                getrandom::fill(&mut bytes)?;
                Ok(bytes.as_chunks().0.iter().map(|chunk| u64::from_le_bytes(*chunk)).collect())
            }
            Seeds::From(_) => (0..AT_ONCE).map(|_| self.next_seed()).collect(),
        }
    }
}
