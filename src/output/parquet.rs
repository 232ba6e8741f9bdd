//! `fcd-output` to a file that ends in `.parquet`: floating-car data in columns, named as SUMO names them.

use std::io;
use std::sync::Arc;

use arrow_array::builder::{Float64Builder, StringDictionaryBuilder};
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::collector::MergedStep;
use super::lane_shapes::LaneShapes;
use super::sink::{Names, RunEnd, Sink};
use super::summary::is_due;
use crate::sim::NewVehicle;
use crate::sim::report::FcdRecord;

/// Rows that are gathered before they are encoded: bounds the memory, and large enough to compress well.
const GROUP_ROWS: usize = 1 << 18;

/// Numbers are rounded as in XML, which also compresses them several times better.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// One row per vehicle and step.
pub struct ParquetFcd {
    names: Names,
    shapes: LaneShapes,
    begin_ms: i64,
    period_ms: i64,
    schema: Arc<Schema>,
    /// `None` once the file is closed.
    writer: Option<ArrowWriter<Vec<u8>>>,
    rows: Rows,
}

#[derive(Default)]
struct Rows {
    count: usize,
    time: Float64Builder,
    id: StringDictionaryBuilder<Int32Type>,
    x: Float64Builder,
    y: Float64Builder,
    angle: Float64Builder,
    vtype: StringDictionaryBuilder<Int32Type>,
    speed: Float64Builder,
    pos: Float64Builder,
    lane: StringDictionaryBuilder<Int32Type>,
    slope: Float64Builder,
}

impl ParquetFcd {
    pub fn new(names: Names, begin_ms: i64, period_ms: i64) -> Result<Self, ParquetError> {
        let text = || DataType::Dictionary(DataType::Int32.into(), DataType::Utf8.into());
        let column = |name: &str, kind| Field::new(name, kind, false);
        let schema = Arc::new(Schema::new(vec![
            column("timestep_time", DataType::Float64),
            column("vehicle_id", text()),
            column("vehicle_x", DataType::Float64),
            column("vehicle_y", DataType::Float64),
            column("vehicle_angle", DataType::Float64),
            column("vehicle_type", text()),
            column("vehicle_speed", DataType::Float64),
            column("vehicle_pos", DataType::Float64),
            column("vehicle_lane", text()),
            column("vehicle_slope", DataType::Float64),
        ]));
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
        // Dictionaries are how strings are held here; readers shall see plain strings, as in SUMO's files.
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(Vec::new(), schema.clone(), options)?;
        let shapes = LaneShapes::new(names.network.clone());
        Ok(Self { names, shapes, begin_ms, period_ms, schema, writer: Some(writer), rows: Rows::default() })
    }

    fn row(&mut self, time_ms: i64, record: &FcdRecord) {
        let vtype = self.names.vehicle_type(record.vehicle);
        let pose = self.shapes.pose(record.lane, record.pos_m, vtype.length_m);
        let rows = &mut self.rows;
        rows.count += 1;
        rows.time.append_value(time_ms as f64 / 1e3);
        rows.id.append_value(&self.names.departure(record.vehicle).name);
        rows.x.append_value(rounded(pose.x_m));
        rows.y.append_value(rounded(pose.y_m));
        rows.angle.append_value(rounded(pose.bearing_deg));
        rows.vtype.append_value(&vtype.name);
        rows.speed.append_value(rounded(record.speed_mps));
        rows.pos.append_value(rounded(record.pos_m));
        rows.lane.append_value(self.names.network.lane_name(record.lane));
        rows.slope.append_value(0.0);
    }

    /// Encodes the gathered rows as a row group and moves what is encoded to `out`.
    fn encode(&mut self, out: &mut Vec<u8>) -> Result<(), ParquetError> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let mut rows = std::mem::take(&mut self.rows);
        if rows.count > 0 {
            let columns: Vec<ArrayRef> = vec![
                Arc::new(rows.time.finish()),
                Arc::new(rows.id.finish()),
                Arc::new(rows.x.finish()),
                Arc::new(rows.y.finish()),
                Arc::new(rows.angle.finish()),
                Arc::new(rows.vtype.finish()),
                Arc::new(rows.speed.finish()),
                Arc::new(rows.pos.finish()),
                Arc::new(rows.lane.finish()),
                Arc::new(rows.slope.finish()),
            ];
            writer.write(&RecordBatch::try_new(self.schema.clone(), columns)?)?;
            writer.flush()?;
        }
        // The writer counts for itself where it is in the file, so its buffer can be emptied under it.
        out.append(writer.inner_mut());
        Ok(())
    }
}

impl Sink for ParquetFcd {
    fn admit(&mut self, new: &NewVehicle) {
        self.names.admit(new);
    }

    fn begin(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.encode(out).map_err(io::Error::other)
    }

    fn step(&mut self, step: &MergedStep, out: &mut Vec<u8>) -> io::Result<()> {
        if is_due(step.time_ms, self.begin_ms, self.period_ms) {
            for record in &step.fcd {
                self.row(step.time_ms, record);
                if self.rows.count == GROUP_ROWS {
                    self.encode(out).map_err(io::Error::other)?;
                }
            }
        }
        Ok(())
    }

    fn finish(&mut self, _: &RunEnd, out: &mut Vec<u8>) -> io::Result<()> {
        self.encode(out).map_err(io::Error::other)?;
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

    use super::*;
    use crate::ids::{LaneId, VehicleId};
    use crate::output::testing::names;
    use crate::sim::report::StepReport;

    #[test]
    fn rows_are_read_back() {
        let mut sink = ParquetFcd::new(names(), 0, 0).unwrap();
        let mut bytes = Vec::new();
        sink.begin(&mut bytes).unwrap();
        for time_ms in [0, 1000, 2000] {
            let record = |vehicle| FcdRecord { vehicle, lane: LaneId(0), pos_m: 5.123, speed_mps: 8.326 };
            let fcd = vec![record(VehicleId(1)), record(VehicleId(0))];
            let step = MergedStep::of([StepReport { time_ms, fcd, ..StepReport::default() }]);
            sink.step(&step, &mut bytes).unwrap();
        }
        sink.finish(&RunEnd::default(), &mut bytes).unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect();
        assert_eq!(rows.len(), 6);
        assert_eq!(
            rows[0],
            "{timestep_time: 0E0, vehicle_id: \"a\", vehicle_x: 5.12, vehicle_y: 0E0, vehicle_angle: 90.0, \
             vehicle_type: \"car\", vehicle_speed: 8.33, vehicle_pos: 5.12, vehicle_lane: \"west_0\", \
             vehicle_slope: 0E0}"
        );
    }
}
