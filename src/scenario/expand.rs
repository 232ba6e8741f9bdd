//! What SUMO replaces in the values of options: `${VAR}` by an environment variable, `TIME` in a prefix or suffix of outputs by
//! the time of the start, `%41` in file names of a configuration by the character.

use chrono::{DateTime, Local, Utc};

/// `${NAME}` by the value of the environment variable, by the local time (`LOCALTIME`), the time in UTC (`UTC`) or the number of
/// the process (`PID`); by nothing if there is no such variable, as in SUMO.
pub(super) fn expand_variables(value: &str) -> String {
    expand(value, |name| match name {
        "LOCALTIME" => Local::now().format("%Y-%m-%d-%H-%M-%S%.6f").to_string(),
        "UTC" => Utc::now().format("%Y-%m-%d-%H-%M-%S%.6f").to_string(),
        "PID" => std::process::id().to_string(),
        _ => std::env::var(name).unwrap_or_default(),
    })
}

fn expand(value: &str, variable: impl Fn(&str) -> String) -> String {
    let (mut text, mut rest) = (String::with_capacity(value.len()), value);
    while let Some((before, behind)) = rest.split_once("${") {
        let Some((name, after)) = behind.split_once('}') else { break };
        text.push_str(before);
        text.push_str(&variable(name));
        rest = after;
    }
    text + rest
}

/// `TIME` by a time as SUMO writes it in file names.
pub(super) fn expand_time(text: &str) -> String {
    if text.contains("TIME") { text.replace("TIME", &file_time(Local::now())) } else { text.to_owned() }
}

fn file_time(time: DateTime<Local>) -> String {
    time.format("%Y-%m-%d-%H-%M-%S").to_string()
}

/// `%41` and so on by the characters that they stand for; whatever is no such code stays.
pub(super) fn decode_percent(text: &str) -> String {
    let hex = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = match bytes[at..] {
            [b'%', high, low, ..] => hex(high).zip(hex(low)).map(|(high, low)| high * 16 + low),
            _ => None,
        };
        decoded.push(code.unwrap_or(bytes[at]));
        at += if code.is_some() { 3 } else { 1 };
    }
    String::from_utf8(decoded).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced_and_unknown_ones_leave_nothing() {
        let known = |name: &str| if name == "A" { "x,y".to_owned() } else { String::new() };
        for (value, expected) in [
            ("a${A}b${A}", "ax,ybx,y"),
            ("${B}.xml", ".xml"),
            ("$A $ {A} ${A", "$A $ {A} ${A"),
            ("${}", ""),
            ("plain", "plain"),
        ] {
            assert_eq!(expand(value, known), expected, "{value}");
        }
        assert_eq!(expand_variables("${PID}"), std::process::id().to_string());
        assert_eq!(expand_variables("${UTC}").len(), "2026-01-31-12-00-00.123456".len());
    }

    #[test]
    fn time_is_replaced_by_date_and_time() {
        assert_eq!(expand_time("run_"), "run_");
        let text = expand_time("TIME_a_TIME");
        assert_eq!(text.len(), "2026-01-31-12-00-00_a_2026-01-31-12-00-00".len(), "{text}");
        assert!(text.bytes().all(|b| b.is_ascii_digit() || b"-_a".contains(&b)), "{text}");
    }

    #[test]
    fn percent_codes_are_characters() {
        for (text, expected) in
            [("%72.rou%20x.xml", "r.rou x.xml"), ("100%.xml", "100%.xml"), ("%zz%4", "%zz%4"), ("%ff", "%ff")]
        {
            assert_eq!(decode_percent(text), expected);
        }
    }
}
