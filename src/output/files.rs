//! The files that outputs are written to.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder, write::GzEncoder};

use crate::diagnostics::InputError;

const BUFFER_BYTES: usize = 256 * 1024;

enum Target {
    Plain(BufWriter<File>),
    Gzip(GzEncoder<BufWriter<File>>),
    Console(io::Stdout),
    /// Asked for as `NUL`, as SUMO has it.
    Nowhere,
}

/// An output file, written in place so that it can be followed while the run goes on. What it wrote so far is counted:
/// a run that is resumed can cut the file back to a committed position.
pub struct OutputFile {
    path: PathBuf,
    target: Target,
    position: u64,
}

impl OutputFile {
    /// Creates or empties the file. A name that ends in `.gz` is compressed; `stdout` and `-` are the console. Folders are
    /// not created.
    pub fn create(path: &Path) -> Result<Self, InputError> {
        let name = path.file_name().unwrap_or_default();
        let target = if name == "NUL" {
            Target::Nowhere
        } else if name == "stdout" || name == "-" {
            Target::Console(io::stdout())
        } else {
            let file = File::create(path).map_err(|error| {
                let advice = match path.parent() {
                    Some(folder) if error.kind() == io::ErrorKind::NotFound => {
                        format!("; create the folder '{}' first", folder.display())
                    }
                    _ => String::new(),
                };
                InputError::file(path.to_string_lossy(), format!("cannot create the output file: {error}{advice}"))
            })?;
            let buffered = BufWriter::with_capacity(BUFFER_BYTES, file);
            if path.extension().is_some_and(|e| e == "gz") {
                // No time stamp and no name in the header: equal runs give equal files.
                Target::Gzip(GzBuilder::new().mtime(0).write(buffered, Compression::default()))
            } else {
                Target::Plain(buffered)
            }
        };
        Ok(Self { path: path.to_owned(), target, position: 0 })
    }

    /// Bytes written so far, before compression. After [`flush`](Self::flush) they are in the hands of the system.
    pub fn position(&self) -> u64 {
        self.position
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends `bytes`. The error names the file.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let result = match &mut self.target {
            Target::Plain(writer) => writer.write_all(bytes),
            Target::Gzip(writer) => writer.write_all(bytes),
            Target::Console(writer) => writer.write_all(bytes),
            Target::Nowhere => Ok(()),
        };
        self.position += bytes.len() as u64;
        self.named(result)
    }

    pub fn flush(&mut self) -> io::Result<()> {
        let result = match &mut self.target {
            Target::Plain(writer) => writer.flush(),
            Target::Gzip(writer) => writer.flush(),
            Target::Console(writer) => writer.flush(),
            Target::Nowhere => Ok(()),
        };
        self.named(result)
    }

    /// Writes what is left; a compressed file is only valid after this.
    pub fn close(&mut self) -> io::Result<()> {
        if let Target::Gzip(writer) = &mut self.target {
            // Flushing the encoder itself is not allowed once it has finished.
            let result = writer.try_finish().and_then(|()| writer.get_mut().flush());
            return self.named(result);
        }
        self.flush()
    }

    fn named(&self, result: io::Result<()>) -> io::Result<()> {
        result.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", self.path.display())))
    }
}

/// Puts `prefix` before the file name of `path` (SUMO's `--output-prefix`).
pub fn with_prefix(path: &Path, prefix: &str) -> PathBuf {
    match path.file_name() {
        Some(name) if !prefix.is_empty() => {
            let mut prefixed = std::ffi::OsString::from(prefix);
            prefixed.push(name);
            path.with_file_name(prefixed)
        }
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn bytes_are_counted_and_on_disk_after_a_flush() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.xml");
        let mut file = OutputFile::create(&path).unwrap();
        file.append(b"one ").unwrap();
        file.append(b"two").unwrap();
        file.flush().unwrap();
        assert_eq!((file.position(), std::fs::read(&path).unwrap().as_slice()), (7, b"one two".as_slice()));
    }

    #[test]
    fn gzip_files_are_equal_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let written: Vec<_> = ["a.xml.gz", "b.xml.gz"]
            .map(|name| {
                let path = folder.path().join(name);
                let mut file = OutputFile::create(&path).unwrap();
                file.append(b"<a/>\n").unwrap();
                file.close().unwrap();
                std::fs::read(path).unwrap()
            })
            .into();
        assert_eq!(written[0], written[1]);
        let mut text = String::new();
        flate2::read::GzDecoder::new(written[0].as_slice()).read_to_string(&mut text).unwrap();
        assert_eq!(text, "<a/>\n");
    }

    #[test]
    fn a_missing_folder_is_an_error_that_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none").join("a.xml");
        let error = OutputFile::create(&path).err().unwrap().to_string();
        assert!(error.contains("a.xml") && error.contains("create the folder"), "{error}");
    }

    #[test]
    fn the_prefix_goes_before_the_file_name() {
        assert_eq!(with_prefix(Path::new("out/a.xml"), "run1_"), Path::new("out/run1_a.xml"));
        assert_eq!(with_prefix(Path::new("out/a.xml"), ""), Path::new("out/a.xml"));
    }
}
