//! Which state of each file is in force, for whoever waits until a new one is.

use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc};

use berth_oci::Digest;

use super::Refresh;

/// A file, and the digest of those bytes of it that are in force.
pub type FileDigest = (PathBuf, Digest);

/// Tells of everything that follows files what is in force. It holds digests only: what is in the files may be secret.
#[derive(Clone, Default)]
pub struct InForce(Option<Arc<[Arc<dyn Refresh>]>>);

impl InForce {
    /// Tells of all of these.
    pub fn of(all: Arc<[Arc<dyn Refresh>]>) -> Self {
        Self(Some(all))
    }

    /// The digest of each file, by path.
    pub fn files(&self) -> BTreeMap<String, String> {
        let all = self.0.iter().flat_map(|all| all.iter()).flat_map(|followed| followed.digests());
        all.map(|(path, digest)| (path.display().to_string(), digest.to_string())).collect()
    }
}

impl fmt::Debug for InForce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("InForce").field(&self.files()).finish()
    }
}
