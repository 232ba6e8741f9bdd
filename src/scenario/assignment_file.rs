//! Files that say which edges belong to which partition: as text in the manner of SUMO's edge selections, or as JSON.
//!
//! ```text
//! # the harbour, computed by worker-1 if it is there
//! [partition 0 on worker-1]
//! edge:harbour_in
//! edge:harbour_out
//!
//! [partition 1]
//! edge:main_street
//! ```
//! `[worker NAME]` instead makes a partition that is named after its worker; such sections are numbered in their order.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::diagnostics::{InputError, Location};
use crate::graph::partition::Cut;
use crate::graph::sumo::NetworkIndex;
use crate::graph::{Assignment, EdgeKind, Network};
use crate::xml::shorten;

/// Partitions are numbered with 16 bits.
const MAX_PARTITIONS: usize = u16::MAX as usize;

/// What stands in a file, before it is checked against a network. Lines are one-based; 0 where the line is not known.
struct Sections<'t> {
    sections: Vec<Section<'t>>,
}

struct Section<'t> {
    line: u64,
    /// `None`: numbered by its place.
    number: Option<u64>,
    worker: Option<Cow<'t, str>>,
    edges: Vec<(u64, Cow<'t, str>)>,
}

/// Reads an assignment. `file` is named in messages; if it ends in `.json` the text is JSON.
///
/// # Errors
/// Says the line: an edge that is not in the network or given twice, a section that is malformed, empty or there twice, or
/// numbers with a gap.
pub fn read_assignment(
    file: &str,
    text: &str,
    network: &Network,
    index: &NetworkIndex,
) -> Result<Assignment, InputError> {
    let is_json = std::path::Path::new(file).extension().is_some_and(|extension| extension == "json");
    let sections = if is_json { read_json(file, text)? } else { read_text(file, text)? };
    sections.resolve(file, network, index)
}

fn error(file: &str, line: u64, message: impl Into<String>) -> InputError {
    InputError::new(Location::line(file, line), message)
}

const SECTION_FORMS: &str = "a section is '[partition NUMBER]', '[partition NUMBER on WORKER]' or '[worker NAME]'";

fn read_text<'t>(file: &str, text: &'t str) -> Result<Sections<'t>, InputError> {
    let mut sections: Vec<Section<'t>> = Vec::new();
    for (line, content) in (1..).zip(text.lines()) {
        // Ids may hold a '#', so comments have lines of their own.
        let content = content.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        if let Some(header) = content.strip_prefix('[') {
            let bad = || error(file, line, format!("'{}' is no section; {SECTION_FORMS}", shorten(content)));
            let words: Vec<&str> = header.strip_suffix(']').ok_or_else(bad)?.split_whitespace().collect();
            let (number, worker) = match words[..] {
                ["partition", number] => (Some(number.parse().map_err(|_| bad())?), None),
                ["partition", number, "on", worker] => (Some(number.parse().map_err(|_| bad())?), Some(worker)),
                ["worker", worker] => (None, Some(worker)),
                _ => return Err(bad()),
            };
            sections.push(Section { line, number, worker: worker.map(Cow::Borrowed), edges: Vec::new() });
        } else if let Some(edge) = content.strip_prefix("edge:") {
            let Some(section) = sections.last_mut() else {
                return Err(error(file, line, format!("the edge stands before the first section; {SECTION_FORMS}")));
            };
            section.edges.push((line, Cow::Borrowed(edge.trim())));
        } else {
            let message = format!("'{}' is not understood; write 'edge:ID', or '#' before a comment", shorten(content));
            return Err(error(file, line, message));
        }
    }
    Ok(Sections { sections })
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonFile<'t> {
    #[serde(borrow)]
    partitions: Vec<JsonPartition<'t>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonPartition<'t> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    number: Option<u64>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    worker: Option<JsonName<'t>>,
    #[serde(borrow)]
    edges: Vec<JsonName<'t>>,
}

/// Borrowed from the text where it holds no escapes, so that its line can be told.
#[derive(Serialize, Deserialize)]
struct JsonName<'t>(#[serde(borrow)] Cow<'t, str>);

fn read_json<'t>(file: &str, text: &'t str) -> Result<Sections<'t>, InputError> {
    let JsonFile { partitions } = serde_json::from_str(text).map_err(|wrong| {
        let form = r#"the form is {"partitions": [{"number": 0, "worker": "NAME", "edges": ["ID", …]}, …]}"#;
        error(file, wrong.line() as u64, format!("{wrong}; {form}"))
    })?;
    let mut lines = Lines { text, at: 0, line: 1 };
    let sections = partitions.into_iter().map(|JsonPartition { number, worker, edges }| {
        let edges: Vec<_> = edges.into_iter().map(|name| (lines.of(&name.0), name.0)).collect();
        let line = edges.first().map_or(lines.line, |(line, _)| *line);
        Section { line, number, worker: worker.map(|name| name.0), edges }
    });
    Ok(Sections { sections: sections.collect() })
}

/// Counts lines up to names, which come in the order of the text.
struct Lines<'t> {
    text: &'t str,
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line of a name; that of the one before when it is not known.
    #[allow(clippy::ptr_arg, reason = "where a borrowed name lies tells its line; an owned one lies elsewhere")]
    fn of(&mut self, name: &Cow<'_, str>) -> u64 {
        if let Cow::Borrowed(name) = name {
            let at = (name.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
            if let Some(between) = self.text.as_bytes().get(self.at..at) {
                self.line += between.iter().filter(|byte| **byte == b'\n').count() as u64;
                self.at = at;
            }
        }
        self.line
    }
}

impl Sections<'_> {
    fn resolve(self, file: &str, network: &Network, index: &NetworkIndex) -> Result<Assignment, InputError> {
        let Self { sections } = self;
        if sections.is_empty() {
            return Err(error(file, 0, format!("the file assigns nothing; {SECTION_FORMS}")));
        }
        let numbers = numbers(file, &sections)?;
        let mut assignment = Assignment {
            parts: sections.len() as u32,
            part_of_edge: vec![None; network.edges.len()],
            workers: vec![None; sections.len()],
        };
        let mut lines: BTreeMap<usize, u64> = BTreeMap::new();
        for (Section { line, worker, edges, .. }, part) in sections.into_iter().zip(numbers) {
            if edges.is_empty() {
                let message = "the section has no edges; give it one, or take it out";
                return Err(error(file, line, message));
            }
            assignment.workers[usize::from(part)] = worker.map(|name| name.as_ref().into());
            for (line, name) in edges {
                let unknown = || error(file, line, format!("edge '{}' is not in the network", shorten(&name)));
                let edge = index.edge(&name).ok_or_else(unknown)?;
                if network.edge(edge).kind != EdgeKind::Normal {
                    let message = format!("edge '{name}' is inside a junction and goes with the roads that lead there");
                    return Err(error(file, line, format!("{message}; take it out")));
                }
                if let Some(before) = lines.insert(edge.index(), line) {
                    let message = format!("edge '{name}' is given twice, first in line {before}; take one out");
                    return Err(error(file, line, message));
                }
                assignment.part_of_edge[edge.index()] = Some(part);
            }
        }
        if assignment.workers.iter().all(Option::is_none) {
            assignment.workers.clear();
        }
        Ok(assignment)
    }
}

/// The partitions of the sections: each number from 0 on exactly once.
fn numbers(file: &str, sections: &[Section<'_>]) -> Result<Vec<u16>, InputError> {
    if sections.len() > MAX_PARTITIONS {
        return Err(error(file, 0, format!("{} sections are too many; {MAX_PARTITIONS} can be", sections.len())));
    }
    let mut line_of: BTreeMap<u64, u64> = BTreeMap::new();
    let mut numbers = Vec::with_capacity(sections.len());
    for (place, section) in sections.iter().enumerate() {
        if section.number.is_some() != sections[0].number.is_some() {
            let message = "sections with a number and sections without one do not go together; number all or none";
            return Err(error(file, section.line, message));
        }
        let number = section.number.unwrap_or(place as u64);
        if let Some(before) = line_of.insert(number, section.line) {
            let message = format!("partition {number} is there twice, first in line {before}; join the two");
            return Err(error(file, section.line, message));
        }
        numbers.push(number);
    }
    for (expected, (number, line)) in (0..).zip(&line_of) {
        if *number != expected {
            let message = format!(
                "partition {number} is there, but {expected} is not; number the {} partitions from 0 to {}",
                sections.len(),
                sections.len() - 1
            );
            return Err(error(file, *line, message));
        }
    }
    Ok(numbers.into_iter().map(|number| number as u16).collect())
}

/// The edges of a cut by partition, each in the order of the network.
fn edges_by_part<'n>(network: &'n Network, cut: &Cut) -> Vec<Vec<&'n str>> {
    let mut parts: Vec<Vec<&str>> = vec![Vec::new(); cut.parts as usize];
    for (edge, part) in network.edges.iter().zip(&cut.part_of_edge).filter(|(edge, _)| edge.kind == EdgeKind::Normal) {
        parts[usize::from(*part)].push(&edge.name);
    }
    parts
}

fn worker_of(cut: &Cut, part: usize) -> Option<&str> {
    cut.workers.get(part)?.as_deref()
}

/// A cut as an assignment of all edges that can be edited and given back: JSON if `file` ends in `.json`, else text.
pub fn write_assignment(file: &str, network: &Network, cut: &Cut) -> String {
    let parts = edges_by_part(network, cut).into_iter().enumerate();
    if std::path::Path::new(file).extension().is_some_and(|extension| extension == "json") {
        let name = |name| JsonName(Cow::Borrowed(name));
        let partitions = parts.map(|(part, edges)| JsonPartition {
            number: Some(part as u64),
            worker: worker_of(cut, part).map(name),
            edges: edges.into_iter().map(name).collect(),
        });
        let json = serde_json::to_string_pretty(&JsonFile { partitions: partitions.collect() });
        return json.expect("strings and numbers in memory can always be written") + "\n";
    }
    let mut text = "# Which edge belongs to which partition. Edges that are left out are filled in.\n".to_owned();
    for (part, edges) in parts {
        let _ = match worker_of(cut, part) {
            Some(worker) => writeln!(text, "\n[partition {part} on {worker}]"),
            None => writeln!(text, "\n[partition {part}]"),
        };
        for edge in edges {
            text += "edge:";
            text += edge;
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics::Warnings;
    use crate::graph::partition::CutWeights;
    use crate::graph::sumo::NetworkBuilder;
    use crate::xml::XmlReader;

    fn network() -> Network {
        let edge = |name: &str, from: &str, to: &str| {
            format!(
                r#"<edge id="{name}" from="{from}" to="{to}"><lane id="{name}_0" index="0" speed="10" length="100" shape="0,0 100,0"/></edge>"#
            )
        };
        let junction = |name: &str, lanes: &str| {
            format!(r#"<junction id="{name}" type="dead_end" x="0" y="0" incLanes="{lanes}" intLanes="" shape="0,0"/>"#)
        };
        let text = format!(
            "<net version=\"1.20\">{}{}{}{}{}{}{}</net>",
            edge("a", "u", "v"),
            edge("b", "v", "w"),
            edge("c", "w", "u"),
            junction("u", "c_0"),
            junction("v", "a_0"),
            junction("w", "b_0"),
            r#"<connection from="a" to="b" fromLane="0" toLane="0" dir="s" state="M"/>"#
        );
        let mut builder = NetworkBuilder::new();
        let mut warnings = Warnings::default();
        builder.read_net(&mut XmlReader::new("n", text.as_bytes()), &mut warnings).expect("a network");
        builder.finish(&mut warnings).expect("a network")
    }

    fn read(file: &str, text: &str) -> Result<Assignment, String> {
        let network = network();
        read_assignment(file, text, &network, &NetworkIndex::new(&network)).map_err(|error| error.to_string())
    }

    #[test]
    fn text_and_json_say_the_same() {
        let text = "# by hand\n[partition 1 on w2]\nedge:a\n\n[partition 0]\n  edge:b \n";
        let json = r#"{"partitions": [{"number": 1, "worker": "w2", "edges": ["a"]}, {"number": 0, "edges": ["b"]}]}"#;
        let assignment = read("f", text).expect("good text");
        assert_eq!(assignment.part_of_edge, [Some(1), Some(0), None]);
        assert_eq!(assignment.workers, [None, Some("w2".into())]);
        assert_eq!(read("f.json", json).expect("good JSON"), assignment);
    }

    #[test]
    fn sections_named_after_workers_are_numbered_in_their_order() {
        let assignment = read("f", "[worker x]\nedge:c\n[worker y]\nedge:a").expect("good text");
        assert_eq!(assignment.part_of_edge, [Some(1), None, Some(0)]);
        assert_eq!(assignment.workers, [Some("x".into()), Some("y".into())]);
    }

    #[test]
    fn a_bad_line_is_named() {
        let check = |file: &str, text: &str, expected: &str| {
            let said = read(file, text).expect_err(text);
            assert!(said.starts_with(expected), "{said}");
        };
        check("f", "[partition 0]\nedge:a\nedge:x", "f:3: edge 'x' is not in the network");
        check("f", "[partition 0]\nedge:a\n[partition 1]\n\nedge:a", "f:5: edge 'a' is given twice, first in line 2");
        check("f", "[partition 0]\nedge:a\n[partition 2]\nedge:b", "f:3: partition 2 is there, but 1 is not");
        check("f", "[partition 1]\nedge:a", "f:1: partition 1 is there, but 0 is not");
        check("f", "[partition 0]\nedge:a\n[partition 0]\nedge:b", "f:3: partition 0 is there twice, first in line 1");
        check("f", "\n[partition none]\nedge:a", "f:2: '[partition none]' is no section");
        check("f", "[partition 0\nedge:a", "f:1: '[partition 0' is no section");
        check("f", "[part 0]\nedge:a", "f:1: '[part 0]' is no section");
        check("f", "edge:a", "f:1: the edge stands before the first section");
        check("f", "[partition 0]\nlane:a_0", "f:2: 'lane:a_0' is not understood");
        check("f", "[partition 0]\n[partition 1]\nedge:a", "f:1: the section has no edges");
        check("f", "[partition 0]\nedge:a\n[worker w]\nedge:b", "f:3: sections with a number");
        check("f", "# nothing\n", "f: the file assigns nothing");
        check("f", "", "f: the file assigns nothing");
        check("f.json", "{", "f.json:1: EOF");
        check("f.json", r#"{"partitions": []}"#, "f.json: the file assigns nothing");
        let json = "{\"partitions\": [\n{\"edges\": [\"a\",\n\"b\"]},\n{\"edges\": [\"x\"]}]}";
        check("f.json", json, "f.json:4: edge 'x' is not in the network");
        check("f.json", "{\"partitions\":\n [{\"edge\": []}]}", "f.json:2: unknown field");
        check("f.json", r#"{"partitions": [{"number": -1, "edges": ["a"]}]}"#, "f.json:1: invalid value");
    }

    #[test]
    fn a_cut_that_is_written_can_be_read_back() {
        let network = network();
        let given = read("f", "[partition 0 on w]\nedge:a\n[partition 1]\nedge:b").expect("good text");
        let cut = given.complete(&network, &CutWeights::of_network(&network)).expect("a cut");
        for file in ["f", "f.json"] {
            let back = read(file, &write_assignment(file, &network, &cut)).expect("as it was written");
            assert_eq!(back.part_of_edge.iter().map(|part| part.expect("all")).collect::<Vec<_>>(), cut.part_of_edge);
            assert_eq!(back.workers, cut.workers);
        }
    }
}
