//! The files that outputs are written to.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;

use super::packing::{self, gzip};
use crate::diagnostics::InputError;
use crate::planted::planted;

const BUFFER_BYTES: usize = 256 * 1024;

enum Target {
    Plain(BufWriter<File>),
    Gzip(GzEncoder<BufWriter<File>>),
    /// The text of a file that is compressed when it is closed, because a compressed stream cannot be cut back.
    Part(BufWriter<File>),
    Console(io::Stdout),
    /// Asked for as `NUL`, as SUMO has it; also what is left of a part after it was compressed.
    Nowhere,
}

/// An output file, written in place so that it can be followed while the run goes on. What it wrote so far is counted:
/// a run that is resumed cuts the file back to a committed position.
pub struct OutputFile {
    path: PathBuf,
    target: Target,
    position: u64,
    /// Is on a disk and may be cut back later.
    resumable: bool,
}

impl OutputFile {
    /// Creates or empties the file. A name that ends in `.gz` is compressed; `stdout` and `-` are the console. Folders are
    /// not created. A `resumable` file that is to be compressed is written as `NAME.gz.part` until it is closed.
    pub fn create(path: &Path, resumable: bool) -> Result<Self, InputError> {
        let failed = |error: io::Error| {
            let advice = match path.parent() {
                Some(folder) if error.kind() == io::ErrorKind::NotFound => {
                    format!("; create the folder '{}' first", folder.display())
                }
                _ => String::new(),
            };
            InputError::file(path.to_string_lossy(), format!("cannot create the output file: {error}{advice}"))
        };
        let target = match Kind::of(path) {
            Kind::Nowhere => Target::Nowhere,
            Kind::Console => Target::Console(io::stdout()),
            Kind::Gzip if resumable => {
                // Who resumes must not take the file of an earlier run for this one's.
                match fs::remove_file(path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
                    _ => Target::Part(buffered(File::create(packing::part_of(path)).map_err(failed)?)),
                }
            }
            Kind::Gzip => Target::Gzip(gzip(buffered(File::create(path).map_err(failed)?))),
            Kind::Plain => Target::Plain(buffered(File::create(path).map_err(failed)?)),
        };
        Ok(Self::new(path, target, 0, resumable))
    }

    /// Opens a resumable file again and cuts off what was written after `position`. What the console has shown since then
    /// cannot be taken back, and is shown again.
    ///
    /// # Errors
    /// The file is missing, or shorter than `position`.
    pub fn resume(path: &Path, position: u64) -> Result<Self, InputError> {
        let target = match Kind::of(path) {
            Kind::Nowhere => Target::Nowhere,
            Kind::Console => Target::Console(io::stdout()),
            Kind::Plain => Target::Plain(cut_back(path, position)?),
            Kind::Gzip => {
                let part = packing::part_of(path);
                if !part.exists() && path.exists() {
                    packing::unpack(path, &part, position).map_err(|error| {
                        InputError::file(path.to_string_lossy(), format!("cannot unpack the output file: {error}"))
                    })?;
                }
                Target::Part(cut_back(&part, position)?)
            }
        };
        Ok(Self::new(path, target, position, true))
    }

    fn new(path: &Path, target: Target, position: u64, resumable: bool) -> Self {
        let on_disk = match &target {
            Target::Plain(writer) | Target::Part(writer) => is_on_disk(writer.get_ref()),
            Target::Gzip(_) | Target::Console(_) | Target::Nowhere => false,
        };
        Self { path: path.to_owned(), target, position, resumable: resumable && on_disk }
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
            Target::Plain(writer) | Target::Part(writer) => writer.write_all(bytes),
            Target::Gzip(writer) => writer.write_all(bytes),
            Target::Console(writer) => writer.write_all(bytes),
            Target::Nowhere => Ok(()),
        };
        self.position += bytes.len() as u64;
        self.named(result)
    }

    /// Shows to others what was written. Of a compressed file only what is compressed already: a flush of the stream would
    /// change its bytes.
    pub fn flush(&mut self) -> io::Result<()> {
        let result = match &mut self.target {
            Target::Plain(writer) | Target::Part(writer) => writer.flush(),
            Target::Gzip(writer) => writer.get_mut().flush(),
            Target::Console(writer) => writer.flush(),
            Target::Nowhere => Ok(()),
        };
        self.named(result)
    }

    /// Everything written so far to a resumable file outlives a crash of the machine.
    pub fn sync(&mut self) -> io::Result<()> {
        self.flush()?;
        let result = match &mut self.target {
            Target::Plain(writer) | Target::Part(writer) if self.resumable => writer.get_ref().sync_data(),
            _ => Ok(()),
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
        if !self.resumable {
            return self.flush();
        }
        self.sync()?;
        if let Target::Part(_) = self.target {
            self.target = Target::Nowhere;
            let result = packing::pack(&packing::part_of(&self.path), &self.path);
            return self.named(result);
        }
        Ok(())
    }

    fn named(&self, result: io::Result<()>) -> io::Result<()> {
        result.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", self.path.display())))
    }
}

/// What a name stands for.
enum Kind {
    Plain,
    Gzip,
    Console,
    Nowhere,
}

impl Kind {
    fn of(path: &Path) -> Self {
        match path.file_name().unwrap_or_default().to_str() {
            Some("NUL") => Self::Nowhere,
            Some("stdout" | "-") => Self::Console,
            _ if path.extension().is_some_and(|extension| extension == "gz") => Self::Gzip,
            _ => Self::Plain,
        }
    }
}

fn buffered(file: File) -> BufWriter<File> {
    BufWriter::with_capacity(BUFFER_BYTES, file)
}

/// Not a device or a pipe, which have no length to be cut back to.
fn is_on_disk(file: &File) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.is_file())
}

/// Opens a file that a run has left behind, as it was when `position` bytes were written.
fn cut_back(path: &Path, position: u64) -> Result<BufWriter<File>, InputError> {
    const ADVICE: &str = "put the file back, or start the run anew";
    let refuse = |what: String| InputError::file(path.to_string_lossy(), format!("cannot resume the output: {what}"));
    let mut file = OpenOptions::new().write(true).open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => refuse(format!("the file is missing; {ADVICE}")),
        _ => refuse(error.to_string()),
    })?;
    if !is_on_disk(&file) {
        return Ok(buffered(file));
    }
    let length = file.metadata().map_err(|error| refuse(error.to_string()))?.len();
    if length < position {
        return Err(refuse(format!("the file has {length} bytes, but {position} were committed; {ADVICE}")));
    }
    let position = if planted("keep-tails") { length } else { position };
    file.set_len(position)
        .and_then(|()| file.seek(SeekFrom::End(0)))
        .map_err(|error| refuse(format!("the file cannot be cut back: {error}")))?;
    Ok(buffered(file))
}

/// Puts `prefix` before the file name of `path` and `suffix` before its ending (SUMO's `--output-prefix`, `--output-suffix`).
pub fn with_prefix(path: &Path, prefix: &str, suffix: &str) -> PathBuf {
    let Some(name) = path.file_name().filter(|_| !prefix.is_empty() || !suffix.is_empty()) else {
        return path.to_owned();
    };
    let name = name.to_string_lossy();
    // What is packed has two endings.
    let unpacked = name.strip_suffix(".gz").unwrap_or(&name);
    let (stem, ending) = name.split_at(unpacked.rfind('.').unwrap_or(unpacked.len()));
    let whole = format!("{prefix}{stem}{suffix}{ending}");
    // A prefix may name a folder.
    path.parent().unwrap_or(Path::new("")).join(whole)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn bytes_are_counted_and_on_disk_after_a_flush() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.xml");
        let mut file = OutputFile::create(&path, false).unwrap();
        file.append(b"one ").unwrap();
        file.append(b"two").unwrap();
        file.flush().unwrap();
        assert_eq!((file.position(), std::fs::read(&path).unwrap().as_slice()), (7, b"one two".as_slice()));
    }

    #[test]
    fn a_compressed_file_is_the_same_however_often_it_is_flushed_and_whether_it_can_be_resumed() {
        let text: String = (0..40_000).map(|i| format!("<step n=\"{i}\" x=\"{}\"/>\n", i * 7919 % 10_007)).collect();
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, resumable, chunk: usize, flush_every: usize| {
            let path = folder.path().join(name);
            let mut file = OutputFile::create(&path, resumable).unwrap();
            for (n, bytes) in text.as_bytes().chunks(chunk).enumerate() {
                file.append(bytes).unwrap();
                if n % flush_every == 0 {
                    file.sync().unwrap();
                }
            }
            file.close().unwrap();
            std::fs::read(path).unwrap()
        };
        let expected = write("a.xml.gz", false, 1 << 20, 1);
        for (resumable, chunk, flush_every) in
            [(false, 100, 3), (false, 65_521, 2), (true, 777, 50), (true, 1 << 20, 1)]
        {
            assert!(write("b.xml.gz", resumable, chunk, flush_every) == expected, "{resumable} {chunk} {flush_every}");
        }
        let mut unpacked = String::new();
        flate2::read::GzDecoder::new(expected.as_slice()).read_to_string(&mut unpacked).unwrap();
        assert_eq!(unpacked, text);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "no part is left behind");
    }

    #[test]
    fn a_file_is_cut_back_to_what_was_committed_also_after_it_was_closed() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.xml", "a.xml.gz"] {
            let path = folder.path().join(name);
            let mut file = OutputFile::create(&path, true).unwrap();
            file.append(b"committed ").unwrap();
            file.sync().unwrap();
            let position = file.position();
            for _ in 0..2 {
                file.append(b"and more").unwrap();
                file.close().unwrap();
                let closed = std::fs::read(&path).unwrap();
                file = OutputFile::resume(&path, position).unwrap();
                file.append(b"and more").unwrap();
                file.close().unwrap();
                assert_eq!(std::fs::read(&path).unwrap(), closed);
                file = OutputFile::resume(&path, position).unwrap();
            }
        }
    }

    /// A master that was replaced, and had not heard of it, ended the run at the same time as its successor. The second of the
    /// two emptied the compressed file, and found nothing to compress (simulated seed 90).
    #[test]
    fn a_compressed_file_stays_whole_when_two_masters_close_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.xml.gz");
        let mut first = OutputFile::create(&path, true).unwrap();
        first.append(b"committed").unwrap();
        first.sync().unwrap();
        let mut second = OutputFile::resume(&path, first.position()).unwrap();
        first.append(b" and more").unwrap();
        second.append(b" and more").unwrap();
        first.close().unwrap();
        let closed = std::fs::read(&path).unwrap();
        second.close().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), closed);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_lost_committed_bytes_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.xml");
        let error = OutputFile::resume(&path, 3).err().unwrap().to_string();
        assert!(error.contains("a.xml") && error.contains("missing") && error.contains("put the file back"), "{error}");
        std::fs::write(&path, "ab").unwrap();
        let error = OutputFile::resume(&path, 3).err().unwrap().to_string();
        assert!(error.contains("has 2 bytes, but 3 were committed"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"ab", "what is there stays as it is");
    }

    #[cfg(unix)]
    #[test]
    fn a_device_is_neither_synced_nor_cut_back() {
        let path = Path::new("/dev/null");
        let mut file = OutputFile::create(path, true).unwrap();
        file.append(b"a step").unwrap();
        file.sync().unwrap();
        let mut file = OutputFile::resume(path, 6).unwrap();
        file.append(b"another").unwrap();
        assert_eq!(file.position(), 13);
        file.close().unwrap();
    }

    #[test]
    fn a_missing_folder_is_an_error_that_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none").join("a.xml");
        let error = OutputFile::create(&path, false).err().unwrap().to_string();
        assert!(error.contains("a.xml") && error.contains("create the folder"), "{error}");
    }

    #[test]
    fn the_prefix_goes_before_the_file_name() {
        let check = |prefix: &str, suffix: &str, expected: &str| {
            assert_eq!(with_prefix(Path::new("out/a.xml"), prefix, suffix), Path::new(expected));
        };
        check("run1_", "", "out/run1_a.xml");
        check("", "", "out/a.xml");
        check("p_", "_s", "out/p_a_s.xml");
        check("sub/", "", "out/sub/a.xml");
        assert_eq!(with_prefix(Path::new("a.xml.gz"), "", "_s"), Path::new("a_s.xml.gz"));
    }
}
