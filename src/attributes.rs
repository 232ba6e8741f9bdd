//! Typed, checked access to the attributes of an XML element. Everything that a file can get wrong in a single value
//! (not a number, NaN, negative, not a time) is caught here, with file, line and element.

use std::str::FromStr;

use crate::diagnostics::{InputError, Location};
use crate::xml::{Element, shorten};

/// Times beyond this are refused, so that sums of times never overflow.
const MAX_TIME_MS: f64 = 1e15;
/// Greatest length, speed or coordinate of a network, in metres and seconds; keeps products of them exact enough to compute with.
pub const MAX_AMOUNT: f64 = 1e9;

/// The attributes of one element of a file.
#[derive(Clone, Copy)]
pub struct Attributes<'a> {
    file: &'a str,
    element: &'a Element,
}

impl<'a> Attributes<'a> {
    pub fn new(file: &'a str, element: &'a Element) -> Self {
        Self { file, element }
    }

    /// Name of the file, for messages and to find files next to it.
    pub fn file(&self) -> &'a str {
        self.file
    }

    pub fn element(&self) -> &'a Element {
        self.element
    }

    pub fn at(&self) -> Location {
        Location { file: self.file.to_owned(), line: self.element.line, element: self.element.describe() }
    }

    pub fn error(&self, message: impl Into<String>) -> InputError {
        InputError::new(self.at(), message)
    }

    pub fn has(&self, key: &str) -> bool {
        self.element.get(key).is_some()
    }

    pub fn text(&self, key: &str) -> Option<&'a str> {
        self.element.get(key)
    }

    pub fn required(&self, key: &str) -> Result<&'a str, InputError> {
        self.text(key).ok_or_else(|| self.error(format!("attribute '{key}' is missing")))
    }

    /// A name: present and not empty.
    pub fn name(&self, key: &str) -> Result<&'a str, InputError> {
        match self.required(key)? {
            "" => Err(self.error(format!("attribute '{key}' is empty"))),
            name => Ok(name),
        }
    }

    /// A non-empty `id`.
    pub fn id(&self) -> Result<&'a str, InputError> {
        self.name("id")
    }

    /// A finite number.
    pub fn number(&self, key: &str) -> Result<Option<f64>, InputError> {
        let Some(text) = self.text(key) else { return Ok(None) };
        parse_number(text).map(Some).ok_or_else(|| self.bad(key, text, "a finite number"))
    }

    /// A finite number within a closed range.
    pub fn number_in(&self, key: &str, min: f64, max: f64) -> Result<Option<f64>, InputError> {
        let value = self.number(key)?;
        match value {
            Some(v) if v < min || v > max => {
                let range = if max == f64::MAX { format!("at least {min}") } else { format!("from {min} to {max}") };
                Err(self.bad(key, self.text(key).unwrap_or_default(), &format!("a number {range}")))
            }
            value => Ok(value),
        }
    }

    /// A number that is not negative.
    pub fn non_negative(&self, key: &str) -> Result<Option<f64>, InputError> {
        self.number_in(key, 0.0, f64::MAX)
    }

    /// A number greater than 0.
    pub fn positive(&self, key: &str) -> Result<Option<f64>, InputError> {
        match self.number(key)? {
            Some(v) if v <= 0.0 => Err(self.bad(key, self.text(key).unwrap_or_default(), "a number greater than 0")),
            value => Ok(value),
        }
    }

    /// A length, speed or distance: not negative and at most [`MAX_AMOUNT`].
    pub fn amount(&self, key: &str) -> Result<Option<f64>, InputError> {
        self.number_in(key, 0.0, MAX_AMOUNT)
    }

    pub fn required_amount(&self, key: &str) -> Result<f64, InputError> {
        self.required(key)?;
        Ok(self.amount(key)?.expect("the attribute is there"))
    }

    /// A whole number that fits into `T`.
    pub fn integer<T: FromStr>(&self, key: &str) -> Result<Option<T>, InputError> {
        let Some(text) = self.text(key) else { return Ok(None) };
        text.trim().parse().map(Some).map_err(|_| self.bad(key, text, "a whole number in range"))
    }

    pub fn required_integer<T: FromStr>(&self, key: &str) -> Result<T, InputError> {
        self.required(key)?;
        Ok(self.integer(key)?.expect("the attribute is there"))
    }

    pub fn boolean(&self, key: &str) -> Result<Option<bool>, InputError> {
        let Some(text) = self.text(key) else { return Ok(None) };
        parse_bool(text).map(Some).ok_or_else(|| self.bad(key, text, "'true' or 'false'"))
    }

    /// A time in milliseconds; may be negative.
    pub fn time_ms(&self, key: &str) -> Result<Option<i64>, InputError> {
        let Some(text) = self.text(key) else { return Ok(None) };
        parse_time_ms(text).map(Some).ok_or_else(|| self.bad(key, text, TIME_FORMS))
    }

    pub fn required_time_ms(&self, key: &str) -> Result<i64, InputError> {
        self.required(key)?;
        Ok(self.time_ms(key)?.expect("the attribute is there"))
    }

    /// Says that the value of an attribute is not what it has to be.
    pub fn bad(&self, key: &str, value: &str, expected: &str) -> InputError {
        self.error(format!("attribute {key}=\"{}\" has to be {expected}", shorten(value)))
    }
}

/// A finite number, or `None`.
pub fn parse_number(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|number| number.is_finite())
}

/// For messages.
pub const TIME_FORMS: &str = "a time in seconds, as HH:MM:SS or as D:HH:MM:SS";

/// A time in milliseconds from seconds, `HH:MM:SS` or `D:HH:MM:SS`; `None` when it is none of these.
pub fn parse_time_ms(text: &str) -> Option<i64> {
    let text = text.trim();
    let seconds = if text.contains(':') {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(rest) => (-1.0, rest),
            None => (1.0, text),
        };
        let fields: Vec<&str> = digits.split(':').collect();
        let (days, [hours, minutes, seconds]) = match fields[..] {
            [h, m, s] => (0.0, [h, m, s]),
            [d, h, m, s] => (whole(d)?, [h, m, s]),
            _ => return None,
        };
        let seconds: f64 = seconds.parse().ok().filter(|s: &f64| s.is_finite() && *s >= 0.0)?;
        sign * (((days * 24.0 + whole(hours)?) * 60.0 + whole(minutes)?) * 60.0 + seconds)
    } else {
        text.parse().ok()?
    };
    let ms = seconds * 1000.0;
    // The comparison is false for NaN too.
    if ms.abs() <= MAX_TIME_MS { Some(ms.round() as i64) } else { None }
}

fn whole(text: &str) -> Option<f64> {
    text.parse::<u32>().ok().map(f64::from)
}

/// The spellings of true and false that SUMO knows.
pub fn parse_bool(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" | "x" | "t" => Some(true),
        "false" | "0" | "no" | "off" | "-" | "f" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_all_forms_of_sumo() {
        let check = |text: &str, expected: Option<i64>| assert_eq!(parse_time_ms(text), expected, "{text}");
        check("0", Some(0));
        check("3.5", Some(3500));
        check("-1", Some(-1000));
        check(" 12 ", Some(12_000));
        check("01:02:03", Some(3_723_000));
        check("25:00:00.5", Some(90_000_500));
        check("1:00:00:01", Some(86_401_000));
        check("-00:00:10", Some(-10_000));
        for bad in ["", "NaN", "inf", "1e300", "12:30", "1:2:3:4:5", "a:00:00", "00:-1:00", "triggered"] {
            check(bad, None);
        }
    }
}
