//! One bit for each of many things: asking it costs no memory access beyond the nearest cache.

/// A set of small integers.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    words: Vec<u64>,
}

impl Marks {
    /// An empty set of integers below `count`.
    pub fn new(count: usize) -> Self {
        Self { words: vec![0; count.div_ceil(64)] }
    }

    /// The set of positions at which `marked` is true.
    pub fn of(marked: impl ExactSizeIterator<Item = bool>) -> Self {
        let mut marks = Self::new(marked.len());
        marked.enumerate().filter(|(_, is)| *is).for_each(|(at, _)| marks.set(at));
        marks
    }

    pub fn clear(&mut self) {
        self.words.fill(0);
    }

    #[inline]
    pub fn set(&mut self, at: usize) {
        self.words[at / 64] |= 1 << (at % 64);
    }

    /// Marks it or takes the mark off.
    #[inline]
    pub fn put(&mut self, at: usize, marked: bool) {
        let word = &mut self.words[at / 64];
        *word = *word & !(1 << (at % 64)) | u64::from(marked) << (at % 64);
    }

    #[inline]
    pub fn has(&self, at: usize) -> bool {
        self.words[at / 64] >> (at % 64) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::Marks;

    #[test]
    fn only_what_was_set_since_the_last_clearing_is_marked() {
        let mut marks = Marks::new(130);
        marks.set(64);
        marks.clear();
        marks.set(129);
        marks.put(129, true);
        marks.put(65, true);
        marks.put(65, false);
        assert_eq!((0..130).filter(|at| marks.has(*at)).collect::<Vec<_>>(), [129]);
    }
}
