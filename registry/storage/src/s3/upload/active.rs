//! The uploads that this process is writing to.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::memory::Memory;
use crate::{Error, Key, Result};

/// The uploads with a writer.
#[derive(Debug, Default)]
pub(in super::super) struct Active {
    uploads: Mutex<BTreeSet<Key>>,
    /// What they may keep of what they receive.
    pub(super) memory: Memory,
}

/// The right to write to an upload, until it is dropped.
pub(super) struct Turn<'a> {
    active: &'a Active,
    upload: &'a Key,
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

    fn uploads(&self) -> MutexGuard<'_, BTreeSet<Key>> {
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.active.uploads().remove(self.upload);
    }
}
