//! What a pushed manifest may lack.

use std::sync::Arc;

use berth_oci::{Descriptor, Platform};

/// Which of the contents that a pushed manifest names must be in the repository: by default, all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequiredContent {
    /// Those that an index lists.
    pub images: RequiredImages,
    /// An image may be sparse: its layers need not be there.
    pub may_lack_layers: bool,
}

/// Which images of a pushed index must be in the repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RequiredImages {
    /// All of them.
    #[default]
    All,
    /// Those for these platforms; with no platform, any index may be sparse.
    For(Arc<[Platform]>),
}

impl RequiredImages {
    /// Whether the image must be there.
    pub(super) fn includes(&self, image: &Descriptor) -> bool {
        match self {
            Self::All => true,
            Self::For(platforms) => platforms.iter().any(|platform| is_for(image, platform)),
        }
    }
}

/// Versions and variants do not count.
fn is_for(image: &Descriptor, platform: &Platform) -> bool {
    let own = image.platform.as_ref();
    own.is_some_and(|own| own.os == platform.os && own.architecture == platform.architecture)
}
