//! The content of an output file. A sink describes its elements and attributes once; they become XML, CSV or Parquet.

use super::columns::{Columns, Slot};
use super::numbers::{self, Numbers};
use crate::graph::Network;
use crate::ids::LaneId;
use crate::scenario::{OutputFormat, OutputStyle};

const HEADER: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\n";

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Number,
    Count,
    Time,
}

/// An attribute of an element: a column in formats that have columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    pub element: &'static str,
    pub name: &'static str,
    pub kind: Kind,
}

/// What an output consists of: the root of its XML, and all attributes that may appear in it.
#[derive(Clone, Debug)]
pub struct Table {
    /// Empty where a file is no XML at all.
    pub root: &'static str,
    /// Name of the schema that SUMO gives in the root; may be empty.
    pub schema: &'static str,
    /// In the order of a row: those of an element after those of the one around it.
    pub columns: Vec<Column>,
}

impl Table {
    pub fn new(root: &'static str, schema: &'static str) -> Self {
        Self { root, schema, columns: Vec::new() }
    }

    /// An output of a form of its own, which can have no columns.
    pub fn plain() -> Self {
        Self::new("", "")
    }

    /// Adds attributes of an element.
    #[must_use]
    pub fn with(mut self, element: &'static str, kind: Kind, names: &[&'static str]) -> Self {
        self.columns.extend(names.iter().map(|name| Column { element, name, kind }));
        self
    }
}

enum Form {
    Xml { root: &'static str },
    Columns(Box<Columns>),
}

/// What is to be appended to a file, and what is needed to write on.
pub struct Document {
    bytes: Vec<u8>,
    numbers: Numbers,
    form: Form,
}

impl Document {
    /// Starts a file, with what stands at its head. `Err` says why it cannot be written.
    pub fn begin(
        table: &Table,
        format: OutputFormat,
        style: &OutputStyle,
        numbers: Numbers,
    ) -> Result<Self, &'static str> {
        let mut document = Self::resumed(table, format, style, numbers)?;
        match &mut document.form {
            Form::Xml { root: "" } => {}
            Form::Xml { root } => {
                let head = if table.schema.is_empty() {
                    format!("{HEADER}<{root}>\n")
                } else {
                    format!(
                        "{HEADER}<{root} xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
                         xsi:noNamespaceSchemaLocation=\"http://sumo.dlr.de/xsd/{}.xsd\">\n",
                        table.schema
                    )
                };
                document.bytes.extend_from_slice(head.as_bytes());
            }
            Form::Columns(columns) => columns.head(style.column_header, &mut document.bytes),
        }
        Ok(document)
    }

    /// Goes on with a file whose head is written.
    pub fn resumed(
        table: &Table,
        format: OutputFormat,
        style: &OutputStyle,
        numbers: Numbers,
    ) -> Result<Self, &'static str> {
        let form = match format {
            OutputFormat::Xml => Form::Xml { root: table.root },
            _ if table.root.is_empty() => return Err("this output has a format of its own, and no columns"),
            _ => Form::Columns(Box::new(Columns::new(table.columns.clone(), format, style, numbers)?)),
        };
        Ok(Self { bytes: Vec::new(), numbers, form })
    }

    /// Closes the file.
    ///
    /// # Errors
    /// Parquet cannot be encoded.
    pub fn end(&mut self) -> std::io::Result<()> {
        match &mut self.form {
            Form::Xml { root: "" } => Ok(()),
            Form::Xml { root } => {
                let root = *root;
                self.end_tag(0, root);
                Ok(())
            }
            Form::Columns(columns) => columns.finish(&mut self.bytes),
        }
    }

    /// What was added since the last [`clear`](Self::clear).
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// The bytes themselves, of an output of a form of its own.
    pub fn raw(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// The end of an element with content, at an indentation of `depth` levels.
    pub fn end_tag(&mut self, depth: usize, name: &'static str) {
        match &mut self.form {
            Form::Xml { .. } => {
                indent(&mut self.bytes, depth);
                self.bytes.extend_from_slice(b"</");
                self.bytes.extend_from_slice(name.as_bytes());
                self.bytes.extend_from_slice(b">\n");
            }
            Form::Columns(columns) => columns.close(name, &mut self.bytes),
        }
    }

    /// An empty line between elements, where there are lines.
    pub fn empty_line(&mut self) {
        if let Form::Xml { .. } = self.form {
            self.bytes.push(b'\n');
        }
    }
}

fn indent(out: &mut Vec<u8>, depth: usize) {
    for _ in 0..depth {
        out.extend_from_slice(b"    ");
    }
}

/// A start tag under construction.
#[must_use = "a tag is only complete after `empty` or `open`"]
pub struct Tag<'a> {
    document: &'a mut Document,
    name: &'static str,
    /// Where the next attribute is looked for among the columns.
    at: usize,
}

impl<'a> Tag<'a> {
    pub fn new(document: &'a mut Document, depth: usize, name: &'static str) -> Self {
        if let Form::Xml { .. } = document.form {
            indent(&mut document.bytes, depth);
        }
        Self::unindented(document, name)
    }

    /// As [`new`](Self::new), with no space before it.
    pub fn unindented(document: &'a mut Document, name: &'static str) -> Self {
        if let Form::Xml { .. } = document.form {
            document.bytes.push(b'<');
            document.bytes.extend_from_slice(name.as_bytes());
        }
        Self { document, name, at: 0 }
    }

    /// Writes an attribute: `write` as text, or `slot` of text and number formats as the value of a column.
    #[inline]
    fn attribute(
        mut self,
        key: &'static str,
        write: impl FnOnce(&mut Vec<u8>, Numbers),
        slot: impl FnOnce(&mut Vec<u8>, Numbers) -> Slot,
    ) -> Self {
        let Document { bytes, numbers, form } = &mut *self.document;
        match form {
            Form::Xml { .. } => {
                bytes.push(b' ');
                bytes.extend_from_slice(key.as_bytes());
                bytes.extend_from_slice(b"=\"");
                write(bytes, *numbers);
                bytes.push(b'"');
            }
            Form::Columns(columns) => columns.set(&mut self.at, self.name, key, |text| slot(text, *numbers)),
        }
        self
    }

    /// A value that is written in pieces. The second argument of `write` appends a piece, escaped where that is needed.
    fn pieces(self, key: &'static str, write: impl Fn(&mut Vec<u8>, &dyn Fn(&mut Vec<u8>, &str))) -> Self {
        self.attribute(
            key,
            |out, _| write(out, &escape),
            |text, _| {
                let start = text.len();
                write(text, &|text, piece| text.extend_from_slice(piece.as_bytes()));
                Slot::Text(start, text.len())
            },
        )
    }

    /// A text that needs escaping.
    pub fn text(self, key: &'static str, value: &str) -> Self {
        self.pieces(key, |out, piece| piece(out, value))
    }

    /// Texts with a space between.
    pub fn words<'w>(self, key: &'static str, words: impl Iterator<Item = &'w str> + Clone) -> Self {
        self.joined(key, words, b' ')
    }

    /// Texts with something between.
    pub fn joined<'w>(self, key: &'static str, words: impl Iterator<Item = &'w str> + Clone, between: u8) -> Self {
        self.pieces(key, |out, piece| {
            for (n, word) in words.clone().enumerate() {
                if n > 0 {
                    out.push(between);
                }
                piece(out, word);
            }
        })
    }

    /// Times with a space between; a negative one is not known.
    pub fn times(self, key: &'static str, times_ms: &[i64]) -> Self {
        let numbers = self.document.numbers;
        self.pieces(key, |out, _| {
            for (n, ms) in times_ms.iter().enumerate() {
                if n > 0 {
                    out.push(b' ');
                }
                if *ms < 0 {
                    out.extend_from_slice(b"-1");
                } else {
                    numbers.time(out, *ms);
                }
            }
        })
    }

    /// SUMO's lane id; empty for no lane.
    pub fn lane(self, key: &'static str, network: &Network, lane: LaneId) -> Self {
        self.pieces(key, |out, piece| {
            if lane.is_some() {
                piece(out, &network.edge_of(lane).name);
                out.push(b'_');
                numbers::integer(out, u64::from(network.lane(lane).index));
            }
        })
    }

    #[inline]
    pub fn number(self, key: &'static str, value: f64) -> Self {
        self.attribute(
            key,
            |out, numbers| numbers.number(out, value),
            |_, numbers| Slot::Number(value, numbers.decimals),
        )
    }

    /// A number with decimal places of its own.
    pub fn number_with(self, key: &'static str, value: f64, decimals: impl Fn(u8) -> u8) -> Self {
        self.attribute(
            key,
            |out, numbers| numbers::fixed(out, value, decimals(numbers.decimals)),
            |_, numbers| Slot::Number(value, decimals(numbers.decimals)),
        )
    }

    /// A number, or SUMO's -1.00 for "not known".
    pub fn known(self, key: &'static str, value: Option<f64>) -> Self {
        self.number(key, value.unwrap_or(-1.0))
    }

    /// A number, or SUMO's `None`, which is an empty field of a column.
    pub fn or_none(self, key: &'static str, value: Option<f64>) -> Self {
        match value {
            Some(value) => self.number(key, value),
            None => self.attribute(key, |out, _| out.extend_from_slice(b"None"), |_, _| Slot::Empty),
        }
    }

    #[inline]
    pub fn time(self, key: &'static str, ms: i64) -> Self {
        self.attribute(key, |out, numbers| numbers.time(out, ms), |_, _| Slot::Time(ms))
    }

    #[inline]
    pub fn count(self, key: &'static str, value: u64) -> Self {
        self.attribute(key, |out, _| numbers::integer(out, value), |_, _| Slot::Count(value))
    }

    /// Ends an element without content.
    pub fn empty(self) {
        match &mut self.document.form {
            Form::Xml { .. } => self.document.bytes.extend_from_slice(b"/>\n"),
            Form::Columns(columns) => {
                columns.open(self.name);
                columns.close(self.name, &mut self.document.bytes);
            }
        }
    }

    /// Ends the start tag of an element with content.
    pub fn open(self) {
        match &mut self.document.form {
            Form::Xml { .. } => self.document.bytes.extend_from_slice(b">\n"),
            Form::Columns(columns) => columns.open(self.name),
        }
    }
}

/// Appends `text` with the five reserved characters of XML replaced.
fn escape(out: &mut Vec<u8>, text: &str) {
    for &byte in text.as_bytes() {
        match byte {
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'"' => out.extend_from_slice(b"&quot;"),
            b'\'' => out.extend_from_slice(b"&apos;"),
            _ => out.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table::new("data", "data_file")
            .with("step", Kind::Time, &["time"])
            .with("car", Kind::Text, &["id"])
            .with("car", Kind::Number, &["speed", "gap"])
            .with("car", Kind::Count, &["n"])
    }

    /// One empty step and one with two cars.
    fn written(format: OutputFormat, style: &OutputStyle) -> String {
        let mut out = Document::begin(&table(), format, style, Numbers::new(style, 1000)).unwrap();
        Tag::new(&mut out, 1, "step").time("time", 0).empty();
        Tag::new(&mut out, 1, "step").time("time", 1000).open();
        Tag::new(&mut out, 2, "car")
            .text("id", "a;<b>")
            .number("speed", 1.5)
            .or_none("gap", None)
            .count("n", 7)
            .empty();
        Tag::new(&mut out, 2, "car").text("id", "c").number("gap", 2.0).empty();
        out.end_tag(1, "step");
        out.end().unwrap();
        String::from_utf8(out.bytes().to_vec()).unwrap()
    }

    #[test]
    fn the_same_elements_become_xml() {
        assert_eq!(
            written(OutputFormat::Xml, &OutputStyle::default()),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\n<data xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
             xsi:noNamespaceSchemaLocation=\"http://sumo.dlr.de/xsd/data_file.xsd\">\n    <step time=\"0.00\"/>\n    <step \
             time=\"1.00\">\n        <car id=\"a;&lt;b&gt;\" speed=\"1.50\" gap=\"None\" n=\"7\"/>\n        <car id=\"c\" \
             gap=\"2.00\"/>\n    </step>\n</data>\n"
        );
    }

    #[test]
    fn the_same_elements_become_csv() {
        let mut style = OutputStyle::default();
        let body = "0.00;;;;\n1.00;\"a;<b>\";1.50;;7\n1.00;c;;2.00;\n";
        let csv = |style: &OutputStyle| written(OutputFormat::Csv, style);
        assert_eq!(csv(&style), format!("step_time;car_id;car_speed;car_gap;car_n\n{body}"));
        style.column_header = crate::scenario::ColumnHeader::Plain;
        assert_eq!(csv(&style), format!("time;id;speed;gap;n\n{body}"));
        style.column_header = crate::scenario::ColumnHeader::Full;
        assert_eq!(csv(&style), format!("step_time;step_car_id;step_car_speed;step_car_gap;step_car_n\n{body}"));
        style.column_header = crate::scenario::ColumnHeader::None;
        assert_eq!(csv(&style), body);
        style.column_separator = Some(",".to_owned());
        assert_eq!(csv(&style), "0.00,,,,\n1.00,a;<b>,1.50,,7\n1.00,c,,2.00,\n");
        style.human_readable_time = true;
        style.precision = Some(3);
        assert_eq!(csv(&style), "00:00:00,,,,\n00:00:01,a;<b>,1.500,,7\n00:00:01,c,,2.000,\n");
    }

    #[cfg(not(feature = "parquet"))]
    #[test]
    fn parquet_without_the_feature_is_an_error_that_names_it() {
        let style = OutputStyle::default();
        let error = Document::begin(&table(), OutputFormat::Parquet, &style, Numbers::new(&style, 1000)).err().unwrap();
        assert!(error.contains("--features parquet"), "{error}");
    }

    #[test]
    fn reserved_characters_are_escaped() {
        let style = OutputStyle::default();
        let mut out = Document::resumed(&table(), OutputFormat::Xml, &style, Numbers::new(&style, 1000)).unwrap();
        Tag::new(&mut out, 1, "edge").text("id", "a<b>&\"c'é").count("n", 7).empty();
        assert_eq!(out.bytes(), "    <edge id=\"a&lt;b&gt;&amp;&quot;c&apos;é\" n=\"7\"/>\n".as_bytes());
    }
}
