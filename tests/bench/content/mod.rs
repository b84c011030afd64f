//! What is served, written to the disk as registries keep it: pushing twenty thousand images would take longer than all that is
//! measured.

mod image;
mod library;
mod sizes;
mod tree;

pub(crate) use image::{Blob, Image, MANIFEST};
pub(crate) use library::{Library, REPOSITORY, TAG, base};
pub(crate) use sizes::{Size, Sizes, human};
pub(crate) use tree::Tree;
