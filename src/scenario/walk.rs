//! Walks through the top-level elements of route and additional files, following `<include href="…"/>`.

use std::path::{Path, PathBuf};

use super::Source;
use crate::coverage;
use crate::diagnostics::{InputError, Location};
use crate::xml::{Element, Node, XmlReader};

/// Includes inside of includes.
const MAX_DEPTH: usize = 16;
/// Files in all; files that include each other twice grow exponentially.
const MAX_FILES: usize = 10_000;

/// What a visitor is handed: the file and the element whose start tag came last; it must read on to the end tag.
pub(super) type Visitor<'v> = dyn FnMut(&mut XmlReader<Source>, &Element) -> Result<(), InputError> + 'v;

#[derive(Default)]
struct Walk {
    /// Files that are open now, outermost first, in canonical form.
    open: Vec<PathBuf>,
    files: usize,
}

/// Calls `visit` for each child of the root of the file, and of files that it includes, in order. Any root will do but those
/// of a network or a configuration, which are a mistake. A root that is itself an element of such files, like the `tlLogic` of a file
/// with a single program, is visited, as in SUMO.
pub(super) fn walk(path: &Path, visit: &mut Visitor<'_>) -> Result<(), InputError> {
    Walk::default().file(path, None, visit)
}

impl Walk {
    fn file(&mut self, path: &Path, from: Option<Location>, visit: &mut Visitor<'_>) -> Result<(), InputError> {
        // An error about an included file names the place of the include.
        let source = Source::open(path).map_err(|error| match &from {
            Some(at) => InputError::new(at.clone(), error.to_string()),
            None => error,
        })?;
        let canonical = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let refuse = |message: String| {
            let at = from.clone().unwrap_or(Location::file(path.display().to_string()));
            Err(InputError::new(at, message))
        };
        if self.open.contains(&canonical) {
            return refuse(format!("'{}' includes itself", path.display()));
        }
        if self.open.len() >= MAX_DEPTH {
            return refuse(format!("includes are nested deeper than {MAX_DEPTH}"));
        }
        self.files += 1;
        if self.files > MAX_FILES {
            return refuse(format!("more than {MAX_FILES} files are included"));
        }
        self.open.push(canonical);
        self.children(path, XmlReader::new(path.display().to_string(), source), visit)?;
        self.open.pop();
        Ok(())
    }

    fn children(
        &mut self,
        path: &Path,
        mut reader: XmlReader<Source>,
        visit: &mut Visitor<'_>,
    ) -> Result<(), InputError> {
        let Some(Node::Start(root)) = reader.next()? else { return Ok(()) };
        if matches!(root.name.as_str(), "net" | "configuration" | "sumoConfiguration") {
            let message = "routes or additional elements are expected here, this is a network or a configuration";
            return Err(reader.error(&root, message));
        }
        if is_content(&root.name) {
            self.element(path, &mut reader, &root, visit)?;
        }
        while let Some(node) = reader.next()? {
            let Node::Start(element) = node else { continue };
            // Roots within another root change nothing.
            if !is_container(&element.name) {
                self.element(path, &mut reader, &element, visit)?;
            }
        }
        Ok(())
    }

    fn element(
        &mut self,
        path: &Path,
        reader: &mut XmlReader<Source>,
        element: &Element,
        visit: &mut Visitor<'_>,
    ) -> Result<(), InputError> {
        if element.name != "include" {
            return visit(reader, element);
        }
        let href = element.get("href").ok_or_else(|| reader.error(element, "attribute 'href' is missing"))?;
        let target = path.parent().unwrap_or(Path::new("")).join(href);
        reader.skip()?;
        self.file(&target, Some(reader.at(element)), visit)
    }
}

/// Elements that only hold others.
fn is_container(name: &str) -> bool {
    matches!(name, "routes" | "additional" | "tazs")
}

/// Whether an element is known as a member of route or additional files.
fn is_content(name: &str) -> bool {
    let is_known = || coverage::row("additional").is_some_and(|row| row.children.find(name).is_some());
    name == "include" || (!is_container(name) && is_known())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of the visited elements of `a.xml`, or the error with the directory cut away.
    fn visited(files: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        for (name, text) in files {
            std::fs::write(directory.path().join(name), text).expect("writing");
        }
        let mut seen = Vec::new();
        walk(&directory.path().join("a.xml"), &mut |reader, element| {
            seen.push(element.name.clone());
            reader.skip()
        })
        .map_err(|error| error.to_string().replace(&format!("{}/", directory.path().display()), ""))?;
        Ok(seen)
    }

    #[test]
    fn included_files_are_read_in_place() {
        let files =
            [("a.xml", "<add><x/><include href=\"b.xml\"/><y><inner/></y></add>"), ("b.xml", "<routes><z/></routes>")];
        assert_eq!(visited(&files).expect("good files"), ["x", "z", "y"]);
    }

    #[test]
    fn cyclic_and_missing_includes_are_errors_at_the_include() {
        let cycle =
            [("a.xml", "<add>\n<include href=\"b.xml\"/></add>"), ("b.xml", "<add><include href=\"a.xml\"/></add>")];
        assert_eq!(visited(&cycle).expect_err("a cycle"), "b.xml:1: include: 'a.xml' includes itself");
        let missing = [("a.xml", "<add>\n<include href=\"b.xml\"/></add>")];
        assert_eq!(visited(&missing).expect_err("missing"), "a.xml:2: include: b.xml: file not found");
        assert!(visited(&[("a.xml", "<add><include/></add>")]).expect_err("href").contains("'href' is missing"));
    }

    #[test]
    fn files_that_include_others_twice_do_not_run_forever() {
        let names: Vec<String> = (0..16).map(|i| format!("{}.xml", (b'a' + i) as char)).collect();
        let texts: Vec<String> = (0..16)
            .map(|i| match names.get(i + 1) {
                Some(next) => format!("<add>{}</add>", format!("<include href=\"{next}\"/>").repeat(3)),
                None => "<add/>".to_owned(),
            })
            .collect();
        let files: Vec<(&str, &str)> = names.iter().map(String::as_str).zip(texts.iter().map(String::as_str)).collect();
        assert!(visited(&files).expect_err("3^16 files").contains("more than 10000 files"));
    }

    #[test]
    fn a_root_that_is_an_element_itself_is_visited() {
        assert_eq!(visited(&[("a.xml", "<tlLogic><phase/></tlLogic>")]).expect("a program"), ["tlLogic"]);
        assert_eq!(visited(&[("a.xml", "<vehicle/>")]).expect("a vehicle"), ["vehicle"]);
        let included = [("a.xml", "<include href=\"b.xml\"/>"), ("b.xml", "<routes><vType/></routes>")];
        assert_eq!(visited(&included).expect("an include"), ["vType"]);
    }

    #[test]
    fn a_network_in_the_place_of_routes_is_an_error() {
        assert!(visited(&[("a.xml", "<net/>")]).expect_err("a net").contains("this is a network"));
    }
}
