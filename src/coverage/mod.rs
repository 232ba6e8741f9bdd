//! What TessDS makes of each element and attribute that SUMO's files can hold, so that nothing is dropped in silence: it is used,
//! it has no effect on road traffic, or it is named in a warning. The tables hold the names of SUMO 1.28's XML schemas
//! (`data/xsd`), and those that SUMO takes without having them there.

mod additional;
mod demand;
mod net;

use crate::attributes::Attributes;
use crate::diagnostics::{Location, Warnings};
use crate::suggest::did_you_mean;
use crate::xml::{Element, shorten};

/// Names by what becomes of them.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// Read, with the effect that they have in SUMO, or with a warning of the reader's own where that is less.
    pub used: &'static [&'static str],
    /// Looks, notes, emissions and the like; what earlier runs measured; what only elements refer to that are left out.
    pub idle: &'static [&'static str],
    /// Would change traffic or outputs in SUMO: a warning says that it does not here.
    pub warned: &'static [&'static str],
}

impl Names {
    pub const NONE: Self = Self { used: &[], idle: &[], warned: &[] };

    pub fn find(&self, name: &str) -> Option<Effect> {
        let effects = [(self.used, Effect::Used), (self.idle, Effect::Idle), (self.warned, Effect::Warned)];
        effects.into_iter().find(|(names, _)| names.contains(&name)).map(|(_, effect)| effect)
    }

    fn all(&self) -> impl Iterator<Item = &'static str> {
        self.used.iter().chain(self.idle).chain(self.warned).copied()
    }
}

/// What becomes of an element or attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Used,
    Idle,
    Warned,
}

/// An element that is read.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub element: &'static str,
    pub attributes: Names,
    pub children: Names,
}

/// Every element that is read, in one table by kind of file; elements of the same name are the same in all files.
const TABLES: [&[Row]; 3] = [demand::ROWS, additional::ROWS, net::ROWS];

/// What is known of an element that is read; `None`: it is not.
pub fn row(element: &str) -> Option<&'static Row> {
    TABLES.iter().copied().flatten().find(|row| row.element == element)
}

/// Warns of the attributes of an element that have no effect although they have one in SUMO, and of those that SUMO does not
/// know either.
pub fn check_attributes(attributes: Attributes<'_>, warnings: &mut Warnings) {
    let element = attributes.element();
    let Some(row) = row(&element.name) else { return };
    for (key, value) in element.attributes() {
        match row.attributes.find(key) {
            Some(Effect::Used | Effect::Idle) => {}
            // Switched off.
            Some(Effect::Warned) if matches!(value, "" | "false" | "none") => {}
            Some(Effect::Warned) => {
                let kind = format!("attribute '{key}' of {} is not supported", element.name);
                warnings.add(kind, attributes.at(), "the attribute has no effect");
            }
            // Namespaces, and where the schema is.
            None if key.contains(':') || key == "xmlns" => {}
            None => {
                let kind = format!("attribute '{}' of {} is not known", shorten(key), element.name);
                warnings.add(kind, attributes.at(), unknown(key, row.attributes.all()));
            }
        }
    }
}

/// Warns of an element that its reader leaves out, unless it has no effect in SUMO. `parent` names the element around it.
pub fn check_left_out(element: &Element, parent: &str, at: Location, warnings: &mut Warnings) {
    let Some(row) = row(parent) else { return };
    let name = shorten(&element.name);
    let place = if matches!(parent, "routes" | "additional" | "net") { String::new() } else { format!(" in {parent}") };
    match row.children.find(&element.name) {
        Some(Effect::Used | Effect::Idle) => {}
        Some(Effect::Warned) => {
            let kind = format!("element '{name}'{place} is not supported");
            warnings.add(kind, at, "it is left out; the road traffic runs without it");
        }
        None => {
            let kind = format!("element '{name}'{place} is not known");
            warnings.add(kind, at, unknown(&element.name, row.children.all()));
        }
    }
}

/// What is said of a name that is not known: a similar one, if there is one.
fn unknown(name: &str, known: impl Iterator<Item = &'static str>) -> String {
    format!("it is ignored{}", did_you_mean(name, known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_stands_twice_in_a_row() {
        for row in TABLES.iter().copied().flatten() {
            for names in [row.attributes, row.children] {
                let mut all: Vec<_> = names.all().collect();
                let count = all.len();
                all.sort_unstable();
                all.dedup();
                assert_eq!(all.len(), count, "{}", row.element);
            }
        }
        let mut elements: Vec<_> = TABLES.iter().copied().flatten().map(|row| row.element).collect();
        let count = elements.len();
        elements.sort_unstable();
        elements.dedup();
        assert_eq!(elements.len(), count);
    }

    #[test]
    fn a_misspelt_name_is_answered_with_the_right_one() {
        let known = ["departLane", "departPos", "arrivalPos"];
        assert_eq!(unknown("deprtPos", known.into_iter()), "it is ignored; did you mean 'departPos'?");
        assert_eq!(unknown("xyz", known.into_iter()), "it is ignored");
    }
}
