//! Copies images from one registry or storage to another: only what is missing, several at once, and again where it
//! ended when it was interrupted.
//!
//! An image is whole at every time. Its blobs come first, then its manifests by their digests, the images of an index
//! before the index; then what refers to them, such as signatures; and its tag at the very end. So what is there by its
//! digest needs no second look, and whoever is interrupted may simply begin again.

mod attempts;
mod blobs;
mod copy;
mod error;
mod place;
mod progress;
mod referrers;
mod resuming;
mod tags;
mod trees;

pub use copy::{Copy, Wanted};
pub use error::{Error, Result};
pub use place::Place;
pub use progress::{Failure, Progress, Report};
