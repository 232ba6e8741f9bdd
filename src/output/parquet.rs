//! Rows of columns as Parquet.

use std::io;
use std::sync::Arc;

use arrow_array::builder::{Float64Builder, Int64Builder, StringDictionaryBuilder};
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::columns::{Slot, names};
use super::document::{Column, Kind};
use super::numbers::Numbers;
use crate::scenario::ColumnHeader;

/// Rows that are gathered before they are encoded: bounds the memory, and large enough to compress well.
const GROUP_ROWS: usize = 1 << 18;

/// Values of a column that are not encoded yet.
enum Values {
    Text(StringDictionaryBuilder<Int32Type>),
    Number(Float64Builder),
    Count(Int64Builder),
}

impl Values {
    fn append(&mut self, slot: Slot, text: &[u8], numbers: Numbers) {
        match (self, slot) {
            (Self::Text(values), Slot::Text(from, to)) => values.append_value(String::from_utf8_lossy(&text[from..to])),
            // Clock times.
            (Self::Text(values), Slot::Time(ms)) => {
                let mut written = Vec::new();
                numbers.time(&mut written, ms);
                values.append_value(String::from_utf8_lossy(&written));
            }
            // Rounded as in XML, which also compresses several times better.
            (Self::Number(values), Slot::Number(value, decimals)) => {
                let unit = 10f64.powi(i32::from(decimals));
                values.append_value((value * unit).round() / unit);
            }
            (Self::Number(values), Slot::Time(ms)) => values.append_value(ms as f64 / 1e3),
            (Self::Number(values), Slot::Count(value)) => values.append_value(value as f64),
            (Self::Count(values), Slot::Count(value)) => values.append_value(value as i64),
            (Self::Text(values), _) => values.append_null(),
            (Self::Number(values), _) => values.append_null(),
            (Self::Count(values), _) => values.append_null(),
        }
    }

    fn take(&mut self) -> ArrayRef {
        match self {
            Self::Text(values) => Arc::new(values.finish()),
            Self::Number(values) => Arc::new(values.finish()),
            Self::Count(values) => Arc::new(values.finish()),
        }
    }
}

/// Gathers rows and encodes them in groups.
pub struct Rows {
    schema: Arc<Schema>,
    numbers: Numbers,
    values: Vec<Values>,
    count: usize,
    /// `None` once the file is closed.
    writer: Option<ArrowWriter<Vec<u8>>>,
    /// The first error; told at the end.
    failed: Option<ParquetError>,
}

impl Rows {
    pub fn new(columns: &[Column], header: ColumnHeader, numbers: Numbers) -> Result<Self, ParquetError> {
        let mut values = Vec::new();
        let mut fields = Vec::new();
        for (column, name) in columns.iter().zip(names(columns, header)) {
            let text = || DataType::Dictionary(DataType::Int32.into(), DataType::Utf8.into());
            let (kind, empty) = match column.kind {
                Kind::Text => (text(), Values::Text(StringDictionaryBuilder::new())),
                Kind::Time if numbers.clock => (text(), Values::Text(StringDictionaryBuilder::new())),
                Kind::Number | Kind::Time => (DataType::Float64, Values::Number(Float64Builder::new())),
                Kind::Count => (DataType::Int64, Values::Count(Int64Builder::new())),
            };
            fields.push(Field::new(name, kind, true));
            values.push(empty);
        }
        let schema = Arc::new(Schema::new(fields));
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
        // Dictionaries are how strings are held here; readers shall see plain strings, as in SUMO's files.
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let writer = Some(ArrowWriter::try_new_with_options(Vec::new(), schema.clone(), options)?);
        Ok(Self { schema, numbers, values, count: 0, writer, failed: None })
    }

    /// Adds a row. What that makes complete is moved to `out`: the writer counts for itself where it is in the file, so its buffer
    /// can be emptied under it.
    pub fn append(&mut self, slots: &[Slot], text: &[u8], out: &mut Vec<u8>) {
        for (values, slot) in self.values.iter_mut().zip(slots) {
            values.append(*slot, text, self.numbers);
        }
        self.count += 1;
        if self.count == GROUP_ROWS
            && let Err(error) = self.encode(out)
        {
            self.failed.get_or_insert(error);
        }
    }

    /// Encodes the gathered rows as a row group.
    fn encode(&mut self, out: &mut Vec<u8>) -> Result<(), ParquetError> {
        let columns: Vec<ArrayRef> = self.values.iter_mut().map(Values::take).collect();
        if std::mem::take(&mut self.count) > 0
            && let Some(writer) = &mut self.writer
        {
            writer.write(&RecordBatch::try_new(self.schema.clone(), columns)?)?;
            writer.flush()?;
            out.append(writer.inner_mut());
        }
        Ok(())
    }

    /// # Errors
    /// Something could not be encoded.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.encode(out).map_err(io::Error::other)?;
        if let Some(error) = self.failed.take() {
            return Err(io::Error::other(error));
        }
        if let Some(writer) = self.writer.take() {
            out.append(&mut writer.into_inner().map_err(io::Error::other)?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use parquet::file::reader::{FileReader, SerializedFileReader};

    use super::super::document::{Document, Table, Tag};
    use super::*;
    use crate::scenario::{OutputFormat, OutputStyle};

    #[test]
    fn rows_are_read_back() {
        let table = Table::new("fcd-export", "fcd_file")
            .with("timestep", Kind::Time, &["time"])
            .with("vehicle", Kind::Text, &["id"])
            .with("vehicle", Kind::Number, &["x"])
            .with("vehicle", Kind::Count, &["n"]);
        let style = OutputStyle::default();
        let mut out = Document::begin(&table, OutputFormat::Parquet, &style, Numbers::new(&style, 1000)).unwrap();
        Tag::new(&mut out, 1, "timestep").time("time", 0).empty();
        Tag::new(&mut out, 1, "timestep").time("time", 1000).open();
        Tag::new(&mut out, 2, "vehicle").text("id", "a").number("x", 5.123).count("n", 3).empty();
        Tag::new(&mut out, 2, "vehicle").text("id", "b").number("x", 7.0).empty();
        out.end_tag(1, "timestep");
        out.end().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(out.bytes()).unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect();
        assert_eq!(
            rows,
            [
                "{timestep_time: 0E0, vehicle_id: null, vehicle_x: null, vehicle_n: null}",
                "{timestep_time: 1.0, vehicle_id: \"a\", vehicle_x: 5.12, vehicle_n: 3}",
                "{timestep_time: 1.0, vehicle_id: \"b\", vehicle_x: 7.0, vehicle_n: null}",
            ]
        );
    }
}
