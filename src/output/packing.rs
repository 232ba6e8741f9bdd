//! Compressed outputs of a run that may be resumed: plain text in a file beside until the run ends, then compressed.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder, read::GzDecoder};

/// A compressing writer without time stamp and name in the header: equal runs give equal files.
pub fn gzip<W: Write>(writer: W) -> GzEncoder<W> {
    GzBuilder::new().mtime(0).write(writer, Compression::default())
}

/// `NAME.part`: where the text of the compressed file `NAME` is kept until the run ends.
pub fn part_of(path: &Path) -> PathBuf {
    with_ending(path, ".part")
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

/// Compresses `part` into `path` and removes it. The compressed file is whole whenever it is there. A master that was replaced
/// and has not heard of it does the same, and its file is the same to the last bit: whoever comes second finds it done.
pub fn pack(part: &Path, path: &Path) -> io::Result<()> {
    let text = match File::open(part) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.exists() => return Ok(()),
        opened => opened?,
    };
    let unfinished = with_ending(path, &format!(".{}.new", std::process::id()));
    let mut packed = gzip(BufWriter::new(File::create(&unfinished)?));
    io::copy(&mut BufReader::with_capacity(1 << 18, text), &mut packed)?;
    let file = packed.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    fs::rename(unfinished, path)?;
    match fs::remove_file(part) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// The reverse, up to `length` bytes of text: for a run that ended and, before anybody wrote that down, crashed.
pub fn unpack(path: &Path, part: &Path, length: u64) -> io::Result<()> {
    // A part under its own name is whole.
    let unfinished = with_ending(part, ".new");
    let mut text = BufWriter::new(File::create(&unfinished)?);
    io::copy(&mut GzDecoder::new(BufReader::new(File::open(path)?)).take(length), &mut text)?;
    text.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    fs::rename(unfinished, part)
}
