//! The manifests of one repository, and which of them lead to which.
//!
//! Digests are named by number, and all manifests lie one after the other: a repository may have a million of them.

use berth_oci::Digest;
use hashbrown::HashTable;

use super::references::References;
use crate::repository::digest_set::{DigestSet, Number};

/// The manifests of a repository.
#[derive(Debug, Default)]
pub(super) struct Graph {
    nodes: Vec<Node>,
    /// Of each manifest, the manifests of an index, and then all other content that it needs.
    needs: Vec<Number>,
    /// Where each manifest is.
    places: HashTable<u32>,
}

/// What is remembered of a manifest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) manifest: Number,
    pub(super) subject: Option<Number>,
    /// Where what it needs begins, where the manifests among that end, and where the rest does.
    needs: [usize; 3],
    /// Its length in bytes.
    pub(super) size: u64,
    is_taken_out: bool,
}

impl Graph {
    /// Adds a manifest, and returns its number.
    pub(super) fn insert(
        &mut self,
        digests: &mut DigestSet,
        digest: &Digest,
        references: &References,
    ) -> Number {
        let manifest = digests.number(digest);
        if self.place(manifest).is_some() {
            return manifest;
        }
        let start = self.needs.len();
        let needs = references.manifests.iter().chain(&references.blobs);
        self.needs.extend(needs.map(|needed| digests.number(needed)));
        let node = Node {
            manifest,
            subject: references.subject.map(|subject| digests.number(&subject)),
            needs: [start, start + references.manifests.len(), self.needs.len()],
            size: references.size,
            is_taken_out: false,
        };
        self.push(node);
        manifest
    }

    fn push(&mut self, node: Node) {
        // There are no more manifests than numbers.
        let place = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        let nodes = &self.nodes;
        let position = |place: &u32| nodes[*place as usize].manifest.spread();
        self.places.insert_unique(node.manifest.spread(), place, position);
        self.nodes.push(node);
    }

    /// Where the manifest is, whether it was taken out or not.
    fn place(&self, manifest: Number) -> Option<usize> {
        let is_it = |place: &u32| self.nodes[*place as usize].manifest == manifest;
        self.places.find(manifest.spread(), is_it).map(|place| *place as usize)
    }

    /// The manifest of that number, if it is there.
    pub(super) fn get(&self, manifest: Number) -> Option<&Node> {
        self.place(manifest).map(|place| &self.nodes[place]).filter(|node| !node.is_taken_out)
    }

    /// Takes a manifest out. What is known of it stays.
    pub(super) fn take_out(&mut self, manifest: Number) {
        if let Some(place) = self.place(manifest) {
            self.nodes[place].is_taken_out = true;
        }
    }

    /// The manifests that are there.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| !node.is_taken_out)
    }

    /// The manifests of an index.
    pub(super) fn manifests(&self, node: &Node) -> &[Number] {
        let [start, end, _] = node.needs;
        &self.needs[start..end]
    }

    /// All other content that a manifest needs.
    pub(super) fn blobs(&self, node: &Node) -> &[Number] {
        let [_, start, end] = node.needs;
        &self.needs[start..end]
    }

    /// Everything that a manifest keeps from being deleted, whatever kind of content it is.
    pub(super) fn keeps(&self, node: &Node) -> impl Iterator<Item = Number> + use<'_> {
        let [start, _, end] = node.needs;
        self.needs[start..end].iter().copied().chain(node.subject)
    }

    /// The manifests that nothing keeps for the sake of `roots`. Kept are those that an index lists, those that refer to a kept
    /// one as their subject, and the subjects themselves.
    pub(super) fn unreachable(&self, roots: impl IntoIterator<Item = Number>) -> Vec<Number> {
        let referrers = self.referrers();
        let mut is_kept = vec![false; self.nodes.len()];
        let mut ahead: Vec<_> = roots.into_iter().collect();
        while let Some(manifest) = ahead.pop() {
            let Some(place) = self.place(manifest) else { continue };
            if !std::mem::replace(&mut is_kept[place], true) {
                ahead.extend(self.keeps(&self.nodes[place]).chain(of_subject(&referrers, manifest)));
            }
        }
        let unreachable = self.nodes.iter().zip(is_kept).filter(|(_, is_kept)| !is_kept);
        unreachable.map(|(node, _)| node.manifest).collect()
    }

    /// Each subject and a manifest that refers to it, in order.
    fn referrers(&self) -> Vec<(Number, Number)> {
        let referrers = self.nodes.iter().filter_map(|node| Some((node.subject?, node.manifest)));
        let mut referrers: Vec<_> = referrers.collect();
        referrers.sort_unstable();
        referrers
    }
}

/// The manifests that refer to this one.
fn of_subject(referrers: &[(Number, Number)], subject: Number) -> impl Iterator<Item = Number> {
    let first = referrers.partition_point(|(other, _)| *other < subject);
    referrers[first..].iter().take_while(move |(other, _)| *other == subject).map(|(_, manifest)| *manifest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: u8) -> Digest {
        Digest::sha256([number; 32])
    }

    fn graph(nodes: &[(u8, &[u8], Option<u8>)]) -> (DigestSet, Graph) {
        let (mut digests, mut graph) = (DigestSet::default(), Graph::default());
        for (number, manifests, subject) in nodes {
            let manifests = manifests.iter().map(|number| digest(*number)).collect();
            let subject = subject.map(digest);
            let references = References { manifests, subject, ..References::default() };
            graph.insert(&mut digests, &digest(*number), &references);
        }
        (digests, graph)
    }

    fn unreachable((digests, graph): &(DigestSet, Graph), roots: &[u8]) -> Vec<u8> {
        let gone = graph.unreachable(roots.iter().filter_map(|root| digests.find(&digest(*root))));
        gone.into_iter().map(|number| digests.digest(number).as_bytes()[0]).collect()
    }

    #[test]
    fn an_index_keeps_its_images() {
        let graph = graph(&[(1, &[2, 3], None), (2, &[], None), (3, &[], None), (4, &[], None)]);
        assert_eq!(unreachable(&graph, &[1]), [4]);
    }

    #[test]
    fn a_subject_keeps_its_referrers_and_theirs() {
        let graph = graph(&[
            (1, &[2], None),
            (2, &[], None),
            (5, &[], Some(2)),
            (6, &[], Some(5)),
            (7, &[], Some(9)),
            (8, &[], Some(2)),
        ]);
        assert_eq!(unreachable(&graph, &[1]), [7]);
    }

    #[test]
    fn a_referrer_keeps_its_subject() {
        let graph = graph(&[(1, &[], None), (5, &[], Some(1))]);
        assert!(unreachable(&graph, &[5]).is_empty());
    }

    #[test]
    fn nothing_is_kept_for_what_is_absent() {
        let graph = graph(&[(1, &[8], Some(9))]);
        assert!(unreachable(&graph, &[1, 7]).is_empty());
        assert_eq!(unreachable(&graph, &[7]), [1]);
        assert_eq!(unreachable(&graph, &[]), [1]);
    }

    #[test]
    fn a_manifest_tells_its_manifests_from_its_blobs() {
        let [manifests, blobs] = [vec![digest(2), digest(3)], vec![digest(4), digest(2)]];
        let references = References { manifests, blobs, subject: Some(digest(5)), size: 6 };
        let (mut digests, mut graph) = (DigestSet::default(), Graph::default());
        let number = graph.insert(&mut digests, &digest(1), &references);
        assert_eq!(graph.insert(&mut digests, &digest(1), &references), number);
        let node = *graph.get(number).unwrap();
        let named =
            |numbers: &[Number]| numbers.iter().map(|number| digests.digest(*number)).collect::<Vec<_>>();
        assert_eq!(named(graph.manifests(&node)), references.manifests);
        assert_eq!(named(graph.blobs(&node)), references.blobs);
        assert_eq!(node.subject.map(|subject| digests.digest(subject)), references.subject);
        assert_eq!((graph.keeps(&node).count(), node.size, graph.nodes().count()), (5, 6, 1));
        graph.take_out(number);
        assert!(graph.get(number).is_none() && graph.nodes().next().is_none());
    }
}
