//! Where the garbage collections of all processes meet: `docker/registry/v2/_berth/garbage-collection/…`. An addition
//! of ours.

use berth_oci::Digest;
use berth_storage::Key;

fn folder() -> Key {
    super::root().join("_berth").join("garbage-collection")
}

/// Who collects at the moment.
pub(in crate::repository) fn lease() -> Key {
    folder().join("lease")
}

/// What became of the last run, or becomes of the one that goes on.
pub(in crate::repository) fn report() -> Key {
    folder().join("report")
}

/// What is being deleted at the moment.
pub(in crate::repository) fn announcement() -> Key {
    folder().join("deleting")
}

/// Which list of what rests in quarantine is in force.
pub(in crate::repository) fn current_list() -> Key {
    folder().join("quarantine")
}

/// The lists of what rests in quarantine, by their ids.
pub(in crate::repository) fn lists() -> Key {
    folder().join("lists")
}

/// A list and everything about it.
pub(in crate::repository) fn list(id: &str) -> Key {
    lists().join(id)
}

/// A part of a list.
pub(in crate::repository) fn list_part(id: &str, number: u32) -> Key {
    list(id).join("parts").join(format!("{number:06}"))
}

/// The marks on what was rescued from a list.
pub(in crate::repository) fn rescued(id: &str) -> Key {
    list(id).join("rescued")
}

/// The mark that says that `digest` was rescued.
pub(in crate::repository) fn rescue_mark(id: &str, digest: &Digest) -> Key {
    rescued(id).join(digest.algorithm()).join(digest.hex())
}

/// The digest of which `key` is the [`rescue_mark`].
pub(in crate::repository) fn digest_of_rescue_mark(key: &Key, id: &str) -> Option<Digest> {
    let (algorithm, hex) = key.strip_prefix(&rescued(id))?.split_once('/')?;
    format!("{algorithm}:{hex}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_read_back_from_rescue_marks() {
        let digest = Digest::sha256([7; 32]);
        let mark = rescue_mark("a", &digest);
        assert_eq!(digest_of_rescue_mark(&mark, "a"), Some(digest));
        assert_eq!(digest_of_rescue_mark(&mark, "b"), None);
        assert_eq!(digest_of_rescue_mark(&list_part("a", 0), "a"), None);
    }
}
