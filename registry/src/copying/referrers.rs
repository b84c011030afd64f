//! What refers to an image as its subject: signatures, attestations and lists of what is in it.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Mutex, PoisonError},
};

use berth_oci::{Descriptor, Digest, MediaType, Reference, RepositoryName, Tag};
use serde_json::json;

use super::{
    Place, Result,
    attempts::persistently,
    copy::{Copy, Route},
    place::Manifest,
    trees::Tree,
};
use crate::{repository::digest_of, upstream::referrers_tag};

/// Whose referrers were looked for.
#[derive(Debug, Default)]
pub(super) struct Subjects(Mutex<HashSet<(RepositoryName, Digest)>>);

impl Subjects {
    fn is_new(&self, name: &RepositoryName, digest: Digest) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((name.clone(), digest))
    }
}

impl Copy {
    /// Brings everything that refers to a manifest of the tree to the destination, and what refers to that.
    pub(super) async fn referrers(&self, route: &Route, tree: &Tree) -> Result<()> {
        let mut ahead: Vec<Digest> = tree.to_vec();
        while let Some(subject) = ahead.pop() {
            if !self.subjects.is_new(&route.to, subject) {
                continue;
            }
            let listed = persistently(async || self.source.referrers(&route.from, &subject).await).await?;
            let mut found = Vec::new();
            for referrer in listed {
                // A tag that stands for the API may list what was deleted.
                let Some(tree) = self.tree_if_there(route, referrer.digest, 0).await? else { continue };
                ahead.extend(tree.iter());
                found.push(referrer);
            }
            persistently(async || self.list(route, &subject, &found).await).await?;
        }
        Ok(())
    }

    /// Sees to it that the destination lists the referrers: by a tag, where it does not do that by itself.
    async fn list(&self, route: &Route, subject: &Digest, found: &[Descriptor]) -> Result<()> {
        if self.is_dry_run || found.is_empty() || matches!(self.destination, Place::Storage(_)) {
            return Ok(());
        }
        let listed = self.destination.referrers(&route.to, subject).await?;
        let mut all: BTreeMap<Digest, Descriptor> = by_digest(&listed);
        let before = all.len();
        all.extend(by_digest(found));
        let Some(tag) = referrers_tag(subject).filter(|_| all.len() > before) else { return Ok(()) };
        let descriptors: Vec<_> = all.into_values().collect();
        let index = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": descriptors});
        let bytes = bytes::Bytes::from(index.to_string());
        let digest = digest_of(subject.algorithm(), &bytes);
        let manifest = Manifest { bytes, media_type: MediaType::of_indexes(), digest };
        self.destination.put_manifest(&route.to, &Reference::Tag(tag), &manifest).await
    }
}

fn by_digest(descriptors: &[Descriptor]) -> BTreeMap<Digest, Descriptor> {
    descriptors.iter().map(|descriptor| (descriptor.digest, descriptor.clone())).collect()
}

/// Whether the tag only stands for the API of referrers. What it lists is copied with its subject.
pub(super) fn stands_for_referrers(tag: &Tag) -> bool {
    let digits = tag.as_str().strip_prefix("sha256-").or_else(|| tag.as_str().strip_prefix("sha512-"));
    digits.is_some_and(|digits| digits.len() == 64 && digits.bytes().all(|it| it.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tags_of_cosign_are_images_of_their_own() {
        let digits = "a".repeat(64);
        let stands = |tag: String| stands_for_referrers(&tag.parse().unwrap());
        assert!(stands(format!("sha256-{digits}")));
        assert!(!stands(format!("sha256-{digits}.sig")) && !stands("latest".to_owned()));
    }
}
