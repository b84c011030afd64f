//! Objects under keys.
//!
//! The trait [`ObjectStore`] states what the registry relies on, sentence by sentence; the suite in
//! `tests/conformance` checks each sentence on every implementation. What the bytes mean and where they
//! belong is left to the registry's rules: nothing here knows HTTP, OCI or hashes.

mod body;
mod clock;
mod error;
mod filesystem;
mod key;
mod memory;
mod movement;
mod names;
mod object_store;
mod presigned_url;
mod s3;

pub use body::{Body, ByteStream};
pub use clock::Clock;
pub use error::{Error, Result};
pub use filesystem::{FilePiece, FileRange, Filesystem, HELD_BACK};
pub use key::{InvalidKey, Key};
pub use memory::Memory;
pub use movement::while_it_moves;
pub use names::{Names, Wanted};
pub use object_store::{Object, ObjectMeta, ObjectStore, Permission, PutCondition, Space, Version, Witness};
pub use presigned_url::PresignedUrl;
pub use s3::{
    Copying, Encryption, Endpoint, Requests, S3, S3Settings, SMALLEST_PART, StaticCredentials, Trust, Writing,
};
