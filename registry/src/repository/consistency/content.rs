//! Whether content hashes to its name.

use berth_oci::Digest;
use futures::TryStreamExt as _;

use super::Problem;
use crate::repository::hasher::Hasher;
use crate::repository::state::{State, found};
use crate::repository::{Result, layout};

/// What is known of some content.
pub(super) struct Verdict {
    /// How many bytes were read.
    pub(super) bytes: u64,
    /// What is wrong with them.
    pub(super) problem: Option<Problem>,
}

/// Reads the content; `None` when it is gone. Memory stays constant whatever its length.
pub(super) async fn judge(state: &State, digest: &Digest) -> Result<Option<Verdict>> {
    let Some(object) = found(state.store.get(&layout::blob(digest), None).await)? else { return Ok(None) };
    let (mut hasher, mut bytes, mut body) = (Hasher::new(digest.algorithm()), 0, object.body);
    loop {
        match body.try_next().await {
            Ok(Some(chunk)) => {
                hasher.update(&chunk);
                bytes += chunk.len() as u64;
            }
            Ok(None) => break,
            Err(error) => {
                let problem = Problem::UnreadableContent { digest: *digest, reason: error.to_string() };
                return Ok(Some(Verdict { bytes, problem: Some(problem) }));
            }
        }
    }
    let actual = hasher.finish();
    let problem = (actual != *digest).then_some(Problem::DamagedContent { digest: *digest, actual });
    Ok(Some(Verdict { bytes, problem }))
}
