//! The folder of scenarios that clients may load from.

use std::path::{Component, Path, PathBuf};

use crate::control::command::NetChoice;

const CONFIGURATION: &str = "sumocfg";

/// Why no scenario is found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LibraryError {
    #[error("no scenario folder is configured; set control.scenarios, or start with -c FILE")]
    None,
    #[error("'{0}' is not a valid name of a file or folder")]
    BadName(String),
    #[error("no .sumocfg file at {tried}")]
    Missing { tried: String },
    #[error("several .sumocfg files in {folder}: {found}; select one with 'file'")]
    Several { folder: String, found: String },
}

/// Scenarios below one folder. Nothing outside it can be reached.
#[derive(Clone, Debug, Default)]
pub struct Library {
    root: Option<PathBuf>,
}

impl Library {
    pub fn new(root: Option<PathBuf>) -> Self {
        Self { root }
    }

    /// The configuration file of a choice: `file`, or the most exact one of `projId/netKey/time/*.sumocfg`,
    /// `projId/netKey/*.sumocfg`, `projId/netKey.sumocfg`, `netKey/*.sumocfg`, `netKey.sumocfg` and `projId/*.sumocfg`.
    ///
    /// # Errors
    /// There is none, or there are several.
    pub fn find(&self, choice: &NetChoice) -> Result<PathBuf, LibraryError> {
        let root = self.root.as_deref().ok_or(LibraryError::None)?;
        if let Some(file) = &choice.file {
            let path = root.join(inner(file)?);
            return if path.is_file() { Ok(path) } else { Err(missing(&[path])) };
        }
        let [project, net, time] =
            [&choice.project, &choice.net, &choice.time].map(|name| name.as_deref().map(inner).transpose());
        let (project, net, time) = (project?, net?, time?);
        let mut tried = Vec::new();
        let mut places: Vec<PathBuf> = Vec::new();
        if let Some(net) = &net {
            for base in project.iter().map(|project| root.join(project)).chain([root.to_owned()]) {
                places.extend(time.iter().map(|time| base.join(net).join(time)));
                places.push(base.join(net));
            }
        } else {
            places.extend(project.iter().map(|project| root.join(project)));
        }
        for place in places {
            let file = PathBuf::from(format!("{}.{CONFIGURATION}", place.display()));
            if let Some(found) = only_configuration(&place)? {
                return Ok(found);
            }
            if file.is_file() {
                return Ok(file);
            }
            tried.push(place);
        }
        Err(missing(&tried))
    }
}

fn missing(tried: &[PathBuf]) -> LibraryError {
    let tried: Vec<String> = tried.iter().map(|path| path.display().to_string()).collect();
    LibraryError::Missing { tried: tried.join(", ") }
}

/// A relative path that stays inside.
fn inner(name: &str) -> Result<&Path, LibraryError> {
    let path = Path::new(name);
    let stays = path.components().all(|part| matches!(part, Component::Normal(_)));
    if stays && !name.is_empty() { Ok(path) } else { Err(LibraryError::BadName(name.to_owned())) }
}

fn only_configuration(folder: &Path) -> Result<Option<PathBuf>, LibraryError> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(None) };
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    let mut found: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|e| e == CONFIGURATION)).collect();
    found.sort();
    match &found[..] {
        [] => Ok(None),
        [one] => Ok(Some(one.clone())),
        several => {
            let names =
                several.iter().filter_map(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned());
            let (folder, found) = (folder.display().to_string(), names.collect::<Vec<_>>().join(", "));
            Err(LibraryError::Several { folder, found })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(project: &str, net: &str, time: &str) -> NetChoice {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        NetChoice { project: given(project), net: given(net), time: given(time), file: None }
    }

    #[test]
    fn the_most_exact_scenario_is_found_and_nothing_outside() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("scenarios");
        for path in [
            "297/sz/1683289777182/a.sumocfg",
            "297/sz/b.sumocfg",
            "bj/c.sumocfg",
            "gz.sumocfg",
            "two/x.sumocfg",
            "two/y.sumocfg",
        ] {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("room");
            std::fs::write(path, "").expect("room");
        }
        std::fs::write(folder.path().join("secret.sumocfg"), "").expect("room");
        let library = Library::new(Some(root.clone()));
        let found =
            |choice| library.find(&choice).map(|path| path.strip_prefix(&root).expect("inside").display().to_string());
        assert_eq!(found(choice("297", "sz", "1683289777182")), Ok("297/sz/1683289777182/a.sumocfg".to_owned()));
        assert_eq!(found(choice("297", "sz", "7")), Ok("297/sz/b.sumocfg".to_owned()));
        assert_eq!(found(choice("1", "bj", "")), Ok("bj/c.sumocfg".to_owned()));
        assert_eq!(found(choice("", "gz", "")), Ok("gz.sumocfg".to_owned()));
        assert!(matches!(found(choice("", "two", "")), Err(LibraryError::Several { .. })));
        assert!(matches!(found(choice("", "nowhere", "")), Err(LibraryError::Missing { .. })));
        for bad in ["../secret.sumocfg", "/etc/passwd", "297/../../secret.sumocfg", "."] {
            let choice = NetChoice { file: Some(bad.to_owned()), ..NetChoice::default() };
            assert_eq!(library.find(&choice), Err(LibraryError::BadName(bad.to_owned())));
        }
        assert_eq!(Library::default().find(&choice("", "gz", "")), Err(LibraryError::None));
    }
}
