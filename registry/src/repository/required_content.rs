//! What a pushed manifest may lack.

use std::sync::Arc;

use berth_oci::{Descriptor, Platform};

/// Which of the contents that a pushed manifest names must be in the repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RequiredContent {
    /// All of them.
    #[default]
    All,
    /// All but the images of an index for other platforms than these; with no platform, any index may be sparse.
    Platforms(Arc<[Platform]>),
}

impl RequiredContent {
    /// Whether the content must be there; `is_manifest` tells an image of an index from a blob.
    pub(super) fn includes(&self, content: &Descriptor, is_manifest: bool) -> bool {
        match self {
            Self::All => true,
            Self::Platforms(platforms) => {
                !is_manifest || platforms.iter().any(|platform| is_for(content, platform))
            }
        }
    }
}

/// Versions and variants do not count.
fn is_for(content: &Descriptor, platform: &Platform) -> bool {
    let own = content.platform.as_ref();
    own.is_some_and(|own| own.os == platform.os && own.architecture == platform.architecture)
}
