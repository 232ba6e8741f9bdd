//! A thin, bounded layer over quick-xml: streaming start/end events with line numbers, decoded attributes, and limits
//! that keep hostile input from using unbounded memory or time.

use std::io::{self, BufRead, Read};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::diagnostics::{InputError, Location};

/// Longest single tag (with all its attributes). A route of 100,000 edges fits; a gigabyte attribute does not.
const MAX_TAG_BYTES: u64 = 32 << 20;
/// Most bytes read from one file after decompression.
const MAX_FILE_BYTES: u64 = 16 << 30;
const MAX_DEPTH: usize = 64;
/// Most attributes of one element; looking for doubles among them takes quadratic time.
const MAX_ATTRIBUTES: usize = 1000;

/// What is found in a file, in order.
#[derive(Debug)]
pub enum Node {
    /// `<name attributes…>`; a self-closing element also gives an [`Node::End`] next.
    Start(Element),
    /// `</name>`.
    End(String),
}

/// A start tag with decoded attributes.
#[derive(Debug, Clone)]
pub struct Element {
    pub name: String,
    /// Line on which the tag ends, one-based.
    pub line: u64,
    /// Keys and values, one after the other: one allocation for all, since elements come by the million.
    text: String,
    /// End of the key and end of the value of each attribute in `text`.
    ends: Vec<[u32; 2]>,
}

impl Element {
    /// Decoded value of an attribute.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.attributes().find(|(k, _)| *k == key).map(|(_, value)| value)
    }
    /// Keys and decoded values in the order of the file.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut start = 0;
        self.ends.iter().map(move |&[key, value]| {
            let [key, value] = [key as usize, value as usize];
            let attribute = (&self.text[start..key], &self.text[key..value]);
            start = value;
            attribute
        })
    }
    /// Adds an attribute, or changes nothing where there is one with this key.
    pub fn add_missing(&mut self, key: &str, value: &str) {
        if self.get(key).is_none() {
            self.text.push_str(key);
            let key_end = self.text.len() as u32;
            self.text.push_str(value);
            self.ends.push([key_end, self.text.len() as u32]);
        }
    }
    /// For messages: the name and the id if it has one.
    pub fn describe(&self) -> String {
        match self.get("id") {
            Some(id) => format!("{} '{}'", self.name, shorten(id)),
            None => self.name.clone(),
        }
    }
}

/// Cuts long values for messages.
pub fn shorten(value: &str) -> String {
    const KEEP: usize = 80;
    match value.char_indices().nth(KEEP) {
        Some((at, _)) => format!("{}…", &value[..at]),
        None => value.to_owned(),
    }
}

/// Reads one XML document from any buffered source.
pub struct XmlReader<R: BufRead> {
    file: String,
    reader: Reader<Metered<R>>,
    buffer: Vec<u8>,
    /// Name of a self-closing element whose end is due.
    pending_end: Option<String>,
    depth: usize,
    seen_root: bool,
}

impl<R: BufRead> XmlReader<R> {
    /// `file` is only used in messages.
    pub fn new(file: impl Into<String>, source: R) -> Self {
        let mut reader = Reader::from_reader(Metered::new(source));
        reader.config_mut().check_end_names = true;
        reader.config_mut().trim_text(true);
        Self { file: file.into(), reader, buffer: Vec::new(), pending_end: None, depth: 0, seen_root: false }
    }

    pub fn file(&self) -> &str {
        &self.file
    }

    /// Line up to which the file has been read.
    pub fn line(&self) -> u64 {
        self.reader.get_ref().line
    }

    /// A location at the current line.
    pub fn here(&self, element: impl Into<String>) -> Location {
        Location { file: self.file.clone(), line: self.line(), element: element.into() }
    }

    /// The location of `element`.
    pub fn at(&self, element: &Element) -> Location {
        Location { file: self.file.clone(), line: element.line, element: element.describe() }
    }

    pub fn error(&self, element: &Element, message: impl Into<String>) -> InputError {
        InputError::new(self.at(element), message)
    }

    /// The next start or end tag; `None` at the end of a well-formed document.
    #[allow(clippy::should_implement_trait, reason = "an iterator of results would go on after an error")]
    pub fn next(&mut self) -> Result<Option<Node>, InputError> {
        if let Some(name) = self.pending_end.take() {
            self.depth -= 1;
            return Ok(Some(Node::End(name)));
        }
        // Events borrow the buffer; taken out, it leaves the reader free for the rest.
        let mut buffer = std::mem::take(&mut self.buffer);
        let node = self.read_node(&mut buffer);
        self.buffer = buffer;
        node
    }

    fn read_node(&mut self, buffer: &mut Vec<u8>) -> Result<Option<Node>, InputError> {
        loop {
            buffer.clear();
            self.reader.get_mut().begin_event();
            let read = self.reader.read_event_into(buffer);
            let event = read.map_err(|error| {
                // Where it begins: a quote that is missing is only noticed at the end of the file.
                let line = self.reader.get_ref().event_line;
                let at = Location::line(self.file.as_str(), line);
                InputError::new(at, format!("not well-formed XML: {error}"))
            })?;
            match event {
                Event::Start(tag) => {
                    self.enter()?;
                    return Ok(Some(Node::Start(self.element(&tag)?)));
                }
                Event::Empty(tag) => {
                    self.enter()?;
                    let element = self.element(&tag)?;
                    self.pending_end = Some(element.name.clone());
                    return Ok(Some(Node::Start(element)));
                }
                Event::End(tag) => {
                    self.depth = self.depth.saturating_sub(1);
                    return Ok(Some(Node::End(tag.name().as_ref().to_owned())));
                }
                Event::Eof => {
                    if self.depth > 0 {
                        return Err(InputError::new(self.here(""), "the file ends inside an element; is it cut off?"));
                    }
                    if !self.seen_root {
                        return Err(InputError::new(self.here(""), "no XML element in the file"));
                    }
                    return Ok(None);
                }
                _ => {}
            }
        }
    }

    /// Reads past everything inside the element whose start tag came last.
    pub fn skip(&mut self) -> Result<(), InputError> {
        let mut open = 1;
        while open > 0 {
            match self.next()? {
                Some(Node::Start(_)) => open += 1,
                Some(Node::End(_)) => open -= 1,
                None => break,
            }
        }
        Ok(())
    }

    fn enter(&mut self) -> Result<(), InputError> {
        self.seen_root = true;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(InputError::new(self.here(""), format!("elements are nested deeper than {MAX_DEPTH}")));
        }
        Ok(())
    }

    fn element(&self, tag: &BytesStart<'_>) -> Result<Element, InputError> {
        let name = tag.name().as_ref().to_owned();
        let line = self.line();
        let bad = |message: String| {
            InputError::new(Location { file: self.file.clone(), line, element: shorten(&name) }, message)
        };
        let mut text = String::with_capacity(tag.len());
        let mut ends = Vec::with_capacity(8);
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|e| bad(format!("bad attribute: {e}")))?;
            if ends.len() == MAX_ATTRIBUTES {
                return Err(bad(format!("has more than {MAX_ATTRIBUTES} attributes")));
            }
            let key: &str = attribute.key.as_ref();
            let value = quick_xml::escape::unescape(&attribute.value)
                .map_err(|e| bad(format!("attribute '{}': {e}", shorten(key))))?;
            text.push_str(key);
            let key_end = text.len() as u32;
            text.push_str(&value);
            ends.push([key_end, text.len() as u32]);
        }
        Ok(Element { name, line, text, ends })
    }
}

/// Counts lines and bytes of what is consumed, and ends the stream with an error beyond the limits.
struct Metered<R> {
    inner: R,
    line: u64,
    total: u64,
    since_event: u64,
    /// Line on which the tag or text begins that is being read, when `has_begun`.
    event_line: u64,
    has_begun: bool,
}

impl<R> Metered<R> {
    fn new(inner: R) -> Self {
        Self { inner, line: 1, total: 0, since_event: 0, event_line: 1, has_begun: false }
    }

    fn begin_event(&mut self) {
        self.since_event = 0;
        self.event_line = self.line;
        self.has_begun = false;
    }
}

impl<R: BufRead> Read for Metered<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let n = available.len().min(out.len());
        out[..n].copy_from_slice(&available[..n]);
        self.consume(n);
        Ok(n)
    }
}

impl<R: BufRead> BufRead for Metered<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.since_event > MAX_TAG_BYTES {
            return Err(io::Error::other(format!("a single tag or text is longer than {} MiB", MAX_TAG_BYTES >> 20)));
        }
        if self.total > MAX_FILE_BYTES {
            return Err(io::Error::other(format!("the file is larger than {} GiB unpacked", MAX_FILE_BYTES >> 30)));
        }
        self.inner.fill_buf()
    }

    fn consume(&mut self, n: usize) {
        if let Ok(bytes) = self.inner.fill_buf() {
            let bytes = &bytes[..n.min(bytes.len())];
            self.line += memchr::memchr_iter(b'\n', bytes).count() as u64;
            if !self.has_begun {
                let begin = bytes.iter().position(|byte| !byte.is_ascii_whitespace());
                self.has_begun = begin.is_some();
                self.event_line += memchr::memchr_iter(b'\n', &bytes[..begin.unwrap_or(bytes.len())]).count() as u64;
            }
        }
        self.total += n as u64;
        self.since_event += n as u64;
        self.inner.consume(n);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(text: &[u8]) -> Result<Vec<Node>, InputError> {
        let mut xml = XmlReader::new("t.xml", text);
        let mut nodes = Vec::new();
        while let Some(node) = xml.next()? {
            nodes.push(node);
        }
        Ok(nodes)
    }

    fn error(text: impl AsRef<[u8]>) -> String {
        nodes(text.as_ref()).expect_err("the document is bad").to_string()
    }

    #[test]
    fn elements_give_decoded_attributes_and_lines() {
        let text = "<?xml version=\"1.0\"?>\n<!-- a -->\n<a x='1 &lt; 2' y=\"ä\">\n text <b\n id=''/></a>";
        let nodes = nodes(text.as_bytes()).unwrap();
        let [Node::Start(a), Node::Start(b), Node::End(end_b), Node::End(end_a)] = &nodes[..] else {
            panic!("{nodes:?}");
        };
        assert_eq!((a.name.as_str(), a.line, a.get("x"), a.get("y")), ("a", 3, Some("1 < 2"), Some("ä")));
        assert_eq!((b.line, b.get("id"), b.get("x")), (5, Some(""), None));
        assert_eq!(a.attributes().collect::<Vec<_>>(), [("x", "1 < 2"), ("y", "ä")]);
        assert_eq!((end_b.as_str(), end_a.as_str()), ("b", "a"));
    }

    #[test]
    fn broken_documents_are_errors() {
        assert!(error("").contains("no XML element"));
        assert!(error("<a>").contains("cut off"));
        assert!(error("<a\n\n><b></a>").starts_with("t.xml:3"));
        assert!(error("<a>\n\n<b>\n</a>").starts_with("t.xml:4"));
        assert!(error("<a>\n\n<b x='\n\n></a>").starts_with("t.xml:3"));
        assert!(error("<a x='1' x='2'/>").contains("bad attribute"));
        assert!(error("<a x='&nope;'/>").contains("attribute 'x'"));
        assert!(error("<a x=1/>").contains("bad attribute"));
        assert!(nodes(b"<a x='\xff\xfe'/>").is_err());
        assert!(nodes(b"\x1f\x8b\x08\x00").is_err());
    }

    #[test]
    fn hostile_documents_meet_a_bound() {
        assert!(error("<a>".repeat(1000)).contains("nested deeper"));
        let many: String = (0..5000).map(|i| format!(" a{i}=''")).collect();
        assert!(error(format!("<a{many}/>")).contains("more than 1000 attributes"));
        // Entities are not expanded, so they cannot grow.
        assert!(error("<!DOCTYPE a [<!ENTITY x \"yyyy\">]><a v='&x;'/>").contains("attribute 'v'"));
        // One attribute that never ends.
        let source = io::BufReader::new(io::Cursor::new(b"<a x='".to_vec()).chain(io::repeat(b'y')));
        let message = XmlReader::new("t.xml", source).next().unwrap_err().to_string();
        assert!(message.contains("longer than 32 MiB"), "{message}");
    }
}
