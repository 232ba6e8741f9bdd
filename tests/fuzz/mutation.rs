//! Input that is almost good.

/// Longest input, bytes.
const LONGEST: usize = 1 << 15;
/// What readers stumble over: bounds of numbers, marks of JSON, and heads of MessagePack.
const PIECES: &[&[u8]] = &[
    b"null",
    b"true",
    b"\"\"",
    b"[]",
    b"{}",
    b"-1",
    b"0",
    b"1e308",
    b"1e999",
    b"NaN",
    b"18446744073709551616",
    b"\\u0000",
    b"\\ud800",
    b"\xff",
    b"\xc3",
    b"\"action\"",
    b"\"param\"",
    b",",
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff",
    b"\xdb\xff\xff\xff\xff",
    b"\xc0",
    b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\xcb\x7f\xf8\0\0\0\0\0\0",
    b"\x91",
    b"\x81",
    b"\0\0\0\0",
];

/// Draws the same inputs for the same seed.
pub struct Mutation {
    state: u64,
}

impl Mutation {
    pub fn new(seed: u64) -> Self {
        Self { state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1 }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 11) as usize % bound.max(1)
    }

    /// One of the inputs, with a few changes.
    pub fn of(&mut self, inputs: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = inputs[self.below(inputs.len())].clone();
        for _ in 0..=self.below(4) {
            self.change(&mut bytes, inputs);
        }
        bytes.truncate(LONGEST);
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>, inputs: &[Vec<u8>]) {
        let at = self.below(bytes.len() + 1);
        let until = (at + 1 + self.below(16)).min(bytes.len());
        match self.below(7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            1 if at < bytes.len() => bytes[at] = self.below(256) as u8,
            2 => bytes.truncate(at),
            3 if at < until => drop(bytes.drain(at..until)),
            4 => {
                let piece = bytes[at.min(until)..until].to_vec();
                bytes.splice(at..at, piece);
            }
            5 => {
                let other = &inputs[self.below(inputs.len())];
                let from = self.below(other.len());
                let piece = other[from..(from + 1 + self.below(64)).min(other.len())].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => {
                let piece = PIECES[self.below(PIECES.len())];
                bytes.splice(at..at, piece.iter().copied());
            }
        }
    }
}
