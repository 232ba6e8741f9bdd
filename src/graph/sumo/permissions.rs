//! `allow`, `disallow`, `changeLeft`, `changeRight`: lists of vehicle classes.

use std::io::BufRead;

use crate::diagnostics::{InputError, Warnings};
use crate::graph::Permissions;
use crate::graph::VehicleClass;
use crate::xml::{Element, XmlReader, shorten};

/// The classes that may use a lane: `allow` names them; otherwise all but those in `disallow`.
pub(super) fn lane_permissions<R: BufRead>(
    xml: &XmlReader<R>,
    element: &Element,
    warnings: &mut Warnings,
) -> Result<Permissions, InputError> {
    if let Some(list) = element.get("allow").filter(|list| !list.trim().is_empty()) {
        return class_list(xml, element, "allow", list, warnings);
    }
    match element.get("disallow") {
        Some(list) => {
            let refused = class_list(xml, element, "disallow", list, warnings)?;
            Ok(Permissions(!refused.0))
        }
        None => Ok(Permissions::ALL),
    }
}

/// The classes of `changeLeft` or `changeRight`; all when the attribute is absent.
pub(super) fn change_permissions<R: BufRead>(
    xml: &XmlReader<R>,
    element: &Element,
    key: &str,
    warnings: &mut Warnings,
) -> Result<Permissions, InputError> {
    match element.get(key) {
        Some(list) => class_list(xml, element, key, list, warnings),
        None => Ok(Permissions::ALL),
    }
}

fn class_list<R: BufRead>(
    xml: &XmlReader<R>,
    element: &Element,
    key: &str,
    list: &str,
    warnings: &mut Warnings,
) -> Result<Permissions, InputError> {
    let mut set = 0;
    for name in list.split_ascii_whitespace() {
        set |= match name {
            "all" => Permissions::ALL.0,
            "none" => Permissions::NONE.0,
            _ => match VehicleClass::parse(name) {
                Some(class) => class.bit(),
                None => deprecated_class(xml, element, key, name, warnings)?,
            },
        };
    }
    Ok(Permissions(set))
}

fn deprecated_class<R: BufRead>(
    xml: &XmlReader<R>,
    element: &Element,
    key: &str,
    name: &str,
    warnings: &mut Warnings,
) -> Result<u64, InputError> {
    let Some(class) = VehicleClass::parse_deprecated(name) else {
        return Err(xml.error(element, format!("{key} names an unknown vehicle class '{}'", shorten(name))));
    };
    let instead = match class {
        Some(class) => format!("read as '{}'", class.name()),
        None => "left out".to_owned(),
    };
    warnings.add(format!("vehicle class '{name}' is deprecated"), xml.at(element), instead);
    Ok(class.map_or(0, VehicleClass::bit))
}
