//! Choices that are made by bytes, so that a failure shrinks to few of them.

/// Bytes that choose; after the last one, the first of everything is chosen.
pub struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    pub fn new(bytes: &[u8]) -> Choices<'_> {
        Choices(bytes)
    }

    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub fn below(&mut self, count: usize) -> usize {
        let number = usize::from(self.byte()) << 8 | usize::from(self.byte());
        number % count.max(1)
    }

    /// Never, when there are no bytes left.
    pub fn once_in(&mut self, count: usize) -> bool {
        self.below(count) == count - 1
    }

    pub fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}
