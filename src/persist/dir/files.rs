//! Files that are either absent or whole, also after a crash.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::persist::StoreError;

/// How long a call waits for another process to be done with a run. A holder needs some milliseconds, unless it is frozen.
const LOCK_WAIT: Duration = Duration::from_secs(5);
const LOCK_POLL: Duration = Duration::from_millis(2);

/// Age at which an unfinished file without an owner is rubbish.
const UNFINISHED_AGE: Duration = Duration::from_secs(60);

/// What went wrong with `path`, by what a caller can do about it.
pub fn failure(path: &Path, error: &io::Error) -> StoreError {
    let what = format!("{}: {error}", path.display());
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => StoreError::Full { what },
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => StoreError::Denied { what },
        ErrorKind::NotFound => StoreError::Missing { what },
        ErrorKind::NotADirectory | ErrorKind::IsADirectory | ErrorKind::InvalidFilename => StoreError::Config { what },
        _ => StoreError::Unavailable { what },
    }
}

/// The whole file; `None` when there is none.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failure(path, &error)),
    }
}

/// Length of the file; `None` when there is none.
pub fn length(path: &Path) -> Result<Option<u64>, StoreError> {
    match fs::metadata(path) {
        Ok(data) => Ok(Some(data.len())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failure(path, &error)),
    }
}

/// Names in a folder, sorted; none when there is no such folder.
pub fn names(folder: &Path) -> Result<Vec<String>, StoreError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failure(folder, &error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| failure(folder, &error))?;
        names.extend(entry.file_name().into_string().ok());
    }
    names.sort_unstable();
    Ok(names)
}

/// Writes a file under a name of its own in the folder `unfinished`, makes it durable, and gives it its name at once, over what
/// had that name before. The parts of the bytes are written one after the other.
pub fn write(unfinished: &Path, target: &Path, bytes: &[&[u8]]) -> Result<(), StoreError> {
    let folder = parent(target);
    let (path, mut file) = begin(unfinished)?;
    let written = bytes.iter().try_for_each(|bytes| file.write_all(bytes)).and_then(|()| file.sync_all());
    if let Err(error) = written {
        // What was written so far would only take up the room that is missing.
        let _ = fs::remove_file(&path);
        return Err(failure(target, &error));
    }
    make_folder(folder)?;
    if let Err(error) = fs::rename(&path, target) {
        let _ = fs::remove_file(&path);
        return Err(failure(target, &error));
    }
    sync_folder(folder)
}

/// Removes a file, if there is one.
pub fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failure(path, &error)),
        _ => Ok(()),
    }
}

/// A new file that is locked as long as it is being written: so its owner is known to be alive.
fn begin(folder: &Path) -> Result<(PathBuf, File), StoreError> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let path = folder.join(format!("{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)));
    let create = || File::create(&path);
    let file = match create() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            make_folder(folder)?;
            create()
        }
        other => other,
    };
    let file = file.map_err(|error| failure(&path, &error))?;
    file.try_lock().map_err(|error| failure(&path, &error.into()))?;
    Ok((path, file))
}

/// Deletes what processes that died were writing.
pub fn remove_unfinished(folder: &Path) -> Result<(), StoreError> {
    for name in names(folder)? {
        let path = folder.join(name);
        let Ok(file) = File::open(&path) else { continue };
        let age = file
            .metadata()
            .and_then(|data| data.modified())
            .ok()
            .and_then(|at| SystemTime::now().duration_since(at).ok());
        if age.is_some_and(|age| age >= UNFINISHED_AGE) && file.try_lock().is_ok() {
            remove(&path)?;
        }
    }
    Ok(())
}

/// Makes a folder and those above it, and makes that durable.
pub fn make_folder(folder: &Path) -> Result<(), StoreError> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    make_folder(parent(folder))?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(failure(folder, &error)),
        _ => sync_folder(parent(folder)),
    }
}

/// Makes new and changed names in a folder durable.
pub fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder).and_then(|file| file.sync_all()).map_err(|error| failure(folder, &error))
}

/// Holds a lock until the file is dropped, also against other processes. A frozen holder is not waited for for ever.
pub fn lock(path: &Path) -> Result<File, StoreError> {
    make_folder(parent(path))?;
    let file =
        File::options().create(true).truncate(false).write(true).open(path).map_err(|error| failure(path, &error))?;
    let since = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(failure(path, &error)),
            Err(TryLockError::WouldBlock) if since.elapsed() > LOCK_WAIT => {
                let what = format!("{}: another process has held this lock for {LOCK_WAIT:?}", path.display());
                return Err(StoreError::Unavailable { what });
            }
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_POLL),
        }
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}
