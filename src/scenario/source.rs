//! Opening input files, plain or gzip-compressed, with a bound on what a compressed file may unpack to.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use super::decoding::{self, Decoder, Encoding};
use super::nearest_file::did_you_mean_file;
use crate::diagnostics::InputError;
use crate::xml::shorten;

const BUFFER_BYTES: usize = 1 << 18;
/// Deflate packs at most about 1000:1; real networks and routes pack 10:1 to 60:1.
const MAX_RATIO: u64 = 250;
/// The ratio says nothing about small files.
const RATIO_FREE_BYTES: u64 = 64 << 20;

/// An open input file; unpacks on the fly when the content is gzip, whatever the file is called, and gives UTF-8 whatever the
/// encoding is.
pub struct Source(Inner);

enum Inner {
    Plain(BufReader<File>),
    Gzip(Box<BufReader<RatioBound>>),
    Decoded(Box<Decoder<Inner>>),
}

impl Source {
    /// The whole of a file of text.
    ///
    /// # Errors
    /// It cannot be opened, has more than `most` bytes, or is no text.
    pub fn text(path: &Path, most: u64) -> Result<String, InputError> {
        let fail = |message: String| InputError::file(path.display().to_string(), message);
        let mut bytes = Vec::new();
        let read = Self::open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes);
        if read.map_err(|error| fail(format!("cannot read the file: {error}")))? as u64 > most {
            return Err(fail(format!("the file has more than {most} bytes; this is no file of this kind")));
        }
        String::from_utf8(bytes).map_err(|_| fail("the file is not text in UTF-8".to_owned()))
    }

    /// Errors say what is wrong with the file: missing, a directory, not readable.
    pub fn open(path: &Path) -> Result<Self, InputError> {
        let name = path.display().to_string();
        let fail = |error: io::Error| {
            let message = match error.kind() {
                io::ErrorKind::NotFound => format!("file not found{}", did_you_mean_file(path)),
                io::ErrorKind::PermissionDenied => "no permission to read the file".to_owned(),
                _ => format!("cannot read the file: {error}"),
            };
            InputError::file(name.as_str(), message)
        };
        let file = File::open(path).map_err(fail)?;
        if file.metadata().map_err(fail)?.is_dir() {
            return Err(InputError::file(name, "is a directory, not a file"));
        }
        let mut plain = BufReader::with_capacity(BUFFER_BYTES, file);
        let head = plain.fill_buf().map_err(fail)?;
        let mut inner = if head.starts_with(&[0x1f, 0x8b]) {
            let unpacked = RatioBound { decoder: MultiGzDecoder::new(Counted { inner: plain, read: 0 }), written: 0 };
            Inner::Gzip(Box::new(BufReader::with_capacity(BUFFER_BYTES, unpacked)))
        } else {
            Inner::Plain(plain)
        };
        // A file that cannot be unpacked is an error when it is read.
        let head = inner.fill_buf().unwrap_or_default();
        let Encoding { mark, charset } = decoding::detect(head).map_err(|encoding| {
            let encoding = shorten(&encoding);
            InputError::file(
                name.as_str(),
                format!("the encoding '{encoding}' is not supported; convert the file to UTF-8"),
            )
        })?;
        inner.consume(mark);
        Ok(Self(match charset {
            Some(charset) => Inner::Decoded(Box::new(Decoder::new(inner, charset))),
            None => inner,
        }))
    }
}

impl Read for Inner {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(r) => r.read(out),
            Self::Gzip(r) => r.read(out),
            Self::Decoded(r) => r.read(out),
        }
    }
}

impl BufRead for Inner {
    #[inline]
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self {
            Self::Plain(r) => r.fill_buf(),
            Self::Gzip(r) => r.fill_buf(),
            Self::Decoded(r) => r.fill_buf(),
        }
    }
    #[inline]
    fn consume(&mut self, n: usize) {
        match self {
            Self::Plain(r) => r.consume(n),
            Self::Gzip(r) => r.consume(n),
            Self::Decoded(r) => r.consume(n),
        }
    }
}

impl Read for Source {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.read(out)
    }
}

impl BufRead for Source {
    #[inline]
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.0.fill_buf()
    }
    #[inline]
    fn consume(&mut self, n: usize) {
        self.0.consume(n);
    }
}

/// Ends the stream with an error when it unpacks far beyond what honest data does.
struct RatioBound {
    decoder: MultiGzDecoder<Counted>,
    written: u64,
}

impl Read for RatioBound {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.decoder.read(out)?;
        self.written += n as u64;
        let packed = self.decoder.get_ref().read.max(1);
        if self.written > RATIO_FREE_BYTES && self.written / packed > MAX_RATIO {
            return Err(io::Error::other(format!(
                "the compressed file unpacks to more than {MAX_RATIO} times its size; it is damaged or hostile"
            )));
        }
        Ok(n)
    }
}

/// Counts the packed bytes that were used.
struct Counted {
    inner: BufReader<File>,
    read: u64,
}

impl Read for Counted {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(out)?;
        self.read += n as u64;
        Ok(n)
    }
}

impl BufRead for Counted {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }
    fn consume(&mut self, n: usize) {
        self.read += n as u64;
        self.inner.consume(n);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).expect("writing to memory");
        encoder.finish().expect("writing to memory")
    }

    fn read_all(bytes: &[u8]) -> Result<Vec<u8>, String> {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(bytes).expect("writing");
        let mut out = Vec::new();
        let mut source = Source::open(file.path()).map_err(|e| e.to_string())?;
        source.read_to_end(&mut out).map_err(|e| e.to_string())?;
        Ok(out)
    }

    #[test]
    fn plain_and_packed_files_read_the_same() {
        assert_eq!(read_all(b"<net/>").expect("plain"), b"<net/>");
        assert_eq!(read_all(&gzip(b"<net/>")).expect("packed"), b"<net/>");
        let mut two_members = gzip(b"<net>");
        two_members.extend(gzip(b"</net>"));
        assert_eq!(read_all(&two_members).expect("two members"), b"<net></net>");
        assert_eq!(read_all(b"").expect("empty"), b"");
    }

    #[test]
    fn a_gz_bomb_is_an_error_and_not_a_full_memory() {
        let error = read_all(&gzip(&vec![b' '; 80 << 20])).expect_err("80 MiB of spaces");
        assert!(error.contains("250 times"), "{error}");
    }

    #[test]
    fn a_cut_off_gz_file_is_an_error() {
        let whole = gzip(b"<net>0123456789</net>");
        assert!(read_all(&whole[..whole.len() - 10]).is_err());
    }

    #[test]
    fn long_files_and_files_that_are_no_text_are_refused() {
        let check = |bytes: &[u8], expected: Result<&str, &str>| {
            let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
            file.write_all(bytes).expect("writing");
            let read = Source::text(file.path(), 8).map_err(|error| error.message);
            assert_eq!(read.as_deref().map_err(String::as_str), expected);
        };
        check("8 bytès".as_bytes(), Ok("8 bytès"));
        check(&gzip(b"8 bytes"), Ok("8 bytes"));
        let too_long = "the file has more than 8 bytes; this is no file of this kind";
        check("12345678è".as_bytes(), Err(too_long));
        check(&gzip(&vec![b' '; 80 << 20]), Err(too_long));
        check(b"\xff", Err("the file is not text in UTF-8"));
    }

    #[test]
    fn missing_files_and_directories_are_named() {
        let missing = Source::open(Path::new("no/such/file.xml")).err().expect("missing").to_string();
        assert_eq!(missing, "no/such/file.xml: file not found");
        let directory = Source::open(&std::env::temp_dir()).err().expect("directory").to_string();
        assert!(directory.ends_with("is a directory, not a file"), "{directory}");
    }
}
