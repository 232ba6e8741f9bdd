//! Numbers and XML as SUMO prints them, appended to a byte buffer. No allocation, and no digit that depends on the
//! machine.

use std::io::Write as _;

use crate::graph::Network;
use crate::ids::LaneId;

/// Decimal places of SUMO's default `--precision`.
const DECIMALS: u64 = 100;

const HEADER: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\n";

/// The start of a file: declaration and root element, with the schema that SUMO names.
pub fn write_root(out: &mut Vec<u8>, root: &str, schema: &str) {
    out.extend_from_slice(HEADER.as_bytes());
    writeln!(
        out,
        "<{root} xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         xsi:noNamespaceSchemaLocation=\"http://sumo.dlr.de/xsd/{schema}.xsd\">"
    )
    .expect("a byte buffer takes all");
}

/// The end tag of an element at an indentation of `depth` levels.
pub fn write_end(out: &mut Vec<u8>, depth: usize, name: &str) {
    indent(out, depth);
    out.extend_from_slice(b"</");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b">\n");
}

fn indent(out: &mut Vec<u8>, depth: usize) {
    for _ in 0..depth {
        out.extend_from_slice(b"    ");
    }
}

/// A start tag under construction.
#[must_use = "a tag is only complete after `empty` or `open`"]
pub struct Tag<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Tag<'a> {
    pub fn new(out: &'a mut Vec<u8>, depth: usize, name: &str) -> Self {
        indent(out, depth);
        out.push(b'<');
        out.extend_from_slice(name.as_bytes());
        Self { out }
    }

    fn key(&mut self, key: &str) {
        self.out.push(b' ');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"=\"");
    }

    /// A text that needs escaping.
    pub fn text(mut self, key: &str, value: &str) -> Self {
        self.key(key);
        escape(self.out, value);
        self.out.push(b'"');
        self
    }

    /// A prefix that needs no escaping, followed by a text that does.
    pub fn prefixed(mut self, key: &str, prefix: &str, value: &str) -> Self {
        self.key(key);
        self.out.extend_from_slice(prefix.as_bytes());
        escape(self.out, value);
        self.out.push(b'"');
        self
    }

    /// SUMO's lane id; empty for no lane.
    pub fn lane(mut self, key: &str, network: &Network, lane: LaneId) -> Self {
        self.key(key);
        if lane.is_some() {
            escape(self.out, &network.edge_of(lane).name);
            self.out.push(b'_');
            integer(self.out, u64::from(network.lane(lane).index));
        }
        self.out.push(b'"');
        self
    }

    pub fn number(mut self, key: &str, value: f64) -> Self {
        self.key(key);
        fixed(self.out, value);
        self.out.push(b'"');
        self
    }

    /// A number, or SUMO's -1.00 for "not known".
    pub fn known(self, key: &str, value: Option<f64>) -> Self {
        self.number(key, value.unwrap_or(-1.0))
    }

    pub fn time(mut self, key: &str, ms: i64) -> Self {
        self.key(key);
        seconds(self.out, ms);
        self.out.push(b'"');
        self
    }

    pub fn count(mut self, key: &str, value: u64) -> Self {
        self.key(key);
        integer(self.out, value);
        self.out.push(b'"');
        self
    }

    /// Ends an element without content.
    pub fn empty(self) {
        self.out.extend_from_slice(b"/>\n");
    }

    /// Ends the start tag of an element with content.
    pub fn open(self) {
        self.out.extend_from_slice(b">\n");
    }
}

/// Appends `text` with the five reserved characters of XML replaced.
pub fn escape(out: &mut Vec<u8>, text: &str) {
    for &byte in text.as_bytes() {
        match byte {
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'"' => out.extend_from_slice(b"&quot;"),
            b'\'' => out.extend_from_slice(b"&apos;"),
            _ => out.push(byte),
        }
    }
}

/// Appends a whole number.
pub fn integer(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

fn hundredths(out: &mut Vec<u8>, negative: bool, value: u64) {
    if negative {
        out.push(b'-');
    }
    integer(out, value / DECIMALS);
    let cents = (value % DECIMALS) as u8;
    out.extend_from_slice(&[b'.', b'0' + cents / 10, b'0' + cents % 10]);
}

/// Appends `value` with two decimals: the digits of `format!("{value:.2}")` (exact, ties to even), but faster.
pub fn fixed(out: &mut Vec<u8>, value: f64) {
    let size = value.abs();
    if size < 1e9 {
        // The product is off by less than 1e-5 here, which cannot move it over a half from farther than 1e-4.
        let scaled = size * DECIMALS as f64;
        let whole = scaled.floor();
        let rest = scaled - whole;
        if (rest - 0.5).abs() > 1e-4 {
            return hundredths(out, value.is_sign_negative(), whole as u64 + u64::from(rest > 0.5));
        }
    }
    write!(out, "{value:.2}").expect("a byte buffer takes all");
}

/// Appends a time in seconds with two decimals, ties to even.
pub fn seconds(out: &mut Vec<u8>, ms: i64) {
    let (whole, rest) = (ms.unsigned_abs() / 10, ms.unsigned_abs() % 10);
    hundredths(out, ms < 0, whole + u64::from(rest > 5 || (rest == 5 && whole % 2 == 1)));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text_of(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    proptest! {
        #[test]
        fn two_decimals_are_those_of_the_exact_formatter(value in prop_oneof![
            any::<f64>(),
            -2e9..2e9f64,
            -100.0..100.0f64,
            (-2_000_000_000i64..2_000_000_000).prop_map(|n| n as f64 / 1000.0),
            (-2_000_000i64..2_000_000).prop_map(|n| n as f64 / 8.0),
        ]) {
            prop_assert_eq!(text_of(|out| fixed(out, value)), format!("{value:.2}"));
        }
    }

    #[test]
    fn ties_signs_and_carries_are_those_of_the_exact_formatter() {
        for value in [0.125, 0.375, -0.125, 0.995, 1.005, 9.995, 99.999, -0.0, -0.001, 999_999_999.999, f64::MAX] {
            assert_eq!(text_of(|out| fixed(out, value)), format!("{value:.2}"));
        }
    }

    #[test]
    fn times_are_written_in_seconds() {
        for (ms, expected) in [
            (0, "0.00"),
            (25_200_000, "25200.00"),
            (1_005, "1.00"),
            (1_015, "1.02"),
            (1_016, "1.02"),
            (-1_000, "-1.00"),
            (90, "0.09"),
        ] {
            assert_eq!(text_of(|out| seconds(out, ms)), expected);
        }
    }

    #[test]
    fn reserved_characters_are_escaped() {
        let tag = text_of(|out| Tag::new(out, 1, "edge").text("id", "a<b>&\"c'é").count("n", 7).empty());
        assert_eq!(tag, "    <edge id=\"a&lt;b&gt;&amp;&quot;c&apos;é\" n=\"7\"/>\n");
    }
}
