//! Where the garbage collections of all processes meet: `docker/registry/v2/_berth/garbage-collection/…`. An addition
//! of ours.

use berth_oci::Digest;
use berth_storage::Key;

fn folder() -> Key {
    super::root().with("_berth").with("garbage-collection")
}

/// Who collects at the moment.
pub(in crate::repository) fn lease() -> Key {
    folder().with("lease")
}

/// What became of the last run, or becomes of the one that goes on.
pub(in crate::repository) fn report() -> Key {
    folder().with("report")
}

/// What is being deleted at the moment.
pub(in crate::repository) fn announcement() -> Key {
    folder().with("deleting")
}

/// Which list of what rests in quarantine is in force.
pub(in crate::repository) fn current_list() -> Key {
    folder().with("quarantine")
}

/// The lists of what rests in quarantine, by their ids.
pub(in crate::repository) fn lists() -> Key {
    folder().with("lists")
}

/// A list and everything about it.
pub(in crate::repository) fn list(id: &str) -> Key {
    lists().with(id)
}

/// A part of a list.
pub(in crate::repository) fn list_part(id: &str, number: u32) -> Key {
    list(id).with("parts").with(format!("{number:06}"))
}

/// The marks on what was rescued from a list.
pub(in crate::repository) fn rescued(id: &str) -> Key {
    list(id).with("rescued")
}

/// The mark that says that `digest` was rescued.
pub(in crate::repository) fn rescue_mark(id: &str, digest: &Digest) -> Key {
    rescued(id).with(digest.algorithm()).with(digest.hex())
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
