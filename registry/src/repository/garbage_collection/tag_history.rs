//! What the tags of a repository remember of manifests that are to be deleted.

use berth_oci::Tag;
use futures::TryStreamExt as _;

use crate::repository::digest_set::{DigestSet, Number};
use crate::repository::{Repository, Result, layout};

/// Which tags once pointed at which manifests. A tag that moves with each push remembers all of them, and so each link is
/// held in eight bytes.
#[derive(Debug, Default)]
pub(super) struct TagHistory {
    tags: Vec<Tag>,
    /// A manifest, and the place of a tag, in order.
    links: Vec<(Number, u32)>,
}

impl TagHistory {
    /// Reads what tags remember of these manifests.
    pub(super) async fn read(repository: &Repository, digests: &DigestSet, of: &[Number]) -> Result<Self> {
        let mut history = Self::default();
        if of.is_empty() {
            return Ok(history);
        }
        let mut wanted = of.to_vec();
        wanted.sort_unstable();
        let mut links = layout::list_tag_history(&*repository.state.store, &repository.name);
        while let Some(link) = links.try_next().await? {
            let Some((tag, digest)) = layout::parts_of_tag_history(&link.key, &repository.name) else {
                continue;
            };
            let manifest = digests.find(&digest);
            if let Some(manifest) = manifest.filter(|manifest| wanted.binary_search(manifest).is_ok()) {
                history.add(manifest, tag);
            }
        }
        history.links.sort_unstable();
        Ok(history)
    }

    /// Adds a link. Those of one tag come one after the other.
    fn add(&mut self, manifest: Number, tag: Tag) {
        if self.tags.last() != Some(&tag) {
            self.tags.push(tag);
        }
        let place = u32::try_from(self.tags.len() - 1).unwrap_or(u32::MAX);
        self.links.push((manifest, place));
    }

    /// The tags that remember the manifest.
    pub(super) fn tags(&self, manifest: Number) -> impl Iterator<Item = &Tag> {
        let start = self.links.partition_point(|(other, _)| *other < manifest);
        let links = self.links[start..].iter().take_while(move |(other, _)| *other == manifest);
        links.filter_map(|(_, place)| self.tags.get(*place as usize))
    }
}
