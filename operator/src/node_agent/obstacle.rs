//! Why a node could not be told of a name.

use std::{io, path::PathBuf};

/// What is in the way.
#[derive(Debug, thiserror::Error)]
pub(super) enum Obstacle {
    /// Somebody else has told it.
    #[error("{} exists and is not the node agent's; remove it, and the agent takes its place", .0.display())]
    Foreign(PathBuf),
    /// Somebody else's file speaks of it.
    #[error("{} tells where {name} leads, and is not the node agent's; remove {name} from it, and the agent tells that", .file.display())]
    Spoken {
        /// The file.
        file: PathBuf,
        /// The name.
        name: String,
    },
    /// The node does not let it be written.
    #[error("{} cannot be written: {}", .0.display(), .1)]
    Unwritable(PathBuf, io::Error),
}
