//! `docs/ARCHITECTURE.md` names only what exists, and the other documents only files that do.

use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below a folder whose names end so.
fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What the document sets in code type, outside of code blocks.
fn terms(document: &str) -> Vec<&str> {
    let prose = document.split("```").step_by(2);
    prose.flat_map(|text| text.split('`').skip(1).step_by(2)).collect()
}

fn is_defined(sources: &str, name: &str) -> bool {
    ["struct", "enum", "trait", "type", "fn", "mod", "const"].iter().any(|kind| {
        sources
            .match_indices(&format!("{kind} {name}"))
            .any(|(at, found)| !sources[at + found.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    })
}

/// `None` when the term is fine, or is neither a path nor a name of the program.
fn fault(sources: &str, term: &str) -> Option<String> {
    let is_path = !term.contains(char::is_whitespace) && (term.contains('/') || term.ends_with(".rs"));
    if is_path {
        return (!root().join(term).exists()).then(|| format!("there is no file or folder {term}"));
    }
    let names: Vec<&str> = term.trim_end_matches("()").split("::").collect();
    let is_name = |n: &str| !n.is_empty() && n.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let is_type = names.last().is_some_and(|n| n.starts_with(|c: char| c.is_ascii_uppercase()) && n.len() > 3);
    if !names.iter().all(|n| is_name(n)) || !(is_type || names.len() > 1 || term.ends_with("()")) {
        return None;
    }
    names.iter().find(|name| !is_defined(sources, name)).map(|name| format!("nothing is called {name} ({term})"))
}

#[test]
fn everything_that_the_architecture_names_exists() {
    let document = read(&root().join("docs/ARCHITECTURE.md"));
    let mut sources = Vec::new();
    files(&root().join("src"), "rs", &mut sources);
    let all: String = sources.iter().map(|path| read(path)).collect();
    let terms = terms(&document);
    let faults: Vec<String> = terms.iter().filter_map(|term| fault(&all, term)).collect();
    assert!(faults.is_empty(), "docs/ARCHITECTURE.md:\n{}", faults.join("\n"));
    let checked = terms.iter().filter(|t| fault("", t).is_some() || t.contains('/')).count();
    assert!(checked >= 30, "only {checked} names were checked");
}

/// Files that a document names in code type, and those that it links to, as paths from here.
fn named_files<'d>(document: &'d str, folder: &Path) -> Vec<(&'d str, PathBuf)> {
    const OURS: [&str; 8] = ["src/", "tests/", "tools/", "docs/", "deploy/", "config/", "examples/", "benches/"];
    let is_ours = |term: &&str| OURS.iter().any(|ours| term.starts_with(ours)) && !term.contains(['*', ' ', '<', '{']);
    let named = terms(document).into_iter().filter(is_ours).map(|term| (term, root().join(term)));
    let prose = document.split("```").step_by(2);
    let links = prose.flat_map(|text| text.split("](").skip(1)).filter_map(|rest| rest.split([')', '#']).next());
    let links = links.filter(|link| !link.is_empty() && !link.contains(":"));
    named.chain(links.map(|link| (link, folder.join(link)))).collect()
}

#[test]
fn files_that_documents_name_exist() {
    let mut documents: Vec<PathBuf> =
        ["README.md", "SECURITY.md", "CONTRIBUTING.md"].map(|name| root().join(name)).into();
    for folder in ["docs", "deploy", "examples", "tests"] {
        files(&root().join(folder), "md", &mut documents);
    }
    let (mut checked, mut faults) = (0, Vec::new());
    for path in &documents {
        let document = read(path);
        let named = named_files(&document, path.parent().expect("a folder"));
        checked += named.len();
        let missing = named.into_iter().filter(|(_, file)| !file.exists());
        faults.extend(missing.map(|(name, _)| format!("{}: there is no {name}", path.display())));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(checked >= 150, "only {checked} names were checked");
}

#[test]
fn a_stale_name_would_be_found() {
    let sources = "pub struct Partition;\nimpl Partition { pub fn step(&self) {} }";
    for good in ["Partition", "Partition::step", "step()", "src/sim/mod.rs", "a b", "--partitions"] {
        assert_eq!(fault(sources, good), None, "{good}");
    }
    for stale in ["Partitions", "Partition::stop", "src/sim/no_such.rs", "stop()"] {
        assert!(fault(sources, stale).is_some(), "{stale}");
    }
}
