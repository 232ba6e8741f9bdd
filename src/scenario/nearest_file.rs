//! The file that was meant instead of one that is not there.

use crate::suggest::{did_you_mean, nearest};

/// The file in the same folder whose name is nearest to that of `path`, for the end of a message.
pub(super) fn did_you_mean_file(path: &std::path::Path) -> String {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(std::path::Path::new("."));
    let (Some(name), Ok(entries)) = (path.file_name().and_then(|name| name.to_str()), std::fs::read_dir(folder)) else {
        return String::new();
    };
    let mut names: Vec<String> =
        entries.flatten().take(10_000).filter_map(|entry| entry.file_name().into_string().ok()).collect();
    // The order of a folder's entries is that of the file system.
    names.sort_unstable();
    // The ending is no part of the name that somebody mistypes.
    let parts = |name: &'_ str| name.split_once('.').map(|(stem, ending)| (stem.to_owned(), ending.to_owned()));
    let Some((stem, ending)) = parts(name) else { return did_you_mean(name, names.iter().map(String::as_str)) };
    let others: Vec<(String, String)> = names.iter().filter_map(|name| parts(name)).collect();
    let alike = others.iter().filter(|(_, other)| *other == ending).map(|(stem, _)| stem.as_str());
    let meant = match nearest(&stem, alike) {
        Some(meant) => Some(format!("{meant}.{ending}")),
        None => others.iter().find(|(other, _)| *other == stem).map(|(stem, ending)| format!("{stem}.{ending}")),
    };
    meant.map_or_else(String::new, |meant| format!("; did you mean '{meant}'?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_looked_for_in_their_folder() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(folder.path().join("town.rou.xml"), "").expect("writing");
        assert_eq!(did_you_mean_file(&folder.path().join("twon.rou.xml")), "; did you mean 'town.rou.xml'?");
        assert_eq!(did_you_mean_file(&folder.path().join("town.rou.xml.gz")), "; did you mean 'town.rou.xml'?");
        assert_eq!(did_you_mean_file(&folder.path().join("nothing-like-it")), "");
        assert_eq!(did_you_mean_file(&folder.path().join("a.rou.xml")), "");
        assert_eq!(did_you_mean_file(&folder.path().join("no/such/folder.xml")), "");
    }
}
