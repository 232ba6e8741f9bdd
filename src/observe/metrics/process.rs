//! What the operating system knows of the process, read when it is asked for. On other systems than Linux only the start time is
//! shown.

use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Counter, IntGauge, Registry};

use super::gauge;

/// Ticks a second in `/proc`, whatever the kernel counts with (`man 5 proc`, `USER_HZ`).
const TICKS_PER_S: f64 = 100.0;

/// Shows the figures of this process; to be called when it begins.
pub fn register(registry: &Registry) {
    let start = gauge(registry, "process_start_time_seconds", "When the process began, since 1970.");
    start.set(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs() as i64));
    if Figures::read().is_some() {
        registry.register(Box::new(Process::new())).expect("no name is registered twice");
    }
}

#[derive(Clone, Copy, Debug)]
struct Figures {
    cpu_s: f64,
    resident_bytes: i64,
    open_files: i64,
}

impl Figures {
    fn read() -> Option<Self> {
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        // The second field is a name that may hold anything but ends with the last bracket; user and system time are the 14th
        // and 15th.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
        let mut ticks = || fields.next()?.parse::<f64>().ok();
        let cpu_s = (ticks()? + ticks()?) / TICKS_PER_S;
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: i64 = resident.trim().trim_end_matches(" kB").parse().ok()?;
        // One of them is the folder that is being read.
        let open_files = std::fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1) as i64;
        Some(Self { cpu_s, resident_bytes: kib * 1024, open_files })
    }
}

struct Process {
    cpu: Counter,
    resident: IntGauge,
    open_files: IntGauge,
}

impl Process {
    fn new() -> Self {
        let good = "names are constants, and good ones";
        Self {
            cpu: Counter::new("process_cpu_seconds_total", "CPU time of the process.").expect(good),
            resident: IntGauge::new("process_resident_memory_bytes", "Memory in use.").expect(good),
            open_files: IntGauge::new("process_open_fds", "Open files and sockets.").expect(good),
        }
    }
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        [self.cpu.desc(), self.resident.desc(), self.open_files.desc()].into_iter().flatten().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        if let Some(figures) = Figures::read() {
            // Two that ask at once may read in another order than they set.
            self.cpu.inc_by((figures.cpu_s - self.cpu.get()).max(0.0));
            self.resident.set(figures.resident_bytes);
            self.open_files.set(figures.open_files);
        }
        [self.cpu.collect(), self.resident.collect(), self.open_files.collect()].into_iter().flatten().collect()
    }
}
