//! Payloads as workflows have them, from a seed: orders with ids, names, amounts, times and notes.
//!
//! How well they compress decides how much the table charges. Ids are random hexadecimal digits,
//! numbers are random, notes are words in random order, and member names repeat from line to line,
//! as they do in real documents; nothing else does.

use driver::Seeds;
use model::json::Value;

/// Words of names and notes.
const WORDS: [&str; 64] = [
    "amber", "anchor", "autumn", "basket", "beacon", "blanket", "bottle", "bridge", "candle", "canvas",
    "carbon", "carpet", "cedar", "cherry", "circle", "copper", "cotton", "crystal", "desert", "dragon",
    "ember", "engine", "falcon", "feather", "fiber", "forest", "garden", "glacier", "granite", "hammer",
    "harbor", "hazel", "helmet", "indigo", "island", "ivory", "jacket", "jasper", "kettle", "ladder",
    "lantern", "leather", "magnet", "maple", "marble", "meadow", "mirror", "needle", "nickel", "ocean",
    "olive", "orchid", "paper", "pepper", "pillow", "planet", "quartz", "ribbon", "saddle", "silver",
    "timber", "tunnel", "velvet", "window",
];

/// Gives payloads.
pub struct Payloads {
    seeds: Seeds,
}

impl Payloads {
    /// Payloads that follow from `seed`.
    pub fn new(seed: u64) -> Payloads {
        Payloads { seeds: Seeds::From(seed) }
    }

    /// A document whose JSON text has exactly so many bytes, from 160.
    ///
    /// # Errors
    /// When so few bytes cannot hold one.
    pub fn of_bytes(&mut self, bytes: usize) -> Result<Value, String> {
        let mut text = format!(
            r#"{{"orderId":"{}","customer":"{} {}","placedAt":"2026-0{}-1{}T0{}:{}","total":{},"lines":["#,
            self.id(),
            self.word(),
            self.word(),
            1 + self.below(9),
            self.below(10),
            self.below(10),
            10 + self.below(50),
            self.below(1_000_000)
        );
        // What ends the document, without the words of the note.
        const END: &str = r#"],"note":""}"#;
        let mut separator = "";
        loop {
            let line = format!(
                r#"{separator}{{"sku":"{:08X}","name":"{} {}","quantity":{},"price":{}.{}{}}}"#,
                self.below(u64::from(u32::MAX)),
                self.word(),
                self.word(),
                1 + self.below(12),
                self.below(500),
                1 + self.below(9),
                // Its last digit is not zero: JSON has no such numbers.
                1 + self.below(9)
            );
            if text.len() + line.len() + END.len() > bytes {
                break;
            }
            text.push_str(&line);
            separator = ",";
        }
        let Some(mut room) = bytes.checked_sub(text.len() + END.len()) else {
            return Err(format!("{bytes} bytes cannot hold a payload"));
        };
        text.push_str(r#"],"note":""#);
        while room > 0 {
            let word = format!("{} ", self.word());
            let taken = &word[..word.len().min(room)];
            text.push_str(taken);
            room -= taken.len();
        }
        text.push_str(r#""}"#);
        Value::parse(&text).map_err(|error| format!("a payload is not JSON: {}", error.message))
    }

    fn id(&mut self) -> String {
        format!("{:016x}{:016x}", self.next(), self.next())
    }

    fn word(&mut self) -> &'static str {
        let at = self.below(WORDS.len() as u64);
        WORDS[usize::try_from(at).unwrap_or(0) % WORDS.len()]
    }

    /// A number less than `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    fn next(&mut self) -> u64 {
        // A sequence that is seeded never fails.
        self.seeds.next_seed().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_have_their_size_and_follow_from_the_seed() {
        for bytes in [200, 1_024, 10 * 1_024, 256 * 1_024] {
            let payload = |seed| Payloads::new(seed).of_bytes(bytes).unwrap().to_json();
            assert_eq!(payload(1).len(), bytes);
            assert_eq!(payload(1), payload(1));
            assert_ne!(payload(1), payload(2));
        }
        assert!(Payloads::new(1).of_bytes(50).is_err());
    }
}
