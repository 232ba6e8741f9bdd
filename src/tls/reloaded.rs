//! Something made of files, made again when these change.

use std::fmt::{Debug, Formatter};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::TlsError;

/// How often who serves connections looks after files, when nobody calls.
pub const LOOK: Duration = Duration::from_secs(10);
/// It is made again this often also when no file changed, so that what has become wrong with it by the clock is said.
const AT_LEAST_EVERY: Duration = Duration::from_secs(24 * 3600);

type Make<T> = Box<dyn Fn() -> Result<T, TlsError> + Send + Sync>;

/// The newest good value of files. Files that cannot be used leave the one before in place, with a line in the log.
pub struct Reloaded<T> {
    files: Vec<PathBuf>,
    make: Make<T>,
    /// Never held over a wait.
    state: Mutex<State<T>>,
}

struct State<T> {
    /// What the files were like when they were read last, with success or not.
    seen: Vec<Option<Stamp>>,
    read: Instant,
    present: T,
}

/// Changes whenever a file is written, replaced, or reached by another link.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    changed: (i64, i64),
}

impl From<Metadata> for Stamp {
    fn from(data: Metadata) -> Self {
        let changed = (data.ctime(), data.ctime_nsec());
        Self { device: data.dev(), inode: data.ino(), bytes: data.len(), changed }
    }
}

impl<T: Clone> Reloaded<T> {
    /// # Errors
    /// `make` cannot use the files.
    pub fn new(
        files: Vec<PathBuf>,
        make: impl Fn() -> Result<T, TlsError> + Send + Sync + 'static,
    ) -> Result<Self, TlsError> {
        // Before they are read: what is written meanwhile is seen next time.
        let seen = stamps(&files);
        let state = State { seen, read: Instant::now(), present: make()? };
        Ok(Self { files, make: Box::new(make), state: Mutex::new(state) })
    }

    /// The newest good value. Looks at the files, which takes some microseconds while they are the same.
    pub fn present(&self) -> T {
        // A panic of another thread leaves a value that is still good.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = stamps(&self.files);
        if seen != state.seen || state.read.elapsed() >= AT_LEAST_EVERY {
            let is_new = seen != state.seen;
            (state.seen, state.read) = (seen, Instant::now());
            match (self.make)() {
                Ok(value) => {
                    state.present = value;
                    if is_new {
                        tracing::info!(what = self.name(), "certificates reloaded; new connections use them");
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "certificates cannot be reloaded; the previous ones remain in use")
                }
            }
        }
        state.present.clone()
    }

    fn name(&self) -> String {
        self.files.first().map(|file| file.display().to_string()).unwrap_or_default()
    }
}

impl<T> Debug for Reloaded<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reloaded").field("files", &self.files).finish_non_exhaustive()
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Option<Stamp>> {
    files.iter().map(|file| std::fs::metadata(file).ok().map(Stamp::from)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(file: &std::path::Path) -> Reloaded<String> {
        let path = file.to_owned();
        let make = move || match std::fs::read_to_string(&path) {
            Ok(text) if text != "bad" => Ok(text),
            _ => Err(TlsError::Empty { path: "it".to_owned() }),
        };
        Reloaded::new(vec![file.to_owned()], make).expect("a good file")
    }

    #[test]
    fn a_file_that_changes_is_read_again_and_a_bad_one_leaves_the_value_before() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("it");
        std::fs::write(&file, "first").expect("room");
        let value = reading(&file);
        assert_eq!(value.present(), "first");
        // Longer, for the clock of a file system may stand still for some milliseconds.
        std::fs::write(&file, "second one").expect("room");
        assert_eq!(value.present(), "second one");
        std::fs::write(&file, "bad").expect("room");
        assert_eq!(value.present(), "second one");
        std::fs::remove_file(&file).expect("a file");
        assert_eq!(value.present(), "second one");
        std::fs::write(&file, "third").expect("room");
        assert_eq!(value.present(), "third");
    }

    /// Secrets are mounted in Kubernetes as links to a folder whose name changes.
    #[test]
    fn a_link_that_leads_to_another_file_is_followed() {
        let folder = tempfile::tempdir().expect("a folder");
        let (link, next) = (folder.path().join("data"), folder.path().join("next"));
        for name in ["a", "b"] {
            std::fs::create_dir(folder.path().join(name)).expect("room");
            std::fs::write(folder.path().join(name).join("it"), name).expect("room");
        }
        std::os::unix::fs::symlink("a", &link).expect("a link");
        let value = reading(&link.join("it"));
        assert_eq!(value.present(), "a");
        std::os::unix::fs::symlink("b", &next).expect("a link");
        std::fs::rename(&next, &link).expect("a link");
        assert_eq!(value.present(), "b");
    }
}
