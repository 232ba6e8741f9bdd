//! A picture of a cut: roads in the colours of their partitions, and dots where traffic passes from one into another.

use std::fmt::Write;

use super::drawing::{Sheet, colour};
use super::report::{PartitionLine, PartitionReport};
use crate::graph::partition::Cut;
use crate::graph::{EdgeKind, Network};

/// The longer side of the drawing, the margin around it, and the width of the legend, in units of the picture.
const SIZE: f64 = 1400.0;
const MARGIN: f64 = 30.0;
const LEGEND: f64 = 370.0;
/// More partitions than this are not all named.
const NAMED: usize = 32;
const ROW: f64 = 26.0;
const BACKGROUND: &str = "#0d1117";
const INK: &str = "#e6edf3";

/// The picture as SVG.
pub fn svg(network: &Network, cut: &Cut, report: &PartitionReport) -> String {
    let sheet = Sheet::of(network, SIZE, MARGIN);
    let rows = report.partitions.len().min(NAMED) as f64 + 5.0;
    let (width, height) = (sheet.width + LEGEND, sheet.height.max(rows * ROW + 2.0 * MARGIN));
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"system-ui,\
         sans-serif\" font-size=\"15\" fill=\"{INK}\">\n<rect width=\"100%\" height=\"100%\" fill=\"{BACKGROUND}\"/>\n"
    );
    roads(network, cut, &sheet, &mut out);
    crossings(network, cut, &sheet, &mut out);
    legend(report, sheet.width, &mut out);
    out += "</svg>\n";
    out
}

/// One path per partition and width, in tenths of units.
fn roads(network: &Network, cut: &Cut, sheet: &Sheet, out: &mut String) {
    // Roads should be seen as such, however small the scale.
    let wide = sheet.units(3.2).clamp(0.8, 8.0) * 10.0;
    *out += "<g transform=\"scale(.1)\" fill=\"none\" stroke-linecap=\"round\" stroke-linejoin=\"round\">\n";
    for part in 0..cut.parts as usize {
        let mut paths: [String; 4] = Default::default();
        for (edge, _) in network.edges.iter().zip(&cut.part_of_edge).filter(|(_, p)| usize::from(**p) == part) {
            if edge.kind != EdgeKind::Normal {
                continue;
            }
            let path = &mut paths[(edge.lane_count as usize).clamp(1, 4) - 1];
            let line = sheet.line(network, edge);
            let Some([x, y]) = line.first() else { continue };
            let _ = write!(path, "M{x} {y}");
            for pair in line.windows(2) {
                let _ = write!(path, "l{} {}", pair[1][0] - pair[0][0], pair[1][1] - pair[0][1]);
            }
        }
        let _ = writeln!(out, "<g stroke=\"{}\"><title>partition {part}</title>", colour(part));
        for (lanes, path) in (1..).zip(&paths).filter(|(_, path)| !path.is_empty()) {
            let _ = writeln!(out, "<path stroke-width=\"{:.0}\" d=\"{path}\"/>", wide * f64::from(lanes).sqrt());
        }
        *out += "</g>\n";
    }
    *out += "</g>\n";
}

/// Dots at the start of roads onto which a link leads from another partition.
fn crossings(network: &Network, cut: &Cut, sheet: &Sheet, out: &mut String) {
    let mut is_crossed = vec![false; network.edges.len()];
    let road = |lane: crate::ids::LaneId| network.lane(lane).edge;
    for link in network.links.iter().filter(|link| link.is_entry(network)) {
        let [from, to] = [link.from, link.to].map(road);
        is_crossed[to.index()] |= cut.part_of_edge[from.index()] != cut.part_of_edge[to.index()];
    }
    let _ = writeln!(out, "<g transform=\"scale(.1)\" fill=\"{INK}\" stroke=\"{BACKGROUND}\" stroke-width=\"9\">");
    for (edge, _) in network.edges.iter().zip(&is_crossed).filter(|(_, crossed)| **crossed) {
        if let Some([x, y]) = sheet.line(network, edge).first() {
            let _ = writeln!(out, "<circle cx=\"{x}\" cy=\"{y}\" r=\"24\"/>");
        }
    }
    *out += "</g>\n";
}

fn legend(report: &PartitionReport, left: f64, out: &mut String) {
    let PartitionReport { partitions, cut_edges, edges, cut_share, balance } = report;
    let mut top = MARGIN + ROW;
    let mut row = |text: &str, style: &str| {
        let _ = writeln!(out, "<text x=\"{left:.0}\" y=\"{top:.0}\"{style}>{text}</text>");
        top += ROW;
        top
    };
    row(&format!("{} partitions", partitions.len()), " font-size=\"20\" font-weight=\"600\"");
    row(&format!("{cut_edges} of {edges} edges cut, {:.1} % of the traffic", cut_share * 100.0), "");
    row(&format!("balance {balance:.2}; dots: traffic passes into another"), "");
    row("", "");
    for line in partitions.iter().take(NAMED) {
        let PartitionLine { partition, worker, edges, vehicles, .. } = line;
        let worker = worker.as_ref().map(|worker| format!(" on {}", escaped(worker))).unwrap_or_default();
        let text = format!(
            "<tspan fill=\"{}\" font-size=\"20\">■</tspan> {partition}{worker}: {edges} edges, {vehicles:.0} vehicles",
            colour(usize::from(*partition))
        );
        row(&text, "");
    }
    if partitions.len() > NAMED {
        row(&format!("… and {} more", partitions.len() - NAMED), "");
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
