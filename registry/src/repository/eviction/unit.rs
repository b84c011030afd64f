//! What goes or stays as a whole: an image with all that it leads to and all that is about it.

use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

use berth_oci::Digest;

use super::contents::{Contents, Node};

/// An image with all that it needs and what refers to it, or a blob that no manifest names.
#[derive(Debug)]
pub(super) struct Unit {
    /// Which repository it is in, as its place among them.
    pub(super) repository: usize,
    pub(super) manifests: Vec<Digest>,
    pub(super) blobs: Vec<Digest>,
    pub(super) last_used: SystemTime,
}

impl Unit {
    pub(super) fn digests(&self) -> impl Iterator<Item = &Digest> {
        self.manifests.iter().chain(&self.blobs)
    }

    /// Whether something of it was pulled or stored between two looks.
    pub(super) fn was_used(&self, before: &Contents, now: &Contents) -> bool {
        let used =
            |contents: &Contents, digest: &Digest| contents.manifests.get(digest).map(|node| node.last_used);
        let linked = |contents: &Contents, digest: &Digest| contents.layers.get(digest).copied();
        self.manifests.iter().any(|digest| used(now, digest) > used(before, digest))
            || self.blobs.iter().any(|digest| linked(now, digest) > linked(before, digest))
    }

    fn of_blob(repository: usize, digest: Digest, last_used: SystemTime) -> Self {
        Self { repository, manifests: Vec::new(), blobs: vec![digest], last_used }
    }
}

/// What a repository consists of: each manifest that no other lists or is the subject of, with what belongs to it, and each blob
/// beside those.
pub(super) fn units(repository: usize, contents: &Contents) -> Vec<Unit> {
    let nodes = &contents.manifests;
    let mut referrers: HashMap<Digest, Vec<Digest>> = HashMap::new();
    let mut inner: HashSet<Digest> = HashSet::new();
    for (digest, node) in nodes {
        inner.extend(&node.children);
        let subjects = [node.subject, node.tagged_for].into_iter().flatten();
        for subject in subjects.filter(|subject| subject != digest && nodes.contains_key(subject)) {
            referrers.entry(subject).or_default().push(*digest);
            inner.insert(*digest);
        }
    }
    let (inner, roots): (Vec<_>, Vec<_>) = nodes.keys().partition(|digest| inner.contains(*digest));
    let (mut units, mut found) = (Vec::new(), HashSet::new());
    // By tags, manifests may be about each other in a circle, which has no root.
    for root in roots.into_iter().chain(inner) {
        if !found.contains(root) {
            let unit = unit(repository, root, nodes, &referrers);
            found.extend(unit.manifests.iter().copied());
            units.push(unit);
        }
    }
    let named: HashSet<&Digest> = units.iter().flat_map(|unit| &unit.blobs).collect();
    let loose = contents.layers.iter().filter(|(digest, _)| !named.contains(digest));
    let loose: Vec<_> = loose.map(|(digest, since)| Unit::of_blob(repository, *digest, *since)).collect();
    units.extend(loose);
    units
}

fn unit(
    repository: usize,
    root: &Digest,
    nodes: &HashMap<Digest, Node>,
    referrers: &HashMap<Digest, Vec<Digest>>,
) -> Unit {
    let (mut seen, mut ahead) = (HashSet::new(), vec![*root]);
    let mut unit =
        Unit { repository, manifests: Vec::new(), blobs: Vec::new(), last_used: SystemTime::UNIX_EPOCH };
    while let Some(digest) = ahead.pop() {
        let Some(node) = nodes.get(&digest).filter(|_| seen.insert(digest)) else { continue };
        unit.manifests.push(digest);
        unit.blobs.extend(node.blobs.iter().filter(|blob| seen.insert(**blob)));
        unit.last_used = unit.last_used.max(node.last_used);
        ahead.extend(node.children.iter().chain(referrers.get(&digest).into_iter().flatten()));
    }
    unit
}
