//! The registry's rules: what may be pushed, what is found, what is kept and what is collected.
//!
//! Everything is said in the words of the OCI specifications; there is no HTTP and no file here. All state is
//! in the object store, so that any process can serve any request, finish any upload and collect the garbage.

mod blobs;
mod catalog;
mod consistency;
mod contents;
mod copy;
mod deletion;
mod detached;
mod digest_set;
mod documents;
mod error;
mod eviction;
mod garbage_collection;
mod hash_state;
mod hasher;
mod layer_urls;
mod layout;
mod linked_content;
mod liveness;
mod manifests;
mod mirrored;
mod page;
mod precondition;
mod quarantine;
mod read_only;
mod referrers;
mod registry;
mod required_content;
mod retention;
mod room;
mod state;
mod tag_locks;
mod tag_pattern;
mod tag_summary;
mod tags;
mod trash;
mod uploads;
mod usage;

pub use blobs::{BlobContent, BlobInfo, BlobStanding, Blobs, PresignedBlob};
pub use consistency::{CheckOptions, CheckProgress, CheckSummary, Finding, Problem, SetAside};
pub use contents::{Contents, Part, Role};
pub use error::{Error, Result};
pub use eviction::{Allowance, Evicted};
pub use garbage_collection::{
    Candidate, GarbageCollection, NotStarted, Options, Phase, Reason, Run, RunState, Totals,
};
pub(crate) use hasher::{Hasher, digest_of};
pub use layer_urls::LayerUrls;
pub use manifests::{Address, ManifestPush, Manifests, PushedManifest, Standing, StoredManifest};
pub use mirrored::{Mirrored, below};
pub use page::{Listing, Page};
pub use precondition::{Precondition, Targets};
pub use read_only::ReadOnlySwitch;
pub use referrers::{Difference, Rebuilt, Referrers};
pub use registry::{Registry, Repository, Rules};
pub use required_content::{RequiredContent, RequiredImages};
pub use retention::{InvalidRule, Keep, Outgoing, Retention, RetentionRule, VersionLimits};
pub use room::{Reserve, Room};
pub(crate) use tag_pattern::subject_digits;
pub use tag_pattern::{InvalidTagPattern, TagPattern};
pub use tag_summary::TagSummary;
pub use tags::{TagNames, Tags};
pub use trash::{Restored, Trash, Trashed};
pub use uploads::Uploads;
pub use usage::{Amount, RepositoryUsage, Usage};
