//! Files in other encodings than UTF-8, which the XML declaration or a byte order mark names, become UTF-8 as they are read.

use std::io::{self, BufRead, Read};

/// Longest XML declaration that is looked at.
const MAX_DECLARATION: usize = 256;
const CHUNK_BYTES: usize = 1 << 16;

/// Encodings with one or two bytes a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charset {
    Latin1,
    /// ISO-8859-15: Latin 1 with the euro sign.
    Latin9,
    Windows1252,
    Utf16 {
        big_endian: bool,
    },
}

/// How a file is encoded: bytes of a mark before its text, and the encoding if it is not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Encoding {
    pub mark: usize,
    pub charset: Option<Charset>,
}

/// By the first bytes of a file.
///
/// # Errors
/// The name of an encoding that is not known.
pub(super) fn detect(head: &[u8]) -> Result<Encoding, String> {
    let utf16 = |mark, big_endian| Ok(Encoding { mark, charset: Some(Charset::Utf16 { big_endian }) });
    match head {
        [0xef, 0xbb, 0xbf, ..] => Ok(Encoding { mark: 3, charset: None }),
        [0xfe, 0xff, ..] => utf16(2, true),
        [0xff, 0xfe, ..] => utf16(2, false),
        [0, b'<', 0, b'?', ..] => utf16(0, true),
        [b'<', 0, b'?', 0, ..] => utf16(0, false),
        _ => Ok(Encoding { mark: 0, charset: declared(head)? }),
    }
}

/// What `<?xml … encoding="…"?>` says.
fn declared(head: &[u8]) -> Result<Option<Charset>, String> {
    let head = &head[..head.len().min(MAX_DECLARATION)];
    let declaration = head.strip_prefix(b"<?xml").and_then(|rest| {
        let end = memchr::memmem::find(rest, b"?>")?;
        str::from_utf8(&rest[..end]).ok()
    });
    let name = declaration.and_then(|declaration| {
        let value = declaration.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
        let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        value[1..].split(quote).next()
    });
    let Some(name) = name else { return Ok(None) };
    match name.to_ascii_lowercase().as_str() {
        // A file that can be read up to here has bytes for characters, whatever it says.
        "" | "utf-8" | "utf8" | "us-ascii" | "ascii" | "utf-16" => Ok(None),
        "iso-8859-1" | "iso8859-1" | "iso_8859-1" | "latin1" | "latin-1" | "l1" => Ok(Some(Charset::Latin1)),
        "iso-8859-15" | "iso8859-15" | "latin9" | "latin-9" => Ok(Some(Charset::Latin9)),
        "windows-1252" | "cp1252" => Ok(Some(Charset::Windows1252)),
        _ => Err(name.to_owned()),
    }
}

/// Reads UTF-8 out of a source in another encoding.
pub(super) struct Decoder<R> {
    inner: R,
    charset: Charset,
    /// Decoded text, of which `read` bytes are done.
    text: Vec<u8>,
    read: usize,
    /// A byte whose other half, and a surrogate whose other half is yet to come.
    half: Option<u8>,
    surrogate: Option<u16>,
}

impl<R: BufRead> Decoder<R> {
    pub fn new(inner: R, charset: Charset) -> Self {
        Self { inner, charset, text: Vec::new(), read: 0, half: None, surrogate: None }
    }

    fn refill(&mut self) -> io::Result<()> {
        self.text.clear();
        self.read = 0;
        while self.text.is_empty() {
            let bytes = self.inner.fill_buf()?;
            if bytes.is_empty() {
                break;
            }
            let count = bytes.len().min(CHUNK_BYTES);
            match self.charset {
                Charset::Utf16 { big_endian } => {
                    for &byte in &bytes[..count] {
                        let Some(first) = self.half.take() else {
                            self.half = Some(byte);
                            continue;
                        };
                        let unit = if big_endian {
                            u16::from_be_bytes([first, byte])
                        } else {
                            u16::from_le_bytes([first, byte])
                        };
                        let units = self.surrogate.take().into_iter().chain([unit]);
                        let is_first_half = (0xd800..=0xdbff).contains(&unit);
                        if is_first_half && units.clone().count() == 1 {
                            self.surrogate = Some(unit);
                            continue;
                        }
                        for decoded in char::decode_utf16(units) {
                            push(&mut self.text, decoded.unwrap_or(char::REPLACEMENT_CHARACTER));
                        }
                    }
                }
                charset => bytes[..count].iter().for_each(|&byte| push(&mut self.text, character(charset, byte))),
            }
            self.inner.consume(count);
        }
        Ok(())
    }
}

fn push(text: &mut Vec<u8>, character: char) {
    text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

fn character(charset: Charset, byte: u8) -> char {
    /// Windows-1252 from 0x80 to 0x9f; what it leaves undefined is Latin 1's.
    const UPPER: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘',
        '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    match (charset, byte) {
        (Charset::Windows1252, 0x80..=0x9f) => UPPER[usize::from(byte - 0x80)],
        (Charset::Latin9, 0xa4) => '€',
        (Charset::Latin9, 0xa6) => 'Š',
        (Charset::Latin9, 0xa8) => 'š',
        (Charset::Latin9, 0xb4) => 'Ž',
        (Charset::Latin9, 0xb8) => 'ž',
        (Charset::Latin9, 0xbc) => 'Œ',
        (Charset::Latin9, 0xbd) => 'œ',
        (Charset::Latin9, 0xbe) => 'Ÿ',
        _ => char::from(byte),
    }
}

impl<R: BufRead> Read for Decoder<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(out.len());
        out[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Decoder<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.read == self.text.len() {
            self.refill()?;
        }
        Ok(&self.text[self.read..])
    }

    fn consume(&mut self, count: usize) {
        self.read = (self.read + count).min(self.text.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8]) -> String {
        let Encoding { mark, charset } = detect(bytes).expect("a known encoding");
        let mut text = String::new();
        // Two bytes at a time, so that characters are cut.
        let source = io::BufReader::with_capacity(3, &bytes[mark..]);
        match charset {
            Some(charset) => Decoder::new(source, charset).read_to_string(&mut text),
            None => (&bytes[mark..]).read_to_string(&mut text),
        }
        .expect("text");
        text
    }

    #[test]
    fn encodings_are_told_by_mark_or_declaration() {
        let utf16 = |text: &str, to: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(to).collect::<Vec<u8>>();
        let text = "<?xml version=\"1.0\"?><a x='Straße 𝄞'/>";
        assert_eq!(decoded(text.as_bytes()), text);
        assert_eq!(decoded(&[b"\xef\xbb\xbf", text.as_bytes()].concat()), text);
        assert_eq!(decoded(&utf16(text, u16::to_le_bytes)), text);
        assert_eq!(decoded(&[b"\xfe\xff", &utf16(text, u16::to_be_bytes)[..]].concat()), text);
        let with = |name: &str, bytes: &[u8]| {
            decoded(&[format!("<?xml version='1.0' encoding='{name}' ?>").as_bytes(), bytes].concat())
        };
        assert!(with("ISO-8859-1", b"Stra\xdfe \xa4").ends_with("Straße ¤"));
        assert!(with("ISO-8859-15", b"Stra\xdfe \xa4").ends_with("Straße €"));
        assert!(with("windows-1252", b"\x80 \x9f \xe4").ends_with("€ Ÿ ä"));
        assert_eq!(detect(b"<?xml version=\"1.0\" encoding=\"KOI8-R\"?>"), Err("KOI8-R".to_owned()));
    }
}
