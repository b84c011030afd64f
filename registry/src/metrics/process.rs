//! What the system knows of this process, under the names that all Prometheus clients give it.
//!
//! Linux tells it in files below `/proc/self` (proc(5)). What cannot be read there is left out.

use std::{fmt, fs};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};

/// The kernel's unit of time in `/proc`, which is the same on every machine that this server is built for.
const TICKS_PER_SECOND: f64 = 100.0;

/// Asks the system whenever a collector comes.
#[derive(Debug)]
pub(super) struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        if let Some(seconds) = cpu_seconds() {
            let help = "Time that the process has used processors, in seconds";
            let cpu = encoder.encode_descriptor("process_cpu_seconds", help, None, MetricType::Counter)?;
            ConstCounter::new(seconds).encode(cpu)?;
        }
        for (name, help, value) in gauges() {
            if let Some(value) = value {
                let gauge = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
                ConstGauge::new(value).encode(gauge)?;
            }
        }
        Ok(())
    }
}

fn gauges() -> [(&'static str, &'static str, Option<f64>); 5] {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    [
        ("process_resident_memory_bytes", "Memory in use, in bytes", kibibytes(&status, "VmRSS:")),
        ("process_virtual_memory_bytes", "Address space in use, in bytes", kibibytes(&status, "VmSize:")),
        ("process_open_fds", "Open file descriptors", open_files()),
        ("process_max_fds", "File descriptors that may be open at once", number(&limits, "Max open files")),
        ("process_start_time_seconds", "When the process started, in seconds since 1970", start_time()),
    ]
}

/// The number behind a word at the beginning of a line.
fn number(text: &str, word: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(word)?.split_whitespace().next()?.parse().ok())
}

/// A size that is told in KiB, in bytes.
fn kibibytes(status: &str, word: &str) -> Option<f64> {
    Some(number(status, word)? * 1024.0)
}

fn open_files() -> Option<f64> {
    let open = fs::read_dir("/proc/self/fd").ok()?.count();
    // The folder itself is open while it is read.
    u32::try_from(open.saturating_sub(1)).ok().map(f64::from)
}

/// A field of `/proc/self/stat` by its number in proc(5), which counts from 1.
fn stat(field: usize) -> Option<f64> {
    let line = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program, which is the second field, may hold anything; the third comes after its parenthesis.
    line.rsplit_once(')')?.1.split_whitespace().nth(field.checked_sub(3)?)?.parse().ok()
}

fn cpu_seconds() -> Option<f64> {
    let (user, system) = (stat(14)?, stat(15)?);
    Some((user + system) / TICKS_PER_SECOND)
}

fn start_time() -> Option<f64> {
    let after_boot = stat(22)? / TICKS_PER_SECOND;
    Some(number(&fs::read_to_string("/proc/stat").ok()?, "btime")? + after_boot)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    #[test]
    fn this_process_uses_memory_and_files_within_its_limits() {
        let values: Vec<f64> = gauges().into_iter().map(|(name, _, value)| value.expect(name)).collect();
        let [resident, address_space, open, limit, _] = values[..] else { panic!("{values:?}") };
        assert!(0.0 < resident && resident < address_space);
        assert!(0.0 < open && open <= limit);
    }

    #[test]
    fn it_started_in_the_past() {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
        let start = start_time().unwrap();
        assert!(0.0 < start && start < now + 1.0, "{start} {now}");
        assert!(cpu_seconds().unwrap() >= 0.0);
    }

    #[test]
    fn numbers_are_found_behind_their_words() {
        let status = "Name:\tregistry\nVmRSS:\t    2048 kB\n";
        assert_eq!(kibibytes(status, "VmRSS:"), Some(2_097_152.0));
        assert_eq!(kibibytes(status, "VmSize:"), None);
        let limits = "Limit    Soft Limit  Hard Limit\nMax open files            1024     524288   files\n";
        assert_eq!(number(limits, "Max open files"), Some(1024.0));
    }
}
