//! The uploads that this process is writing to, and the memory that they share.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{Error, Key, Result};

/// So many parts may be on their way while the next ones of their uploads arrive. The other uploads wait for theirs.
const EXTRA_BUFFERS: usize = 2;

/// The uploads with a writer.
#[derive(Debug)]
pub(in super::super) struct Active {
    uploads: Mutex<BTreeSet<Key>>,
    extra_buffers: Arc<Semaphore>,
}

/// The right to write to an upload, until it is dropped.
pub(super) struct Turn<'a> {
    active: &'a Active,
    upload: &'a Key,
}

impl Default for Active {
    fn default() -> Self {
        Self { uploads: Mutex::default(), extra_buffers: Arc::new(Semaphore::new(EXTRA_BUFFERS)) }
    }
}

impl Active {
    /// Begins to write to the upload. `Busy` when somebody does already.
    pub(super) fn begin<'a>(&'a self, upload: &'a Key) -> Result<Turn<'a>> {
        if self.uploads().insert(upload.clone()) {
            Ok(Turn { active: self, upload })
        } else {
            Err(Error::Busy(upload.clone()))
        }
    }

    /// How many uploads are written to.
    pub(super) fn count(&self) -> usize {
        self.uploads().len()
    }

    /// Room for one part more than each upload has by itself, if there is any.
    pub(super) fn extra_buffer(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.extra_buffers).try_acquire_owned().ok()
    }

    fn uploads(&self) -> MutexGuard<'_, BTreeSet<Key>> {
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.active.uploads().remove(self.upload);
    }
}
