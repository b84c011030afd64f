//! Archives of images: read from and written to files, for sites without a network.
//!
//! Two formats, of which one archive may hold both: the OCI image layout (image specification, image-layout.md),
//! and what `docker save` writes. An archive is read at any place, so that its entries may come in any order;
//! its content streams, so that memory does not grow with the size of a layer. What is taken in goes through the
//! same rules as a push, and what is written is what clients pull: nothing here touches the storage.

mod base;
mod body;
mod compression;
mod docker;
mod entry_name;
mod error;
mod export;
mod image_name;
mod image_set;
mod import;
mod layout;
mod places;
mod plan;
mod source;
mod spool;
mod tar_index;

pub use base::Base;
pub use error::{Error, Result};
pub use export::write;
pub use import::{Imported, import};
pub use places::ImportOptions;
pub use plan::{Format, Plan, Wanted, plan, plan_since};
pub use source::Archive;

use std::fmt;
use std::sync::Arc;

/// Is told how many bytes have passed since it was told last. Cheap to clone.
#[derive(Clone)]
pub struct Progress(Arc<dyn Fn(u64) + Send + Sync>);

impl Progress {
    /// Tells `passed`.
    pub fn new(passed: impl Fn(u64) + Send + Sync + 'static) -> Self {
        Self(Arc::new(passed))
    }

    fn passed(&self, bytes: u64) {
        (self.0)(bytes);
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
}
