//! Numbers and times as SUMO prints them, appended to a byte buffer. No allocation, and no digit that depends on the machine.

use std::io::Write as _;

use crate::scenario::OutputStyle;

/// How numbers are written: what follows from `--precision`, `--human-readable-time` and the step length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// Decimal places of a number.
    pub decimals: u8,
    /// Times are written as HH:MM:SS.
    pub clock: bool,
    /// Steps are whole seconds.
    pub whole_seconds: bool,
}

impl Numbers {
    /// Without `--precision`: two decimal places, three where the step is no multiple of 10 ms.
    pub fn new(style: &OutputStyle, step_ms: i64) -> Self {
        let default = if step_ms % 10 == 0 { 2 } else { 3 };
        Self {
            decimals: style.precision.unwrap_or(default),
            clock: style.human_readable_time,
            whole_seconds: step_ms % 1000 == 0,
        }
    }

    /// Appends a number.
    pub fn number(self, out: &mut Vec<u8>, value: f64) {
        fixed(out, value, self.decimals);
    }

    /// Appends a time, with one to three decimal places, halves away from zero.
    pub fn time(self, out: &mut Vec<u8>, ms: i64) {
        // Without decimal places a time is rounded to seconds, and one place is written all the same.
        let unit_ms = [1000, 100, 10, 1][usize::from(self.decimals.min(3))];
        let places = usize::from(self.decimals.clamp(1, 3));
        let rounded_ms = (ms.unsigned_abs() + unit_ms / 2) / unit_ms * unit_ms;
        if ms < 0 {
            out.push(b'-');
        }
        let (mut seconds, rest_ms) = (rounded_ms / 1000, rounded_ms % 1000);
        if self.clock {
            let days = seconds / 86_400;
            if days > 0 {
                integer(out, days);
                out.push(b':');
            }
            two_digits(out, seconds / 3600 % 24);
            out.push(b':');
            two_digits(out, seconds / 60 % 60);
            out.push(b':');
            seconds %= 60;
            two_digits(out, seconds);
            if rest_ms == 0 && self.whole_seconds {
                return;
            }
        } else {
            integer(out, seconds);
        }
        let digits = [b'0' + (rest_ms / 100) as u8, b'0' + (rest_ms / 10 % 10) as u8, b'0' + (rest_ms % 10) as u8];
        out.push(b'.');
        out.extend_from_slice(&digits[..places]);
    }
}

fn two_digits(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&[b'0' + (value / 10 % 10) as u8, b'0' + (value % 10) as u8]);
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

/// Appends `value` with so many decimal places: the digits of `format!("{value:.2}")` (exact, ties to even). Two places, which
/// is the usual number, are written faster than by the formatter.
pub fn fixed(out: &mut Vec<u8>, value: f64, decimals: u8) {
    let size = value.abs();
    if decimals == 2 && size < 1e9 {
        // The product is off by less than 1e-5 here, which cannot move it over a half from farther than 1e-4.
        let scaled = size * 100.0;
        let whole = scaled.floor();
        let rest = scaled - whole;
        if (rest - 0.5).abs() > 1e-4 {
            let hundredths = whole as u64 + u64::from(rest > 0.5);
            if value.is_sign_negative() {
                out.push(b'-');
            }
            integer(out, hundredths / 100);
            out.push(b'.');
            return two_digits(out, hundredths);
        }
    }
    write!(out, "{value:.places$}", places = usize::from(decimals)).expect("a byte buffer takes all");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DEFAULT: Numbers = Numbers { decimals: 2, clock: false, whole_seconds: true };

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
            prop_assert_eq!(text_of(|out| fixed(out, value, 2)), format!("{value:.2}"));
        }
    }

    #[test]
    fn ties_signs_and_carries_are_those_of_the_exact_formatter() {
        for value in [0.125, 0.375, -0.125, 0.995, 1.005, 9.995, 99.999, -0.0, -0.001, 999_999_999.999, f64::MAX] {
            assert_eq!(text_of(|out| fixed(out, value, 2)), format!("{value:.2}"));
        }
        assert_eq!(text_of(|out| fixed(out, 13.888_94, 4)), "13.8889");
        assert_eq!(text_of(|out| fixed(out, 13.5, 0)), "14");
    }

    #[test]
    fn times_are_written_in_seconds() {
        for (decimals, ms, expected) in [
            (2, 0, "0.00"),
            (2, 25_200_000, "25200.00"),
            (2, 1_005, "1.01"),
            (2, 1_004, "1.00"),
            (2, -1_000, "-1.00"),
            (2, 90, "0.09"),
            (0, 1_250, "1.0"),
            (0, 500, "1.0"),
            (1, 45_750, "45.8"),
            (1, 250, "0.3"),
            (3, 5_132, "5.132"),
            (6, 77_750, "77.750"),
        ] {
            let numbers = Numbers { decimals, ..DEFAULT };
            assert_eq!(text_of(|out| numbers.time(out, ms)), expected, "{ms} ms, {decimals}");
        }
    }

    #[test]
    fn times_are_written_as_clock_times_when_asked_for() {
        let clock = Numbers { clock: true, ..DEFAULT };
        let fine = Numbers { whole_seconds: false, ..clock };
        for (numbers, ms, expected) in [
            (clock, 25_207_000, "07:00:07"),
            (Numbers { decimals: 4, ..clock }, 5_132, "00:00:05.132"),
            (clock, 20_800, "00:00:20.80"),
            (clock, 86_400_000 * 3 + 1000, "3:00:00:01"),
            (fine, 15_000, "00:00:15.00"),
        ] {
            assert_eq!(text_of(|out| numbers.time(out, ms)), expected);
        }
    }

    #[test]
    fn steps_finer_than_ten_milliseconds_get_a_third_place() {
        let style = OutputStyle::default();
        assert_eq!(Numbers::new(&style, 5).decimals, 3);
        assert_eq!(Numbers::new(&style, 250).decimals, 2);
        assert_eq!(Numbers::new(&OutputStyle { precision: Some(1), ..style }, 5).decimals, 1);
    }
}
