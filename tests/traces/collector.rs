//! A collector of traces on loopback: takes OTLP over HTTP, and reads as much of it as the tests need.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A span as it came.
#[derive(Debug)]
pub struct Span {
    /// Name of the service and role of the process that sent it.
    pub service: String,
    pub trace: String,
    pub id: String,
    pub parent: Option<String>,
    pub name: String,
    /// Since 1970, ns.
    pub began: u64,
    pub ended: u64,
    pub failed: bool,
    attributes: BTreeMap<String, String>,
}

impl Span {
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }
}

pub struct Collector {
    address: String,
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Collector {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let bodies = Arc::<Mutex<Vec<Vec<u8>>>>::default();
        let kept = Arc::clone(&bodies);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || take(&stream, &kept));
            }
        });
        Self { address, bodies }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All spans so far.
    pub fn spans(&self) -> Vec<Span> {
        self.bodies.lock().expect("bodies").iter().flat_map(|body| spans_of(body)).collect()
    }
}

/// Answers request after request.
fn take(stream: &TcpStream, kept: &Mutex<Vec<Vec<u8>>>) {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut line, mut length) = (String::new(), 0);
        if reader.read_line(&mut line).is_ok_and(|read| read == 0) {
            return;
        }
        assert!(line.starts_with("POST /v1/traces HTTP/1.1"), "{line}");
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).expect("a header");
            if let Some((name, value)) = line.trim().split_once(": ") {
                match &*name.to_ascii_lowercase() {
                    "content-length" => length = value.parse().expect("a length"),
                    "content-type" => assert_eq!(value, "application/x-protobuf"),
                    _ => {}
                }
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("a body");
        kept.lock().expect("bodies").push(body);
        let mut stream = stream;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").expect("an answer");
    }
}

/// A field of a message of Protocol Buffers: its number and what it holds.
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message (protobuf.dev/programming-guides/encoding).
fn fields(mut bytes: &[u8]) -> Vec<(u64, Value<'_>)> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let byte = bytes[0];
            *bytes = &bytes[1..];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let value = match key & 7 {
            0 => Value::Number(varint(&mut bytes)),
            1 => {
                let (number, rest) = bytes.split_first_chunk::<8>().expect("eight bytes");
                bytes = rest;
                Value::Number(u64::from_le_bytes(*number))
            }
            2 => {
                let length = varint(&mut bytes) as usize;
                let (value, rest) = bytes.split_at(length);
                bytes = rest;
                Value::Bytes(value)
            }
            5 => {
                let (number, rest) = bytes.split_first_chunk::<4>().expect("four bytes");
                bytes = rest;
                Value::Number(u64::from(u32::from_le_bytes(*number)))
            }
            kind => panic!("no field has type {kind}"),
        };
        found.push((key >> 3, value));
    }
    found
}

/// The messages, or texts, in a field.
fn all<'a>(message: &[(u64, Value<'a>)], number: u64) -> Vec<&'a [u8]> {
    let bytes = |(of, value): &(u64, Value<'a>)| match value {
        Value::Bytes(bytes) if *of == number => Some(*bytes),
        _ => None,
    };
    message.iter().filter_map(bytes).collect()
}

fn number(message: &[(u64, Value<'_>)], wanted: u64) -> Option<u64> {
    message.iter().find_map(|(of, value)| match value {
        Value::Number(number) if *of == wanted => Some(*number),
        _ => None,
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Of `KeyValue`s.
fn attributes(messages: Vec<&[u8]>) -> BTreeMap<String, String> {
    let pair = |bytes: &[u8]| {
        let pair = fields(bytes);
        let value = fields(all(&pair, 2)[0]);
        // A text is field 1 of a value, an integer field 3.
        let value =
            all(&value, 1).first().map_or_else(|| number(&value, 3).expect("a number").to_string(), |t| text(t));
        (text(all(&pair, 1)[0]), value)
    };
    messages.into_iter().map(pair).collect()
}

/// The spans of an `ExportTraceServiceRequest` (opentelemetry-proto, trace.proto).
fn spans_of(body: &[u8]) -> Vec<Span> {
    let mut found = Vec::new();
    for resource_spans in all(&fields(body), 1) {
        let resource_spans = fields(resource_spans);
        let resource = attributes(all(&fields(all(&resource_spans, 1)[0]), 1));
        let service = format!("{}/{}", resource["service.name"], resource["tessds.role"]);
        for scope in all(&resource_spans, 2) {
            for span in all(&fields(scope), 2) {
                let span = fields(span);
                found.push(Span {
                    service: service.clone(),
                    trace: hex(all(&span, 1)[0]),
                    id: hex(all(&span, 2)[0]),
                    parent: all(&span, 4).first().filter(|id| !id.is_empty()).map(|id| hex(id)),
                    name: text(all(&span, 5)[0]),
                    began: number(&span, 7).expect("a start"),
                    ended: number(&span, 8).expect("an end"),
                    // Status is field 15, its code field 3; 2 is an error.
                    failed: all(&span, 15).first().is_some_and(|status| number(&fields(status), 3) == Some(2)),
                    attributes: attributes(all(&span, 9)),
                });
            }
        }
    }
    found
}
