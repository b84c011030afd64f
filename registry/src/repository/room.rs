//! The low-disk guard: pushes are refused before the storage is full, so that there is room to delete, to collect
//! garbage and to serve.
//!
//! The storage is asked each time, so that the guard lets go as soon as there is room again. One without a bound of its
//! own is never full.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use berth_storage::ByteStream;
use futures::{StreamExt as _, TryStreamExt as _};

use super::state::State;
use super::{Error, Result};

/// After so many bytes of a body, the storage is asked again.
const LOOK_EVERY: usize = 16 * 1024 * 1024;

/// What [`Reserve::Automatic`] keeps back at most: 1 GiB.
const MOST_BY_ITSELF: u64 = 1 << 30;

/// How much of the storage is kept free of pushes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reserve {
    /// 5 % of the disk, and at most 1 GiB.
    #[default]
    Automatic,
    /// So many bytes; none switches the guard off.
    Bytes(u64),
    /// So many hundredths of the disk.
    Percent(u8),
}

impl Reserve {
    /// The bytes that are kept free on a disk of `size` bytes.
    fn of(self, size: u64) -> u64 {
        let percent = |percent: u8| size / 100 * u64::from(percent);
        match self {
            Self::Automatic => percent(5).min(MOST_BY_ITSELF),
            Self::Bytes(bytes) => bytes,
            Self::Percent(hundredths) => percent(hundredths),
        }
    }
}

/// The room in a storage that has a bound, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// What may still be written.
    pub free: u64,
    /// What the disk has as a whole.
    pub size: u64,
    /// What is kept free of pushes.
    pub reserve: u64,
}

impl Room {
    /// Whether pushes are refused.
    pub fn is_low(&self) -> bool {
        self.free < self.reserve
    }
}

/// Whether the room was low when it was last looked at, for the log alone.
#[derive(Debug, Default)]
pub(super) struct Guard(AtomicBool);

impl Guard {
    /// Tells the log when the room begins or ceases to be low.
    fn note(&self, room: &Room) {
        let (is_low, free, reserve) = (room.is_low(), room.free, room.reserve);
        match (self.0.swap(is_low, Ordering::Relaxed), is_low) {
            (false, true) => tracing::warn!(free, reserve, "the storage is nearly full: pushes are refused"),
            (true, false) => tracing::info!(free, reserve, "the storage has room again: pushes are taken in"),
            _ => {}
        }
    }
}

impl State {
    /// The room in the storage; `None` when it has no bound.
    pub(super) async fn room(&self, reserve: Reserve) -> Result<Option<Room>> {
        let Some(space) = self.store.space().await? else { return Ok(None) };
        let room = Room { free: space.free, size: space.size, reserve: reserve.of(space.size) };
        self.guard.note(&room);
        Ok(Some(room))
    }

    /// Refuses a push while the room is low. A storage that cannot tell is not thought to be full.
    pub(super) async fn require_room(&self, reserve: Reserve) -> Result<()> {
        if reserve == Reserve::Bytes(0) {
            return Ok(());
        }
        match self.room(reserve).await {
            Ok(Some(room)) if room.is_low() => {
                Err(Error::LowSpace { free: room.free, reserve: room.reserve })
            }
            Ok(_) => Ok(()),
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "the room is unknown");
                Ok(())
            }
        }
    }
}

/// The same body, which breaks off when the room becomes low.
pub(super) fn guarded(state: &Arc<State>, reserve: Reserve, body: ByteStream) -> ByteStream {
    let (state, mut since_look) = (Arc::clone(state), LOOK_EVERY);
    let passed = body.and_then(move |chunk| {
        since_look += chunk.len();
        let is_due = since_look >= LOOK_EVERY && !chunk.is_empty();
        if is_due {
            since_look = 0;
        }
        let state = Arc::clone(&state);
        async move {
            if is_due {
                state.require_room(reserve).await.map_err(io::Error::other)?;
            }
            Ok(chunk)
        }
    });
    passed.boxed()
}

/// What broke a body off, if that was the guard.
pub(super) fn refusal(interrupted: &io::Error) -> Option<Error> {
    match interrupted.get_ref()?.downcast_ref()? {
        Error::LowSpace { free, reserve } => Some(Error::LowSpace { free: *free, reserve: *reserve }),
        _ => None,
    }
}

/// A length in bytes as people read it.
pub(super) struct Readable(pub(super) u64);

impl fmt::Display for Readable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1_u64 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        match units.iter().find(|(unit, _)| self.0 >= *unit) {
            Some((unit, name)) => write!(f, "{}.{} {name}", self.0 / unit, self.0 % unit * 10 / unit),
            None => write!(f, "{} bytes", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn without_a_wish_a_twentieth_is_kept_free_and_at_most_a_gibibyte() {
        assert_eq!(Reserve::Automatic.of(4_000_000), 200_000);
        assert_eq!(Reserve::Automatic.of(1000 * GIB), GIB);
        assert_eq!(Reserve::Percent(10).of(1000 * GIB), 100 * GIB);
        assert_eq!(Reserve::Bytes(7).of(GIB), 7);
    }

    #[test]
    fn the_room_is_low_below_the_reserve() {
        let room = |free| Room { free, size: 100, reserve: 5 };
        assert!(room(4).is_low() && !room(5).is_low());
        assert!(!Room { free: 0, size: 100, reserve: 0 }.is_low(), "without a reserve nothing is low");
    }

    #[test]
    fn lengths_are_readable() {
        let read = [0, 1023, 1536, 5 * GIB / 2].map(|bytes| Readable(bytes).to_string());
        assert_eq!(read, ["0 bytes", "1023 bytes", "1.5 KiB", "2.5 GiB"]);
    }
}
