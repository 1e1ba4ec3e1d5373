//! Tokens that make a call idempotent.

use engine::{Call, Execution};
use sha2::{Digest as _, Sha256};

/// The tokens of one call: the same whenever the same call is made again, of no other.
pub(crate) struct Tokens {
    seed: Sha256,
    given: u8,
}

impl Tokens {
    /// The tokens of a call.
    pub fn of(call: &Call, execution: &Execution) -> Tokens {
        let mut seed = Sha256::new();
        seed.update(execution.arn.as_bytes());
        // A second execution of the same name is another.
        seed.update(execution.started_at.millis().to_le_bytes());
        seed.update(call.effect.0.to_le_bytes());
        Tokens { seed, given: 0 }
    }

    /// The next one, in the form of a UUID, which every service takes.
    pub fn next(&mut self) -> String {
        let hash = self.seed.clone().chain_update([self.given]).finalize();
        self.given = self.given.wrapping_add(1);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash[..16]);
        // Version 8: a value of one's own making.
        bytes[6] = bytes[6] & 0x0f | 0x80;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let part = |from: usize, to: usize| &hex[from..to];
        [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
    }
}
