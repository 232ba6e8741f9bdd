//! How a region is given: as a selection of edges, a box, or a polygon.

use std::fmt;
use std::io::BufRead;
use std::path::{Path, PathBuf};

use crate::diagnostics::{InputError, Location, Warnings};
use crate::graph::sumo::NetworkIndex;
use crate::graph::{Area, EdgeKind, Network};
use crate::ids::EdgeId;
use crate::scenario::Source;
use crate::xml::shorten;

/// Longest line of a selection.
const MAX_LINE: usize = 1 << 16;

/// What the user says about a region.
#[derive(Clone, Debug, PartialEq)]
pub enum RegionSource {
    /// An edge selection as SUMO's tools write it: a line `edge:ID` for each edge.
    Selection(PathBuf),
    /// The edges whose middle is in an area.
    Area(Area),
}

impl RegionSource {
    /// Takes a file name, a box `x0,y0,x1,y1`, or a polygon `x,y x,y x,y …`; whatever begins with a number is one of the latter.
    ///
    /// # Errors
    /// Says what is wrong with the numbers.
    pub fn parse(text: &str) -> Result<Self, String> {
        let first = text.split([',', ' ']).next().unwrap_or_default();
        if !text.contains(',') || first.parse::<f64>().is_err() {
            return Ok(Self::Selection(text.into()));
        }
        if text.split_whitespace().count() == 1 { Self::from_box(text) } else { Self::polygon(text) }
    }

    /// A box `x0,y0,x1,y1` in metres of network coordinates.
    ///
    /// # Errors
    /// Says what is wrong with the numbers.
    pub fn from_box(text: &str) -> Result<Self, String> {
        match numbers(text)[..] {
            [Some(x0), Some(y0), Some(x1), Some(y1)] if x0 != x1 && y0 != y1 => {
                Ok(Self::Area(Area::Box { from: [x0, y0], to: [x1, y1] }))
            }
            _ => Err(format!("'{}' is no box; write x0,y0,x1,y1 with two opposite corners in metres", shorten(text))),
        }
    }

    /// A polygon `x,y x,y x,y …` in metres of network coordinates.
    ///
    /// # Errors
    /// Says what is wrong with the numbers.
    pub fn polygon(text: &str) -> Result<Self, String> {
        let corner = |word| match numbers(word)[..] {
            [Some(x), Some(y)] => Some([x, y]),
            _ => None,
        };
        let corners: Option<Vec<[f64; 2]>> = text.split_whitespace().map(corner).collect();
        let corners = corners.filter(|corners| corners.len() >= 3);
        let wrong =
            || format!("'{}' is no polygon; write x,y x,y x,y … with at least three corners in metres", shorten(text));
        Ok(Self::Area(Area::Polygon(corners.ok_or_else(wrong)?)))
    }

    /// The edges of the region, by id.
    ///
    /// # Errors
    /// The file cannot be read or names an edge that is not in the network, or there is no edge.
    pub fn edges(
        &self,
        network: &Network,
        index: &NetworkIndex,
        warnings: &mut Warnings,
    ) -> Result<Vec<EdgeId>, InputError> {
        let edges = match self {
            Self::Selection(path) => selection(path, network, index, warnings)?,
            Self::Area(area) => area.edges(network),
        };
        if edges.is_empty() {
            let [x0, y0, x1, y1] = network.location.boundary;
            let message = format!("no edge is in the region; the network reaches from {x0},{y0} to {x1},{y1}");
            return Err(InputError::file(self.to_string(), message));
        }
        Ok(edges)
    }
}

impl fmt::Display for RegionSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Selection(path) => path.display().fmt(f),
            Self::Area(_) => f.write_str("region"),
        }
    }
}

fn numbers(text: &str) -> Vec<Option<f64>> {
    text.split(',').map(|word| word.trim().parse().ok().filter(|number: &f64| number.is_finite())).collect()
}

fn selection(
    path: &Path,
    network: &Network,
    index: &NetworkIndex,
    warnings: &mut Warnings,
) -> Result<Vec<EdgeId>, InputError> {
    let file = path.display().to_string();
    let at = |line| Location::line(file.as_str(), line);
    let mut edges = Vec::new();
    let mut reader = Source::open(path)?;
    for line in 1.. {
        let Some(text) = read_line(&mut reader, MAX_LINE).map_err(|what| InputError::new(at(line), what))? else {
            break;
        };
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        match text.split_once(':') {
            Some(("edge", name)) => {
                let unknown = || format!("edge '{}' is not in the network", shorten(name));
                let edge = index.edge(name).ok_or_else(|| InputError::new(at(line), unknown()))?;
                if network.edge(edge).kind == EdgeKind::Normal {
                    edges.push(edge);
                }
            }
            Some((kind @ ("lane" | "junction" | "connection" | "crossing" | "poi" | "poly" | "tls"), _)) => {
                warnings.add(format!("'{kind}:' in a selection"), at(line), "only edges make up a region");
            }
            _ => {
                let message = format!("'{}' is not understood; write 'edge:ID'", shorten(text));
                return Err(InputError::new(at(line), message));
            }
        }
    }
    edges.sort_unstable();
    edges.dedup();
    Ok(edges)
}

/// The next line; `None` at the end of the file.
pub(super) fn read_line(reader: &mut impl BufRead, most: usize) -> Result<Option<String>, String> {
    use std::io::Read;
    let mut text = String::new();
    let read = reader.take(most as u64).read_line(&mut text).map_err(|error| error.to_string())?;
    if read == most && !text.ends_with('\n') {
        return Err(format!("the line is longer than {most} bytes; this is no file of this kind"));
    }
    Ok((read > 0).then_some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_a_file_a_box_or_a_polygon() {
        let parse = RegionSource::parse;
        assert_eq!(parse("city/inner.txt"), Ok(RegionSource::Selection("city/inner.txt".into())));
        assert_eq!(parse("2,old.txt").map_err(|e| e.contains("x0,y0,x1,y1")), Err(true));
        let area = Area::Box { from: [-1.0, 2.0], to: [30.5, 4.0] };
        assert_eq!(parse("-1,2,30.5,4"), Ok(RegionSource::Area(area)));
        let area = Area::Polygon(vec![[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]]);
        assert_eq!(parse("0,0 9,0  0,9"), Ok(RegionSource::Area(area)));
        for bad in ["1,2,3", "1,2,1,4", "1,2,3,nan", "0,0 1,1", "0,0 1,1 x,2"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
