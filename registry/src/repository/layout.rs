//! Where everything is kept: the keys of Distribution's layout, version 2, byte for byte.
//!
//! Nobody else builds a key. Our own additions have names that start with `_`, so that Distribution's walks pass over
//! them. All but the trash can be rebuilt from the rest.

pub(super) mod collection;

use berth_oci::{Algorithm, Digest, RepositoryName, Tag, UploadId};
use berth_storage::{Key, ObjectMeta, ObjectStore, Result as StorageResult};
use futures::stream::BoxStream;

/// The root of everything.
pub(super) fn root() -> Key {
    Key::default().with_path("docker/registry/v2")
}

/// The object that makes the whole registry read-only. An addition of ours.
pub(super) fn read_only_switch() -> Key {
    root().with(OWN).with("read-only")
}

/// The root of the content of all repositories, blobs and manifests alike.
pub(super) fn blobs() -> Key {
    root().with("blobs")
}

/// The bytes whose digest is `digest`.
pub(super) fn blob(digest: &Digest) -> Key {
    let hex = digest.hex();
    blobs().with(digest.algorithm()).with(&hex[..2]).with(&hex).with("data")
}

/// The digest of which `key` is the [`blob`].
pub(super) fn digest_of_blob(key: &Key) -> Option<Digest> {
    let mut parts = key.strip_prefix(&blobs())?.split('/');
    let (algorithm, _, hex, data) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let digest = (data == "data").then(|| format!("{algorithm}:{hex}"))?;
    digest.parse().ok()
}

/// All blobs.
pub(super) fn list_blobs(store: &dyn ObjectStore) -> BoxStream<'_, StorageResult<ObjectMeta>> {
    store.list_named(&blobs(), 4, "data")
}

/// The root of all repositories.
pub(super) fn repositories() -> Key {
    root().with("repositories")
}

/// The folder of a repository, which holds those of the repositories nested in it as well.
pub(super) fn repository(name: &RepositoryName) -> Key {
    repositories().with_path(name.as_str())
}

/// The folder that makes a repository exist.
pub(super) const MANIFESTS: &str = "_manifests";

/// The folder of our own additions, to the whole and to a repository; the index of referrers has another.
pub(super) const OWN: &str = "_berth";

/// The folder of the uploads in progress of a repository.
pub(super) const UPLOADS: &str = "_uploads";

/// What leads from the folder of a digest to its link.
pub(super) const LINK: &str = "link";

/// What leads from the folder of a tag to the link to what it points at.
pub(super) const CURRENT_LINK: &str = "current/link";

fn link(folder: &Key, digest: &Digest) -> Key {
    folder.join(digest.algorithm()).with(digest.hex()).with(LINK)
}

/// The digest of which `key` is the link in `folder`.
pub(super) fn digest_of_link(key: &Key, folder: &Key) -> Option<Digest> {
    let mut parts = key.strip_prefix(folder)?.split('/');
    let (algorithm, hex, link) = (parts.next()?, parts.next()?, parts.next()?);
    let digest = (link == LINK && parts.next().is_none()).then(|| format!("{algorithm}:{hex}"))?;
    digest.parse().ok()
}

/// The links in a folder of links.
pub(super) fn list_links<'a>(
    store: &'a dyn ObjectStore,
    folder: &Key,
) -> BoxStream<'a, StorageResult<ObjectMeta>> {
    store.list_named(folder, 3, LINK)
}

/// Links to the blobs that a repository has.
pub(super) fn layers(name: &RepositoryName) -> Key {
    repository(name).with("_layers")
}

/// The link that makes a blob visible in a repository.
pub(super) fn layer(name: &RepositoryName, digest: &Digest) -> Key {
    link(&layers(name), digest)
}

/// What is known of the manifests of a repository.
pub(super) fn manifests(name: &RepositoryName) -> Key {
    repository(name).with(MANIFESTS)
}

/// Links to the manifests that a repository has.
pub(super) fn revisions(name: &RepositoryName) -> Key {
    manifests(name).with("revisions")
}

/// The link that makes a manifest visible in a repository.
pub(super) fn revision(name: &RepositoryName, digest: &Digest) -> Key {
    link(&revisions(name), digest)
}

/// The tags of a repository.
pub(super) fn tags(name: &RepositoryName) -> Key {
    manifests(name).with("tags")
}

/// Everything about a tag.
pub(super) fn tag(name: &RepositoryName, tag: &Tag) -> Key {
    tags(name).with(tag)
}

/// The link to what a tag points at.
pub(super) fn tag_current(name: &RepositoryName, tag: &Tag) -> Key {
    self::tag(name, tag).with_path(CURRENT_LINK)
}

/// Links to everything that a tag ever pointed at.
pub(super) fn tag_history(name: &RepositoryName, tag: &Tag) -> Key {
    self::tag(name, tag).with("index")
}

/// The link that remembers that a tag pointed at `digest`.
pub(super) fn tag_history_entry(name: &RepositoryName, tag: &Tag, digest: &Digest) -> Key {
    link(&tag_history(name, tag), digest)
}

/// The tag and the digest of which `key` is the [`tag_history_entry`].
pub(super) fn parts_of_tag_history(key: &Key, name: &RepositoryName) -> Option<(Tag, Digest)> {
    let tag = key.strip_prefix(&tags(name))?.split('/').next()?.parse().ok()?;
    let digest = digest_of_link(key, &tag_history(name, &tag))?;
    Some((tag, digest))
}

/// What the tags of a repository remember.
pub(super) fn list_tag_history<'a>(
    store: &'a dyn ObjectStore,
    name: &RepositoryName,
) -> BoxStream<'a, StorageResult<ObjectMeta>> {
    store.list_named(&tags(name), 5, LINK)
}

/// The media type of a manifest whose bytes do not tell it. An addition of ours.
pub(super) fn media_type(name: &RepositoryName, digest: &Digest) -> Key {
    media_types(name).with(digest.algorithm()).with(digest.hex())
}

/// The media types that are remembered in a repository.
pub(super) fn media_types(name: &RepositoryName) -> Key {
    repository(name).with(OWN).with("media-types")
}

/// The object that is put when a tag is pulled. An addition of ours.
pub(super) fn pulled(name: &RepositoryName, tag: &Tag) -> Key {
    pulls(name).with(tag)
}

/// The object that is put when a manifest of a mirror is pulled by its digest. An addition of ours.
pub(super) fn pulled_manifest(name: &RepositoryName, digest: &Digest) -> Key {
    pulled_manifests(name).with(digest.algorithm()).with(digest.hex())
}

/// The manifest of which `key` is the [`pulled_manifest`].
pub(super) fn digest_of_pulled_manifest(key: &Key, name: &RepositoryName) -> Option<Digest> {
    let (algorithm, hex) = key.strip_prefix(&pulled_manifests(name))?.split_once('/')?;
    format!("{algorithm}:{hex}").parse().ok()
}

/// When the manifests of a mirror were last pulled by their digests.
pub(super) fn pulled_manifests(name: &RepositoryName) -> Key {
    repository(name).with(OWN).with("pulled")
}

/// When the tags of a repository were last pulled.
pub(super) fn pulls(name: &RepositoryName) -> Key {
    repository(name).with(OWN).with("pulls")
}

/// The trash of a repository. An addition of ours.
pub(super) fn trash(name: &RepositoryName) -> Key {
    repository(name).with(OWN).with("trash")
}

/// Notes of deleted tags and manifests.
pub(super) fn trashed_manifests(name: &RepositoryName) -> Key {
    trash(name).with("manifests")
}

/// A note that something of a manifest was deleted.
pub(super) fn trashed_manifest(name: &RepositoryName, digest: &Digest, note: &str) -> Key {
    trashed_manifests(name).with(digest.algorithm()).with(digest.hex()).with(note)
}

/// The digest and the name of the note of which `key` is the [`trashed_manifest`].
pub(super) fn parts_of_trashed_manifest<'a>(
    key: &'a Key,
    name: &RepositoryName,
) -> Option<(Digest, &'a str)> {
    let mut parts = key.strip_prefix(&trashed_manifests(name))?.split('/');
    let digest = format!("{}:{}", parts.next()?, parts.next()?).parse().ok()?;
    Some((digest, parts.next()?))
}

/// Links to a blob that went with their repository.
pub(super) fn trashed_layer(name: &RepositoryName, digest: &Digest) -> Key {
    trash(name).with("layers").with(digest.algorithm()).with(digest.hex())
}

/// Damaged content that repairs have set aside. An addition of ours.
pub(super) fn all_damaged() -> Key {
    root().with("_berth").with("damaged")
}

fn damaged_as(digest: &Digest, actual: &Digest) -> Key {
    all_damaged().with(digest.algorithm()).with(digest.hex()).with(actual.hex())
}

/// What lay under `digest` and has the digest `actual`, which is of the same algorithm.
pub(super) fn damaged(digest: &Digest, actual: &Digest) -> Key {
    damaged_as(digest, actual).with("data")
}

/// What has been copied by now of what is to be [`damaged`].
pub(super) fn damaged_partly(digest: &Digest, actual: &Digest) -> Key {
    damaged_as(digest, actual).with("partial")
}

/// The digest under which what is [`damaged`] as `key` lay, and the one that it has.
pub(super) fn digests_of_damaged(key: &Key) -> Option<(Digest, Digest)> {
    let mut parts = key.strip_prefix(&all_damaged())?.split('/');
    let (algorithm, hex, actual) = (parts.next()?, parts.next()?, parts.next()?);
    let digest = |hex: &str| format!("{algorithm}:{hex}").parse().ok();
    let is_whole = parts.next() == Some("data") && parts.next().is_none();
    is_whole.then_some((digest(hex)?, digest(actual)?))
}

/// The index of referrers of a repository. An addition of ours.
pub(super) fn referrers_index(name: &RepositoryName) -> Key {
    repository(name).with("_referrers")
}

/// Links to the manifests whose subject is `subject`.
pub(super) fn referrers(name: &RepositoryName, subject: &Digest) -> Key {
    referrers_index(name).with(subject.algorithm()).with(subject.hex())
}

/// The link that remembers that the manifest `digest` has the subject `subject`.
pub(super) fn referrer(name: &RepositoryName, subject: &Digest, digest: &Digest) -> Key {
    link(&referrers(name, subject), digest)
}

/// The subject and the manifest of which `key` is the [`referrer`].
pub(super) fn digests_of_referrer(key: &Key, name: &RepositoryName) -> Option<(Digest, Digest)> {
    let mut parts = key.strip_prefix(&referrers_index(name))?.split('/');
    let subject: Digest = format!("{}:{}", parts.next()?, parts.next()?).parse().ok()?;
    Some((subject, digest_of_link(key, &referrers(name, &subject))?))
}

/// The uploads in progress of a repository.
pub(super) fn uploads(name: &RepositoryName) -> Key {
    repository(name).with(UPLOADS)
}

/// Everything about an upload.
pub(super) fn upload(name: &RepositoryName, id: &UploadId) -> Key {
    uploads(name).with(id)
}

/// What has arrived of an upload.
pub(super) fn upload_data(name: &RepositoryName, id: &UploadId) -> Key {
    upload(name, id).with("data")
}

/// When an upload was started.
pub(super) fn upload_started_at(name: &RepositoryName, id: &UploadId) -> Key {
    upload(name, id).with("startedat")
}

/// States of the hash of an upload, by algorithm and offset.
pub(super) fn upload_hash_states(name: &RepositoryName, id: &UploadId, algorithm: Algorithm) -> Key {
    upload(name, id).with("hashstates").with(algorithm)
}

/// The algorithm of a state of the hash, and how many bytes it has taken in, if `key`, which is below the folder `upload`, is one.
pub(super) fn parse_hash_state(key: &Key, upload: &Key) -> Option<(Algorithm, u64)> {
    let (algorithm, offset) = key.strip_prefix(upload)?.strip_prefix("hashstates/")?.split_once('/')?;
    Some((algorithm.parse().ok()?, offset.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn the_keys_are_those_of_distribution() {
        let digest: Digest = format!("sha256:{HEX}").parse().unwrap();
        let name: RepositoryName = "library/alpine".parse().unwrap();
        let latest: Tag = "latest".parse().unwrap();
        let id: UploadId = "7ddc8dbe-7ed8-4b17-9c0a-2c3f3b5b8f2d".parse().unwrap();
        let repository = "docker/registry/v2/repositories/library/alpine";
        let expected = [
            (blob(&digest), format!("docker/registry/v2/blobs/sha256/e3/{HEX}/data")),
            (layer(&name, &digest), format!("{repository}/_layers/sha256/{HEX}/link")),
            (revision(&name, &digest), format!("{repository}/_manifests/revisions/sha256/{HEX}/link")),
            (tag_current(&name, &latest), format!("{repository}/_manifests/tags/latest/current/link")),
            (
                tag_history_entry(&name, &latest, &digest),
                format!("{repository}/_manifests/tags/latest/index/sha256/{HEX}/link"),
            ),
            (upload_data(&name, &id), format!("{repository}/_uploads/{id}/data")),
            (upload_started_at(&name, &id), format!("{repository}/_uploads/{id}/startedat")),
            (
                upload_hash_states(&name, &id, Algorithm::Sha256),
                format!("{repository}/_uploads/{id}/hashstates/sha256"),
            ),
        ];
        for (key, text) in expected {
            assert_eq!(key.as_str(), text);
        }
    }

    #[test]
    fn digests_are_read_back_from_keys() {
        let digest: Digest = format!("sha256:{HEX}").parse().unwrap();
        let name: RepositoryName = "a/b".parse().unwrap();
        assert_eq!(digest_of_blob(&blob(&digest)), Some(digest));
        assert_eq!(digest_of_link(&layer(&name, &digest), &layers(&name)), Some(digest));
        assert_eq!(digest_of_blob(&layer(&name, &digest)), None);
        let latest: Tag = "latest".parse().unwrap();
        assert_eq!(parts_of_tag_history(&tag_current(&name, &latest), &name), None);
        let entry = tag_history_entry(&name, &latest, &digest);
        assert_eq!(parts_of_tag_history(&entry, &name), Some((latest, digest)));
        let other: Digest = format!("sha256:{}", "0".repeat(64)).parse().unwrap();
        let referrer = referrer(&name, &digest, &other);
        assert_eq!(digests_of_referrer(&referrer, &name), Some((digest, other)));
        assert_eq!(digests_of_referrer(&revision(&name, &digest), &name), None);
        assert_eq!(digest_of_pulled_manifest(&pulled_manifest(&name, &digest), &name), Some(digest));
        assert_eq!(digests_of_damaged(&damaged(&digest, &other)), Some((digest, other)));
        assert_eq!(digests_of_damaged(&damaged_partly(&digest, &other)), None);
        let signature = revision(&name, &digest).to_string().replace("/link", "/signatures/sha256/0/link");
        assert_eq!(digest_of_link(&signature.parse().unwrap(), &revisions(&name)), None);
    }
}
