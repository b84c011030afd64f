//! What a collector is told of the registry's state at the time that it asks: the garbage collection, the room in the
//! storage, and the version that runs.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{MetricType, gauge::ConstGauge},
};

use super::garbage_collection;
use crate::repository::{Registry, Room};

/// The registry, and the room that its storage had when it was last asked.
#[derive(Clone, Debug)]
pub(super) struct State {
    registry: Registry,
    room: Arc<Mutex<Option<Room>>>,
}

impl State {
    pub(super) fn new(registry: Registry) -> Self {
        Self { registry, room: Arc::default() }
    }

    /// Asks the storage for its room. Without an answer, nothing is told of it.
    pub(super) async fn refresh(&self) {
        let room = self.registry.room().await.unwrap_or_else(|error| {
            tracing::debug!(error = &error as &dyn std::error::Error, "the room in the storage is unknown");
            None
        });
        *self.room.lock().unwrap_or_else(PoisonError::into_inner) = room;
    }

    fn encode_room(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let Some(room) = *self.room.lock().unwrap_or_else(PoisonError::into_inner) else { return Ok(()) };
        let gauges = [
            (
                "berth_registry_storage_free_bytes",
                "Bytes that may still be written to the storage",
                room.free,
            ),
            ("berth_registry_storage_size_bytes", "Bytes that the disk of the storage has", room.size),
            (
                "berth_registry_storage_reserve_bytes",
                "Bytes of the storage that are kept free of pushes",
                room.reserve,
            ),
            (
                "berth_registry_storage_low",
                "1 while pushes are refused because the storage is nearly full",
                u64::from(room.is_low()),
            ),
        ];
        for (name, help, value) in gauges {
            let gauge = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(value).encode(gauge)?;
        }
        Ok(())
    }
}

impl Collector for State {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.encode_room(&mut encoder)?;
        garbage_collection::encode(self.registry.garbage_collection(), &mut encoder)?;
        let help = "Always 1; the label tells which version runs";
        let mut build =
            encoder.encode_descriptor("berth_registry_build_info", help, None, MetricType::Gauge)?;
        ConstGauge::new(1_i64).encode(build.encode_family(&[("version", env!("CARGO_PKG_VERSION"))])?)
    }
}
