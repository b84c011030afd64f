//! What a collector is told of the garbage collection, at the time that it asks.

use std::fmt;

use prometheus_client::{
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};

use crate::repository::{GarbageCollection, Totals};

/// Writes what this process knows of its own runs, and of what it has rescued from those of all processes.
pub(super) fn encode(collection: &GarbageCollection, encoder: &mut DescriptorEncoder) -> fmt::Result {
    let totals = collection.totals();
    encode_runs(&totals, encoder)?;
    encode_deletions(&totals, encoder)?;
    let counters = [
        (
            "berth_registry_garbage_collection_freed_bytes",
            "Bytes of the blobs that garbage collections of this process have deleted",
            totals.bytes_freed,
        ),
        (
            "berth_registry_garbage_collection_marked",
            "Blobs and manifests that garbage collections of this process have put into quarantine",
            totals.quarantined,
        ),
        (
            "berth_registry_garbage_collection_spared",
            "Blobs and manifests that garbage collections of this process have found needed again after their quarantine",
            totals.rescued,
        ),
        (
            "berth_registry_garbage_collection_rescued",
            "Blobs and manifests that requests to this process have taken out of quarantine",
            collection.rescues(),
        ),
    ];
    for (name, help, value) in counters {
        let counter = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        ConstCounter::new(value).encode(counter)?;
    }
    let name = "berth_registry_garbage_collection_lease";
    let help =
        "1 while this process has the right to collect garbage, which one of all replicas has at a time";
    let gauge = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    ConstGauge::new(u64::from(collection.has_lease())).encode(gauge)
}

fn encode_runs(totals: &Totals, encoder: &mut DescriptorEncoder) -> fmt::Result {
    let name = "berth_registry_garbage_collection_runs";
    let help = "Garbage collections of this process that have ended, by their result";
    let mut runs = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (result, number) in [("succeeded", totals.succeeded), ("failed", totals.failed)] {
        ConstCounter::new(number).encode(runs.encode_family(&[("result", result)])?)?;
    }
    let name = "berth_registry_garbage_collection_seconds";
    let help = "Seconds that the garbage collections of this process took, the time in quarantine included";
    let seconds = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    ConstCounter::new(totals.duration.as_secs_f64()).encode(seconds)
}

fn encode_deletions(totals: &Totals, encoder: &mut DescriptorEncoder) -> fmt::Result {
    let name = "berth_registry_garbage_collection_deleted";
    let help =
        "What garbage collections of this process have deleted; the bytes of manifests are blobs as well";
    let mut deleted = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (kind, number) in [("manifest", totals.manifests_deleted), ("blob", totals.blobs_deleted)] {
        ConstCounter::new(number).encode(deleted.encode_family(&[("kind", kind)])?)?;
    }
    Ok(())
}
