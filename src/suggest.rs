//! "Did you mean": the known name that is nearest to one that is not known.

/// Names longer than this are not compared: only typing mistakes are looked for.
const MAX_CHARS: usize = 80;

/// The nearest of `known`, if it is near enough to be meant: at most a third of its characters differ (Damerau-Levenshtein,
/// as `strsim` counts them), or only case and separators do.
pub fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let plain = plain(name);
    let length = plain.chars().count();
    if length == 0 || length > MAX_CHARS {
        return None;
    }
    let mut best: Option<(usize, &str)> = None;
    for candidate in known {
        // Every character that one has more is one that differs.
        let limit =
            (candidate.len().max(length) / 3).clamp(1, 4).min(best.map_or(usize::MAX, |(distance, _)| distance - 1));
        if candidate.len().abs_diff(plain.len()) > limit + 4 {
            continue;
        }
        let distance = strsim::damerau_levenshtein(&plain, &self::plain(candidate));
        // A name of one or two characters is near to all others.
        if distance <= limit && distance < length {
            best = Some((distance, candidate));
            if distance == 0 {
                break;
            }
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// `; did you mean 'x'?` for the end of a message, or nothing.
pub fn did_you_mean<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    nearest(name, known).map_or_else(String::new, |meant| format!("; did you mean '{meant}'?"))
}

/// The file in the same folder whose name is nearest to that of `path`, for the end of a message.
pub fn did_you_mean_file(path: &std::path::Path) -> String {
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

/// Lower case, with one kind of separator.
fn plain(name: &str) -> String {
    name.trim().chars().map(|c| if matches!(c, '_' | '.' | ' ') { '-' } else { c.to_ascii_lowercase() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_meant_if_it_is_near() {
        let known = ["route-files", "net-file", "begin", "collision.action", "no-step-log", "e1", "e10"];
        let check = |name: &str, expected: Option<&str>| assert_eq!(nearest(name, known), expected, "{name}");
        check("route-file", Some("route-files"));
        check("rout-files", Some("route-files"));
        check("Net_File", Some("net-file"));
        check("begni", Some("begin"));
        check("collision-action", Some("collision.action"));
        check("no-stepp-log", Some("no-step-log"));
        check("e11", Some("e1"));
        check("entirely-different", None);
        check("q", None);
        check("", None);
        check(&"x".repeat(10_000), None);
    }

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
