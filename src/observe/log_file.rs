//! A log file that is begun anew from time to time. The newest lines are always in the file of the given name, so that it can be
//! followed (`tail -F`); the ones before are in `NAME.1`, `NAME.2` and so on.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::settings::{LogSettings, Rotate};

/// Where log lines go.
#[derive(Debug)]
pub struct RotatingFile {
    path: PathBuf,
    rotate: Rotate,
    /// Earlier files that stay.
    keep: u32,
    /// Greatest size, when it is rotated by size.
    limit_bytes: u64,
    file: File,
    bytes: u64,
    /// Number of the day or hour of the newest line.
    period: u64,
}

impl RotatingFile {
    /// Goes on with a file, or begins one.
    ///
    /// # Errors
    /// The file or its folder cannot be made.
    pub fn open(settings: &LogSettings) -> io::Result<Self> {
        let LogSettings { file: path, rotate, keep, file_mib, .. } = settings;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = append_to(path)?;
        let metadata = file.metadata()?;
        let newest = if metadata.len() > 0 { metadata.modified()? } else { SystemTime::now() };
        let period = period_of(*rotate, newest);
        let limit_bytes = file_mib << 20;
        Ok(Self { path: path.clone(), rotate: *rotate, keep: *keep, limit_bytes, file, bytes: metadata.len(), period })
    }

    /// Writes one line, or a piece of one.
    fn write_at(&mut self, line: &[u8], now: SystemTime) -> io::Result<()> {
        let period = period_of(self.rotate, now);
        let is_full = self.rotate == Rotate::Size && self.bytes + line.len() as u64 > self.limit_bytes;
        if self.bytes > 0 && (is_full || period > self.period) {
            // A file that cannot be begun anew grows on: better too long a log than none.
            let _ = self.begin_anew();
        }
        self.period = period;
        self.file.write_all(line)?;
        self.bytes += line.len() as u64;
        Ok(())
    }

    fn begin_anew(&mut self) -> io::Result<()> {
        for number in (1..self.keep).rev() {
            // There are only as many as have come together.
            let _ = std::fs::rename(self.numbered(number), self.numbered(number + 1));
        }
        std::fs::rename(&self.path, self.numbered(1))?;
        self.file = append_to(&self.path)?;
        self.bytes = 0;
        Ok(())
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

impl Write for RotatingFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.write_at(line, SystemTime::now())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn period_of(rotate: Rotate, at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    match rotate {
        Rotate::Daily => since / 86_400,
        Rotate::Hourly => since / 3600,
        Rotate::Size => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(folder: &Path, rotate: Rotate, keep: u32) -> LogSettings {
        LogSettings { file: folder.join("logs/tessds.log"), rotate, keep, file_mib: 1, ..LogSettings::default() }
    }

    fn read(folder: &Path, name: &str) -> Option<String> {
        std::fs::read_to_string(folder.join("logs").join(name)).ok()
    }

    #[test]
    fn a_new_day_begins_a_new_file_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = RotatingFile::open(&settings(folder.path(), Rotate::Daily, 2)).unwrap();
        let day = Duration::from_secs(86_400);
        let now = SystemTime::now();
        for (text, at) in [("a", now), ("b", now), ("c", now + day), ("d", now + 2 * day), ("e", now + 3 * day)] {
            file.write_at(text.as_bytes(), at).unwrap();
        }
        let found =
            ["tessds.log", "tessds.log.1", "tessds.log.2", "tessds.log.3"].map(|name| read(folder.path(), name));
        assert_eq!(found, [Some("e".to_owned()), Some("d".to_owned()), Some("c".to_owned()), None]);
    }

    #[test]
    fn a_full_file_is_put_aside_and_a_restart_goes_on_with_the_last() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), Rotate::Size, 3);
        let line = "x".repeat(600 << 10);
        RotatingFile::open(&settings).unwrap().write_all(line.as_bytes()).unwrap();
        let mut file = RotatingFile::open(&settings).unwrap();
        file.write_all(b"small").unwrap();
        file.write_all(line.as_bytes()).unwrap();
        assert_eq!(read(folder.path(), "tessds.log.1").unwrap().len(), line.len() + 5);
        assert_eq!(read(folder.path(), "tessds.log").unwrap(), line);
    }

    #[test]
    fn a_file_of_yesterday_is_put_aside_by_the_next_process() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), Rotate::Hourly, 1);
        let mut file = RotatingFile::open(&settings).unwrap();
        file.write_all(b"before").unwrap();
        file.file.set_modified(SystemTime::now() - Duration::from_secs(7200)).unwrap();
        RotatingFile::open(&settings).unwrap().write_all(b"after").unwrap();
        assert_eq!(read(folder.path(), "tessds.log.1").as_deref(), Some("before"));
        assert_eq!(read(folder.path(), "tessds.log").as_deref(), Some("after"));
    }
}
