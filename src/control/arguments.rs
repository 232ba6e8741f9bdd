//! Reads the arguments of a command. Front ends write numbers and truth values as strings, too.

use std::cell::RefCell;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::error::CommandError;

/// Greatest length of a name.
const MAX_NAME: usize = 256;
/// Greatest number of names in a list.
const MAX_LIST: usize = 10_000;
/// Greatest length of a text that is no name.
const MAX_TEXT: usize = 64 * 1024;

/// The arguments of one command. Each is taken once; what nobody takes is an error (I9).
#[derive(Debug)]
pub struct Arguments<'a> {
    command: &'static str,
    values: &'a Map<String, Value>,
    taken: RefCell<Vec<&'static str>>,
}

impl<'a> Arguments<'a> {
    pub fn new(command: &'static str, values: &'a Map<String, Value>) -> Self {
        Self { command, values, taken: RefCell::default() }
    }

    /// To be called when all is taken.
    ///
    /// # Errors
    /// There is more.
    pub fn finish(&self) -> Result<(), CommandError> {
        let taken = self.taken.borrow();
        match self.values.keys().find(|key| !taken.iter().any(|taken| taken == key)) {
            Some(key) => Err(self.error(format!(
                "unknown argument '{}'; known arguments are {}",
                key.chars().take(MAX_NAME).collect::<String>(),
                taken.join(", ")
            ))),
            None => Ok(()),
        }
    }

    pub fn error(&self, message: impl Into<String>) -> CommandError {
        CommandError::argument(self.command, message)
    }

    fn take(&self, key: &'static str) -> Option<&'a Value> {
        self.taken.borrow_mut().push(key);
        self.values.get(key).filter(|value| !value.is_null())
    }

    fn required<T>(&self, key: &str, value: Option<T>) -> Result<T, CommandError> {
        value.ok_or_else(|| self.error(format!("argument '{key}' is missing")))
    }

    /// A name or another word; a number counts as one.
    pub fn text(&self, key: &'static str) -> Result<Option<String>, CommandError> {
        let text = match self.take(key) {
            None => return Ok(None),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            Some(_) => return Err(self.error(format!("'{key}' has to be a text"))),
        };
        if text.is_empty() || text.len() > MAX_NAME || text.chars().any(char::is_control) {
            return Err(self.error(format!("'{key}' has to be a text of 1 to {MAX_NAME} characters on one line")));
        }
        Ok(Some(text))
    }

    pub fn given_text(&self, key: &'static str) -> Result<String, CommandError> {
        let text = self.text(key)?;
        self.required(key, text)
    }

    /// A text that may be long: a shape, or what a signal shows.
    pub fn long_text(&self, key: &'static str) -> Result<Option<String>, CommandError> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() && text.len() <= MAX_TEXT => Ok(Some(text.clone())),
            Some(_) => Err(self.error(format!("'{key}' has to be a text of 1 to {MAX_TEXT} characters"))),
        }
    }

    /// A list of objects with arguments of their own; one object may stand alone.
    pub fn objects(&self, key: &'static str) -> Result<Vec<Map<String, Value>>, CommandError> {
        let objects = match self.take(key) {
            None => return Err(self.error(format!("argument '{key}' is missing"))),
            Some(Value::Object(object)) => vec![object.clone()],
            Some(Value::Array(objects)) if objects.len() <= MAX_LIST => {
                let objects = objects.iter().map(|object| object.as_object().cloned());
                objects.collect::<Option<_>>().unwrap_or_default()
            }
            Some(_) => Vec::new(),
        };
        if objects.is_empty() {
            return Err(self.error(format!("'{key}' has to be a list of 1 to {MAX_LIST} objects")));
        }
        Ok(objects)
    }

    /// Names, as a list or separated by commas or blanks; empty when there are none.
    pub fn names(&self, key: &'static str) -> Result<Vec<String>, CommandError> {
        let names: Vec<String> = match self.take(key) {
            None => Vec::new(),
            Some(Value::String(text)) => {
                text.split([',', ' ']).filter(|name| !name.is_empty()).map(str::to_owned).collect()
            }
            Some(Value::Array(names)) => {
                let names = names.iter().map(|name| match name {
                    Value::String(name) => Ok(name.clone()),
                    Value::Number(name) => Ok(name.to_string()),
                    _ => Err(self.error(format!("'{key}' has to be a list of names"))),
                });
                names.collect::<Result<_, _>>()?
            }
            Some(_) => return Err(self.error(format!("'{key}' has to be a list of names"))),
        };
        if names.len() > MAX_LIST || names.iter().any(|name| name.is_empty() || name.len() > MAX_NAME) {
            return Err(
                self.error(format!("'{key}' takes at most {MAX_LIST} names of at most {MAX_NAME} characters each"))
            );
        }
        Ok(names)
    }

    /// A number within a range.
    pub fn number(&self, key: &'static str, range: RangeInclusive<f64>) -> Result<Option<f64>, CommandError> {
        let number = match self.take(key) {
            None => return Ok(None),
            Some(Value::Number(number)) => number.as_f64(),
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(_) => None,
        };
        // A NaN is in no range.
        match number.filter(|number| range.contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(self.error(format!("'{key}' has to be a number from {} to {}", range.start(), range.end()))),
        }
    }

    pub fn given_number(&self, key: &'static str, range: RangeInclusive<f64>) -> Result<f64, CommandError> {
        let number = self.number(key, range)?;
        self.required(key, number)
    }

    /// A whole number within a range.
    pub fn whole(&self, key: &'static str, range: RangeInclusive<u64>) -> Result<Option<u64>, CommandError> {
        let number = match self.take(key) {
            None => return Ok(None),
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(_) => None,
        };
        match number.filter(|number| range.contains(number)) {
            Some(number) => Ok(Some(number)),
            None => {
                Err(self.error(format!("'{key}' has to be a whole number from {} to {}", range.start(), range.end())))
            }
        }
    }

    pub fn given_whole(&self, key: &'static str, range: RangeInclusive<u64>) -> Result<u64, CommandError> {
        let number = self.whole(key, range)?;
        self.required(key, number)
    }

    pub fn flag(&self, key: &'static str) -> Result<Option<bool>, CommandError> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(Value::String(text)) if text == "true" || text == "1" => Ok(Some(true)),
            Some(Value::String(text)) if text == "false" || text == "0" => Ok(Some(false)),
            Some(_) => Err(self.error(format!("'{key}' has to be true or false"))),
        }
    }

    /// Seconds, or `HH:MM:SS`; in ms.
    pub fn time_ms(&self, key: &'static str) -> Result<Option<i64>, CommandError> {
        let text = match self.take(key) {
            None => return Ok(None),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::String(text)) => text.clone(),
            Some(_) => String::new(),
        };
        match crate::attributes::parse_time_ms(&text) {
            Some(ms) if (0..=i64::from(u32::MAX) * 1000).contains(&ms) => Ok(Some(ms)),
            _ => Err(self.error(format!("'{key}' has to be a time in seconds or as HH:MM:SS"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn with<T>(values: Value, read: impl FnOnce(&Arguments) -> T) -> T {
        let Value::Object(values) = values else { panic!("an object") };
        read(&Arguments::new("test", &values))
    }

    #[test]
    fn numbers_and_truth_may_be_strings() {
        with(json!({"a": "6120", "b": 5090, "c": "2.5", "d": "true", "e": 297, "t": "00:01:40"}), |a| {
            assert_eq!(a.whole("a", 0..=10_000), Ok(Some(6120)));
            assert_eq!(a.whole("b", 0..=10_000), Ok(Some(5090)));
            assert_eq!(a.number("c", 0.0..=10.0), Ok(Some(2.5)));
            assert_eq!(a.flag("d"), Ok(Some(true)));
            assert_eq!(a.text("e"), Ok(Some("297".to_owned())));
            assert_eq!(a.time_ms("t"), Ok(Some(100_000)));
            assert_eq!(a.text("nothing"), Ok(None));
            assert_eq!(a.finish(), Ok(()));
        });
    }

    #[test]
    fn lists_may_be_texts_with_commas() {
        with(json!({"a": "x, y", "b": ["x", 7], "c": [[]]}), |a| {
            assert_eq!(a.names("a"), Ok(vec!["x".to_owned(), "y".to_owned()]));
            assert_eq!(a.names("b"), Ok(vec!["x".to_owned(), "7".to_owned()]));
            assert!(a.names("c").is_err());
            assert_eq!(a.names("d"), Ok(vec![]));
        });
    }

    #[test]
    fn what_does_not_fit_is_named() {
        with(json!({"a": "many", "b": -1, "c": {}, "d": "NaN", "e": "x".repeat(300), "f": 1e300}), |a| {
            let text = |error: Result<_, CommandError>| error.expect_err("bad").to_string();
            assert_eq!(text(a.whole("a", 1..=5).map(drop)), "test: 'a' has to be a whole number from 1 to 5");
            assert!(
                a.whole("b", 0..=5).is_err() && a.number("d", 0.0..=5.0).is_err() && a.number("f", 0.0..=5.0).is_err()
            );
            assert!(a.flag("c").is_err() && a.text("c").is_err() && a.text("e").is_err() && a.time_ms("c").is_err());
            assert_eq!(text(a.given_text("g").map(drop)), "test: argument 'g' is missing");
        });
    }

    #[test]
    fn an_argument_that_nobody_takes_is_an_error() {
        with(json!({"edge": "a", "egde": "b"}), |a| {
            assert!(a.given_text("edge").is_ok());
            let error = a.finish().expect_err("a misspelt argument").to_string();
            assert_eq!(error, "test: unknown argument 'egde'; known arguments are edge");
        });
    }
}
