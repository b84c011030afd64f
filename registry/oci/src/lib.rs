//! The words of the OCI distribution and image specifications as types.
//!
//! Text is parsed once, at the edge; what carries one of these types is well formed. Every type has `FromStr`
//! as its one checked way in and `Display` as its one way out, and serde goes through both. There is no IO
//! here: where bytes are kept and how they travel is left to the storage and to the server.

mod byte_range;
mod content_range;
mod descriptor;
mod digest;
mod error_body;
mod error_code;
mod manifest;
mod media_type;
mod platform;
mod reference;
mod repository_name;
mod repository_pattern;
mod tag;
mod upload_id;

pub use byte_range::{ByteRange, InvalidByteRange};
pub use content_range::{ContentRange, InvalidContentRange};
pub use descriptor::Descriptor;
pub use digest::{Algorithm, Digest, InvalidDigest};
pub use error_body::{ErrorBody, ErrorDetail};
pub use error_code::ErrorCode;
pub use manifest::{InvalidManifest, Manifest, mentioned_digests};
pub use media_type::{InvalidMediaType, MediaType};
pub use platform::Platform;
pub use reference::{InvalidReference, Reference};
pub use repository_name::{InvalidRepositoryName, RepositoryName};
pub use repository_pattern::{InvalidPattern, RepositoryPattern};
pub use tag::{InvalidTag, Tag};
pub use upload_id::{InvalidUploadId, UploadId};
