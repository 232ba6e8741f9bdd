//! Elements and attributes as rows of columns: each innermost element is a row, which repeats the attributes of those around
//! it.

use std::io;

use super::document::Column;
use super::numbers::{self, Numbers};
use crate::scenario::{ColumnHeader, OutputFormat, OutputStyle};

/// The value of a column in the present row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Slot {
    Empty,
    /// From and to in the texts of the row.
    Text(usize, usize),
    /// With its decimal places.
    Number(f64, u8),
    Count(u64),
    /// Milliseconds.
    Time(i64),
}

/// An element with content, of which not all is written.
struct Open {
    element: &'static str,
    /// A row was written within it.
    has_rows: bool,
}

enum Target {
    Csv {
        separator: Vec<u8>,
    },
    #[cfg(feature = "parquet")]
    Parquet(Box<super::parquet::Rows>),
}

/// The present row and how it is written.
pub struct Columns {
    columns: Vec<Column>,
    numbers: Numbers,
    slots: Vec<Slot>,
    text: Vec<u8>,
    open: Vec<Open>,
    target: Target,
}

impl Columns {
    /// `Err` says why this format cannot be written.
    pub fn new(
        columns: Vec<Column>,
        format: OutputFormat,
        style: &OutputStyle,
        numbers: Numbers,
    ) -> Result<Self, &'static str> {
        let target = match format {
            #[cfg(feature = "parquet")]
            OutputFormat::Parquet => {
                let rows = super::parquet::Rows::new(&columns, style.column_header, numbers);
                Target::Parquet(Box::new(rows.map_err(|_| "the columns of this output are no Parquet schema")?))
            }
            #[cfg(not(feature = "parquet"))]
            OutputFormat::Parquet => {
                return Err(
                    "this build cannot write Parquet; build with '--features parquet', or give the file a name \
                            that ends in .xml or .csv",
                );
            }
            OutputFormat::Xml | OutputFormat::Csv => {
                let separator = style.column_separator.as_deref().unwrap_or(";");
                Target::Csv { separator: separator.as_bytes().to_vec() }
            }
        };
        let slots = vec![Slot::Empty; columns.len()];
        Ok(Self { columns, numbers, slots, text: Vec::new(), open: Vec::new(), target })
    }

    /// Writes what comes before the rows.
    pub fn head(&self, header: ColumnHeader, out: &mut Vec<u8>) {
        let separator = match &self.target {
            Target::Csv { separator } => separator,
            #[cfg(feature = "parquet")]
            Target::Parquet(_) => return,
        };
        if header == ColumnHeader::None {
            return;
        }
        for (n, name) in names(&self.columns, header).iter().enumerate() {
            if n > 0 {
                out.extend_from_slice(separator);
            }
            out.extend_from_slice(name.as_bytes());
        }
        out.push(b'\n');
    }

    /// Sets an attribute of the row. `at` is where it is looked for first.
    pub fn set(&mut self, at: &mut usize, element: &str, name: &str, slot: impl FnOnce(&mut Vec<u8>) -> Slot) {
        let count = self.columns.len();
        let found = (*at..*at + count).map(|i| i % count).find(|i| {
            let column = &self.columns[*i];
            column.name == name && column.element == element
        });
        debug_assert!(found.is_some(), "attribute {name} of {element} is not in the table");
        let Some(index) = found else { return };
        self.slots[index] = slot(&mut self.text);
        *at = index + 1;
    }

    /// An element with content begins.
    pub fn open(&mut self, element: &'static str) {
        self.open.push(Open { element, has_rows: false });
    }

    /// An element ends; it is a row when there was none within it.
    pub fn close(&mut self, element: &'static str, out: &mut Vec<u8>) {
        let Some(open) = self.open.pop() else { return };
        debug_assert_eq!(open.element, element, "elements are nested");
        if !open.has_rows {
            self.row(out);
            self.open.iter_mut().for_each(|around| around.has_rows = true);
        }
        for (column, slot) in self.columns.iter().zip(&mut self.slots) {
            if column.element == element {
                *slot = Slot::Empty;
            }
        }
        if self.open.is_empty() {
            self.text.clear();
        } else {
            let end = self.slots.iter().map(|slot| if let Slot::Text(_, to) = slot { *to } else { 0 }).max();
            self.text.truncate(end.unwrap_or(0));
        }
    }

    fn row(&mut self, out: &mut Vec<u8>) {
        let Self { slots, text, numbers, target, .. } = self;
        match target {
            Target::Csv { separator } => {
                for (n, slot) in slots.iter().enumerate() {
                    if n > 0 {
                        out.extend_from_slice(separator);
                    }
                    match *slot {
                        Slot::Empty => {}
                        Slot::Text(from, to) => field(&text[from..to], separator, out),
                        Slot::Number(value, decimals) => numbers::fixed(out, value, decimals),
                        Slot::Count(value) => numbers::integer(out, value),
                        Slot::Time(ms) => numbers.time(out, ms),
                    }
                }
                out.push(b'\n');
            }
            #[cfg(feature = "parquet")]
            Target::Parquet(rows) => rows.append(slots, text, out),
        }
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// Parquet cannot be encoded.
    #[cfg_attr(
        not(feature = "parquet"),
        expect(unused_variables, clippy::ptr_arg, reason = "only Parquet holds rows back")
    )]
    pub fn finish(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        match &mut self.target {
            // A row is written when it ends.
            Target::Csv { .. } => Ok(()),
            #[cfg(feature = "parquet")]
            Target::Parquet(rows) => rows.finish(out),
        }
    }
}

/// The names of the columns. `tag` and `auto` put the element before the attribute, `full` those around it, too.
pub fn names(columns: &[Column], header: ColumnHeader) -> Vec<String> {
    let mut around: Vec<&str> = Vec::new();
    let mut names = Vec::with_capacity(columns.len());
    for column in columns {
        if around.last() != Some(&column.element) {
            around.push(column.element);
        }
        names.push(match header {
            ColumnHeader::Plain => column.name.to_owned(),
            ColumnHeader::Full => format!("{}_{}", around.join("_"), column.name),
            ColumnHeader::None | ColumnHeader::Tag | ColumnHeader::Auto => {
                format!("{}_{}", column.element, column.name)
            }
        });
    }
    names
}

/// A text between separators, in quotes where it could be taken for more than one field.
fn field(text: &[u8], separator: &[u8], out: &mut Vec<u8>) {
    let needs_quotes = memchr::memchr3(b'"', b'\n', b'\r', text).is_some()
        || (!separator.is_empty() && memchr::memmem::find(text, separator).is_some());
    if !needs_quotes {
        out.extend_from_slice(text);
        return;
    }
    out.push(b'"');
    for &byte in text {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}
