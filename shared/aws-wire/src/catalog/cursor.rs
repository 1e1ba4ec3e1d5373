//! Reading of the catalog's bytes. They are a part of the program: what is not there reads as zero,
//! so that nothing here can fail, and a test reads everything that there is.

/// A place in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor {
    bytes: &'static [u8],
    at: usize,
}

impl Cursor {
    pub fn new(bytes: &'static [u8], at: usize) -> Cursor {
        Cursor { bytes, at }
    }

    pub fn at(&self) -> usize {
        self.at
    }

    pub fn u8(&mut self) -> u8 {
        let byte = self.bytes.get(self.at).copied().unwrap_or_default();
        self.at += 1;
        byte
    }

    pub fn u32(&mut self) -> usize {
        let mut number = 0;
        for place in 0..4 {
            number |= usize::from(self.u8()) << (8 * place);
        }
        number
    }

    pub fn v(&mut self) -> usize {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.u8();
            number |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 || shift > 28 {
                return number;
            }
        }
    }

    pub fn v32(&mut self) -> u32 {
        self.v() as u32
    }

    pub fn take(&mut self, length: usize) -> &'static [u8] {
        let taken = self.bytes.get(self.at..self.at + length).unwrap_or_default();
        self.at += length;
        taken
    }

    pub fn s(&mut self) -> &'static str {
        let length = self.v();
        std::str::from_utf8(self.take(length)).unwrap_or_default()
    }
}
