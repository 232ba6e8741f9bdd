//! What one side of the link between two partitions counts.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Registry};

use super::counters;

/// Of all links of the process.
pub struct Metrics {
    bytes: IntCounterVec,
}

impl Metrics {
    pub fn new(registry: &Registry) -> Self {
        let labels = &["partition", "neighbour", "direction"];
        let help = "Frames to (out) and from (in) a neighbouring partition.";
        Self { bytes: counters(registry, "tessds_halo_bytes_total", help, labels) }
    }

    pub fn meter(&self, part: u16, peer: u16, all_kept: IntGauge) -> LinkMeter {
        let (part, peer) = (part.to_string(), peer.to_string());
        let bytes = |direction: &str| self.bytes.with_label_values(&[&*part, &*peer, direction]);
        LinkMeter { sent: bytes("out"), received: bytes("in"), all_kept, kept: 0 }
    }
}

/// For one side of one link.
pub struct LinkMeter {
    sent: IntCounter,
    received: IntCounter,
    /// Of all links.
    all_kept: IntGauge,
    kept: i64,
}

impl LinkMeter {
    /// A frame of so many bytes was sent, for the first time or again.
    pub fn sent(&self, bytes: usize) {
        self.sent.inc_by(bytes as u64);
    }

    /// A frame of so many bytes has come.
    pub fn received(&self, bytes: usize) {
        self.received.inc_by(bytes as u64);
    }

    /// So many sent frames are kept.
    pub fn keeps(&mut self, frames: usize) {
        let frames = frames as i64;
        if frames != self.kept {
            self.all_kept.add(frames - self.kept);
            self.kept = frames;
        }
    }
}

impl Drop for LinkMeter {
    fn drop(&mut self) {
        self.all_kept.sub(self.kept);
    }
}
