//! One blob on its way from an upstream: fetched once, and given to everybody who asks for it meanwhile.
//!
//! What has arrived lately is in memory, in a window that moves along with what the storage takes; what came before that is
//! read from the upload that the storage keeps, or, where the storage cannot do that, from a copy (`spool`). So a client may come late or be slow, and costs no more memory than
//! another. Upstream is read no faster than the storage writes, and clients stop nobody.
//!
//! The last piece is held back until the storage has found that the whole has its digest: before that, nobody has a blob.

use std::{
    collections::VecDeque,
    io,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use berth_oci::{Digest, UploadId};
use berth_storage::HELD_BACK;
use bytes::Bytes;
use tokio::sync::{Notify, watch};

use super::{Error, Result, spool::Spool};

/// How much of what upstream has sent may wait for the storage.
const AHEAD: u64 = 1 << 20;

/// How much of what the storage was given stays in memory: what it keeps to itself before others can read it.
const BEHIND: u64 = HELD_BACK;

/// A blob on its way.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) digest: Digest,
    /// The upload that it is stored by.
    pub(super) upload: UploadId,
    window: Mutex<Window>,
    /// All that the storage was given, if it cannot be read from there.
    spool: OnceLock<Spool>,
    progress: watch::Sender<Progress>,
    /// Tells the receiver that the storage has taken something.
    taken: Notify,
}

/// How far a flight is.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    pub(super) stage: Stage,
    /// How many bytes have arrived.
    pub(super) arrived: u64,
}

#[derive(Clone, Debug)]
pub(super) enum Stage {
    /// Upstream is being asked.
    Asking,
    /// Upstream has it, and sends.
    Arriving { size: u64 },
    /// It is stored, and has its digest.
    Stored { size: u64 },
    /// It will not come.
    Failed(Error),
}

/// What a follower finds at its position.
#[derive(Debug)]
pub(super) enum Look {
    /// The next bytes.
    Here(Bytes),
    /// They have left the window, whose first byte is this one.
    Behind(u64),
    /// They are yet to come.
    Ahead,
}

#[derive(Debug, Default)]
struct Window {
    /// Pieces with their positions, without a gap.
    pieces: VecDeque<(u64, Bytes)>,
    /// The position behind the last one.
    end: u64,
    /// How many bytes the storage was given.
    taken: u64,
}

impl Flight {
    pub(super) fn new(digest: Digest) -> Self {
        Self {
            digest,
            upload: UploadId::random(),
            window: Mutex::default(),
            spool: OnceLock::new(),
            progress: watch::Sender::new(Progress { stage: Stage::Asking, arrived: 0 }),
            taken: Notify::new(),
        }
    }

    /// Tells of all that happens from now on.
    pub(super) fn follow(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Says that upstream has the blob, and how long it is.
    pub(super) fn begin(&self, size: u64) {
        self.enter(Stage::Arriving { size });
    }

    /// Copies from now on what the storage is given: before that is complete, it cannot be read. What the window has to the end
    /// needs no copy.
    pub(super) async fn copy(&self, size: u64) {
        if size <= BEHIND {
            return;
        }
        match Spool::create(size).await {
            Ok(spool) => drop(self.spool.set(spool)),
            Err(error) => {
                tracing::debug!(digest = %self.digest, %error, "who comes late has to wait for all of a blob");
            }
        }
    }

    /// The copy, if there is one.
    pub(super) fn spool(&self) -> Option<&Spool> {
        self.spool.get()
    }

    /// How many bytes have arrived, while more are to come.
    pub(super) fn arrived(&self) -> Option<u64> {
        let progress = self.progress.borrow();
        matches!(progress.stage, Stage::Arriving { .. }).then_some(progress.arrived)
    }

    /// Says that the whole is stored.
    pub(super) fn land(&self, size: u64) {
        self.enter(Stage::Stored { size });
    }

    /// Says that it will not come; the first reason counts.
    pub(super) fn fail(&self, error: Error) {
        self.progress.send_if_modified(|progress| {
            let is_over = matches!(progress.stage, Stage::Stored { .. } | Stage::Failed(_));
            if !is_over {
                progress.stage = Stage::Failed(error);
            }
            !is_over
        });
        self.taken.notify_one();
    }

    fn enter(&self, stage: Stage) {
        self.progress.send_modify(|progress| progress.stage = stage);
    }

    /// Why it will not come, if that is known.
    pub(super) fn failure(&self) -> Option<Error> {
        match &self.progress.borrow().stage {
            Stage::Failed(error) => Some(error.clone()),
            _ => None,
        }
    }

    /// Gives what has arrived to all, as soon as the storage is not too far behind.
    pub(super) async fn publish(&self, piece: Bytes) -> Result<()> {
        loop {
            if let Some(error) = self.failure() {
                return Err(error);
            }
            let has_room = {
                let window = self.window();
                window.end - window.taken < AHEAD
            };
            if has_room {
                break;
            }
            self.taken.notified().await;
        }
        let arrived = self.window().push(piece);
        self.progress.send_modify(|progress| progress.arrived = arrived);
        Ok(())
    }

    /// The next bytes for the storage, which has taken all before `position`.
    pub(super) fn look_for_storage(&self, position: u64) -> Look {
        let mut window = self.window();
        window.taken = position;
        window.trim();
        self.taken.notify_one();
        window.look(position, u64::MAX)
    }

    /// The next bytes for a client at `position`: all that have arrived, but the last piece only when the whole is proven.
    pub(super) fn look(&self, position: u64) -> Look {
        let stage = self.progress.borrow().stage.clone();
        let window = self.window();
        let end = match stage {
            Stage::Stored { .. } => u64::MAX,
            Stage::Arriving { size } if window.end < size => u64::MAX,
            Stage::Arriving { .. } => window.pieces.back().map_or(0, |(at, _)| *at),
            Stage::Asking | Stage::Failed(_) => 0,
        };
        window.look(position, end)
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    /// Adds a piece, and returns how many bytes there were by now.
    fn push(&mut self, piece: Bytes) -> u64 {
        let at = self.end;
        self.end += piece.len() as u64;
        self.pieces.push_back((at, piece));
        self.end
    }

    /// Lets go of what others can read from the storage.
    fn trim(&mut self) {
        let keep_from = self.taken.saturating_sub(BEHIND);
        while self.pieces.front().is_some_and(|(at, piece)| at + piece.len() as u64 <= keep_from) {
            self.pieces.pop_front();
        }
    }

    /// What is at the position, if that lies before `end`.
    fn look(&self, position: u64, end: u64) -> Look {
        let start = self.pieces.front().map_or(self.end, |(at, _)| *at);
        if position < start {
            return Look::Behind(start);
        }
        let after = self.pieces.partition_point(|(at, _)| *at <= position);
        let piece = after.checked_sub(1).and_then(|found| self.pieces.get(found));
        match piece {
            Some((at, piece)) if position < end && position < at + piece.len() as u64 => {
                let skipped = usize::try_from(position - at).unwrap_or_default();
                Look::Here(piece.slice(skipped..))
            }
            _ => Look::Ahead,
        }
    }
}

/// A failure as the reader of a body hears of it.
pub(super) fn broken_off(error: Error) -> io::Error {
    io::Error::other(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flight(size: u64) -> Flight {
        let flight = Flight::new(Digest::sha256([0; 32]));
        flight.begin(size);
        flight
    }

    fn here(look: Look) -> Bytes {
        match look {
            Look::Here(bytes) => bytes,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn the_last_piece_is_held_back_until_the_whole_is_proven() {
        let flight = flight(6);
        flight.publish(Bytes::from_static(b"abc")).await.unwrap();
        assert_eq!(here(flight.look(1)), "bc");
        flight.publish(Bytes::from_static(b"def")).await.unwrap();
        assert_eq!(here(flight.look(0)), "abc");
        assert!(matches!(flight.look(3), Look::Ahead));
        assert_eq!(here(flight.look_for_storage(3)), "def");
        flight.land(6);
        assert_eq!(here(flight.look(4)), "ef");
    }

    #[tokio::test]
    async fn memory_has_no_more_than_a_window() {
        let (piece, size) = (Bytes::from(vec![0; 1 << 18]), 64 << 20);
        let flight = flight(size);
        let mut position = 0;
        for _ in 0..100 {
            flight.publish(piece.clone()).await.unwrap();
            position += here(flight.look_for_storage(position)).len() as u64;
        }
        let held: usize = flight.window().pieces.iter().map(|(_, piece)| piece.len()).sum();
        assert!(held as u64 <= AHEAD + BEHIND + piece.len() as u64, "{held}");
        assert!(matches!(flight.look(0), Look::Behind(start) if start > 0));
    }

    #[tokio::test]
    async fn upstream_waits_for_the_storage() {
        let flight = flight(64 << 20);
        flight.publish(Bytes::from(vec![0; 1 << 20])).await.unwrap();
        let mut next = std::pin::pin!(flight.publish(Bytes::from_static(b"x")));
        assert!(futures::poll!(&mut next).is_pending());
        flight.look_for_storage(1 << 20);
        next.await.unwrap();
    }

    #[tokio::test]
    async fn the_first_failure_counts_and_ends_the_flight() {
        let flight = flight(10);
        flight.publish(Bytes::from_static(b"0123456789")).await.unwrap();
        flight.fail(Error::Offline);
        flight.fail(Error::NotFound);
        assert!(matches!(flight.look(0), Look::Ahead), "nothing is given out of it any more");
        assert!(matches!(flight.publish(Bytes::new()).await, Err(Error::Offline)));
    }
}
