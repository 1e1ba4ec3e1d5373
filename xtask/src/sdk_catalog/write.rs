//! Writing of numbers and texts.

/// Bytes that grow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Bytes(pub Vec<u8>);

impl Bytes {
    /// One byte.
    pub fn u8(&mut self, number: u8) -> &mut Bytes {
        self.0.push(number);
        self
    }

    /// Four bytes, the lowest first.
    pub fn u32(&mut self, number: usize) -> &mut Bytes {
        self.0.extend(u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
        self
    }

    /// LEB128.
    pub fn v(&mut self, mut number: usize) -> &mut Bytes {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
        self
    }

    /// A length, and as many bytes.
    pub fn s(&mut self, text: &str) -> &mut Bytes {
        self.v(text.len());
        self.0.extend(text.as_bytes());
        self
    }

    /// How many there are, the length of each, and their bytes.
    pub fn parts<'a>(&mut self, parts: impl Iterator<Item = &'a [u8]> + Clone) -> &mut Bytes {
        self.v(parts.clone().count());
        for part in parts.clone() {
            self.v(part.len());
        }
        for part in parts {
            self.0.extend(part);
        }
        self
    }
}
