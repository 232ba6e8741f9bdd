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
}
