//! What a process shows over HTTP.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Status, content type and body of an answer.
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub body: String,
}

/// Asks, and waits for the whole answer.
pub fn ask(address: &str, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(address).expect("the address");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket");
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes()).expect("the address");
    stream.write_all(body.as_bytes()).expect("the address");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let header = |line: &str| line.to_ascii_lowercase().strip_prefix("content-type: ").map(str::to_owned);
    Answer {
        status: head.split(' ').nth(1).expect("a status").parse().expect("a number"),
        content_type: head.lines().find_map(header).unwrap_or_default(),
        body: body.to_owned(),
    }
}

pub fn get(address: &str, path: &str) -> Answer {
    ask(address, "GET", path, "", "")
}

/// The metrics of a process.
pub struct Scrape {
    pub text: String,
    /// By name: its type.
    pub types: BTreeMap<String, String>,
}

impl Scrape {
    pub fn of(address: &str) -> Self {
        let Answer { status, content_type, body } = get(address, "/metrics");
        assert_eq!((status, &*content_type), (200, "text/plain; version=0.0.4"));
        let typed = |line: &str| {
            let (name, kind) = line.strip_prefix("# TYPE ")?.split_once(' ')?;
            Some((name.to_owned(), kind.to_owned()))
        };
        Self { types: body.lines().filter_map(typed).collect(), text: body }
    }

    /// Values of all series of a name, by their labels as they stand.
    pub fn series(&self, name: &str) -> BTreeMap<String, f64> {
        let value = |line: &str| {
            let rest = line.strip_prefix(name)?;
            let (labels, value) = rest.rsplit_once(' ')?;
            (labels.is_empty() || labels.starts_with('{'))
                .then(|| (labels.to_owned(), value.parse().expect("a number")))
        };
        self.text.lines().filter_map(value).collect()
    }

    /// The only series of a name, or the one with this label.
    pub fn value(&self, name: &str, label: &str) -> f64 {
        let found: Vec<f64> = self
            .series(name)
            .into_iter()
            .filter(|(labels, _)| labels.contains(label))
            .map(|(_, value)| value)
            .collect();
        assert_eq!(found.len(), 1, "{name} with {label} in\n{}", self.text);
        found[0]
    }

    pub fn sum(&self, name: &str) -> f64 {
        self.series(name).values().sum()
    }
}
