//! Typed access to the attributes of one element, with errors that say where and what was expected.

use std::io::BufRead;
use std::str::FromStr;

use crate::diagnostics::InputError;
use crate::xml::{Element, XmlReader, shorten};

/// Greatest length, speed or coordinate, in metres and seconds; keeps products of them exact enough to compute with.
pub(super) const LIMIT: f64 = 1e9;

/// The attributes of one element, read with the conventions of SUMO's files.
pub(crate) struct Attributes<'a, R: BufRead> {
    xml: &'a XmlReader<R>,
    element: &'a Element,
}

impl<'a, R: BufRead> Attributes<'a, R> {
    pub(crate) fn new(xml: &'a XmlReader<R>, element: &'a Element) -> Self {
        Self { xml, element }
    }

    pub(crate) fn error(&self, message: impl Into<String>) -> InputError {
        self.xml.error(self.element, message)
    }

    fn unfit(&self, key: &str, value: &str, expected: &str) -> InputError {
        self.error(format!("{key}=\"{}\" is not {expected}", shorten(value)))
    }

    pub(crate) fn get(&self, key: &str) -> Option<&'a str> {
        self.element.get(key)
    }

    pub(crate) fn required(&self, key: &str) -> Result<&'a str, InputError> {
        self.get(key).ok_or_else(|| self.error(format!("attribute '{key}' is missing")))
    }

    /// A name: present and not empty.
    pub(crate) fn name(&self, key: &str) -> Result<&'a str, InputError> {
        match self.required(key)? {
            "" => Err(self.error(format!("attribute '{key}' is empty"))),
            name => Ok(name),
        }
    }

    /// A finite number.
    pub(crate) fn number(&self, key: &str) -> Result<Option<f64>, InputError> {
        let Some(text) = self.get(key) else { return Ok(None) };
        match parse_number(text) {
            Some(number) => Ok(Some(number)),
            None => Err(self.unfit(key, text, "a finite number")),
        }
    }

    /// A finite number, not negative and not beyond [`LIMIT`].
    pub(crate) fn amount(&self, key: &str) -> Result<Option<f64>, InputError> {
        match self.number(key)? {
            Some(number) if number < 0.0 => Err(self.error(format!("{key}=\"{number}\" is negative"))),
            Some(number) if number > LIMIT => Err(self.error(format!("{key} is beyond {LIMIT}"))),
            other => Ok(other),
        }
    }

    pub(crate) fn required_amount(&self, key: &str) -> Result<f64, InputError> {
        self.required(key)?;
        Ok(self.amount(key)?.expect("the attribute is there"))
    }

    pub(crate) fn integer<T: FromStr>(&self, key: &str) -> Result<Option<T>, InputError> {
        let Some(text) = self.get(key) else { return Ok(None) };
        text.trim().parse().map(Some).map_err(|_| self.unfit(key, text, "a whole number in range"))
    }

    pub(crate) fn required_integer<T: FromStr>(&self, key: &str) -> Result<T, InputError> {
        self.required(key)?;
        Ok(self.integer(key)?.expect("the attribute is there"))
    }

    pub(crate) fn flag(&self, key: &str) -> Result<Option<bool>, InputError> {
        let Some(text) = self.get(key) else { return Ok(None) };
        match text.trim() {
            "1" | "true" | "True" | "yes" | "on" | "x" | "t" | "T" => Ok(Some(true)),
            "0" | "false" | "False" | "no" | "off" | "-" | "f" | "F" => Ok(Some(false)),
            _ => Err(self.unfit(key, text, "true or false")),
        }
    }

    /// A time in milliseconds, see [`parse_time_ms`].
    pub(crate) fn time_ms(&self, key: &str) -> Result<Option<i64>, InputError> {
        let Some(text) = self.get(key) else { return Ok(None) };
        match parse_time_ms(text) {
            Some(time) => Ok(Some(time)),
            None => Err(self.unfit(key, text, "a time in seconds or H:M:S")),
        }
    }

    pub(crate) fn required_time_ms(&self, key: &str) -> Result<i64, InputError> {
        self.required(key)?;
        Ok(self.time_ms(key)?.expect("the attribute is there"))
    }
}

/// A finite number, or `None`.
pub(crate) fn parse_number(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|number| number.is_finite())
}

/// A time in seconds (with a fraction), `H:M:S` or `D:H:M:S`, as milliseconds; times beyond 10¹² seconds are refused.
pub(crate) fn parse_time_ms(text: &str) -> Option<i64> {
    const LIMIT_S: f64 = 1e12;
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut fields = digits.rsplit(':');
    let mut total_s = parse_number(fields.next()?)?;
    for unit_s in [60.0, 3600.0, 86400.0] {
        let Some(field) = fields.next() else { break };
        total_s += f64::from(field.trim().parse::<u32>().ok()?) * unit_s;
    }
    if fields.next().is_some() || !(0.0..=LIMIT_S).contains(&total_s) {
        return None;
    }
    let total_ms = (total_s * 1000.0).round() as i64;
    Some(if negative { -total_ms } else { total_ms })
}

#[cfg(test)]
mod tests {
    use super::parse_time_ms;

    #[test]
    fn times_are_seconds_or_clock_times() {
        for (text, expected) in [
            ("0", Some(0)),
            ("12.5", Some(12_500)),
            ("-3", Some(-3_000)),
            ("01:00:02", Some(3_602_000)),
            ("1:00:00:00.25", Some(86_400_250)),
            ("", None),
            ("nan", None),
            ("1e300", None),
            ("1:2:3:4:5", None),
            ("--1", None),
            ("begin", None),
        ] {
            assert_eq!(parse_time_ms(text), expected, "{text}");
        }
    }
}
