//! The manifests of one repository, and which of them lead to which.
//!
//! All that manifests name is held once, and named by number: a repository may have a million of them, and their layers in
//! common.

use std::collections::{HashMap, HashSet};

use berth_oci::Digest;

use super::references::References;
use crate::repository::digest_set::{DigestSet, Number};

/// The manifests of a repository, by the number of their digest.
#[derive(Debug, Default)]
pub(super) struct Graph {
    digests: DigestSet,
    nodes: HashMap<Number, Node>,
}

/// What is remembered of a manifest.
#[derive(Debug)]
pub(super) struct Node {
    /// The manifests of an index, and then all other content that it needs.
    needs: Box<[Number]>,
    /// How many of them are manifests.
    manifests: usize,
    subject: Option<Number>,
    /// Its length in bytes.
    pub(super) size: u64,
}

impl Node {
    /// The manifests of an index.
    pub(super) fn manifests(&self) -> &[Number] {
        &self.needs[..self.manifests]
    }

    /// All other content that it needs.
    pub(super) fn blobs(&self) -> &[Number] {
        &self.needs[self.manifests..]
    }

    /// Everything that the manifest keeps from being deleted, whatever kind of content it is.
    pub(super) fn keeps(&self) -> impl Iterator<Item = Number> {
        self.needs.iter().copied().chain(self.subject)
    }
}

impl Graph {
    /// Adds a manifest, and returns its number.
    pub(super) fn insert(&mut self, digest: &Digest, references: &References) -> Number {
        let number = self.digests.number(digest);
        let needs = references.manifests.iter().chain(&references.blobs);
        let node = Node {
            needs: needs.map(|digest| self.digests.number(digest)).collect(),
            manifests: references.manifests.len(),
            subject: references.subject.map(|subject| self.digests.number(&subject)),
            size: references.size,
        };
        self.nodes.insert(number, node);
        number
    }

    /// Takes a manifest out.
    pub(super) fn remove(&mut self, number: Number) -> Option<Node> {
        self.nodes.remove(&number)
    }

    /// Whether there is a manifest of that number.
    pub(super) fn contains(&self, number: Number) -> bool {
        self.nodes.contains_key(&number)
    }

    /// The manifests, in no order.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (Number, &Node)> {
        self.nodes.iter().map(|(number, node)| (*number, node))
    }

    /// The number of the digest, if anything names it.
    pub(super) fn find(&self, digest: &Digest) -> Option<Number> {
        self.digests.find(digest)
    }

    /// The digest of that number.
    pub(super) fn digest(&self, number: Number) -> Digest {
        self.digests.digest(number)
    }

    /// The subject of the manifest.
    pub(super) fn subject(&self, number: Number) -> Option<Digest> {
        let subject = self.nodes.get(&number)?.subject?;
        Some(self.digest(subject))
    }

    /// The manifests that are kept for the sake of `roots`: those that an index lists, those that refer to a kept
    /// one as their subject, and the subjects themselves.
    pub(super) fn reachable(&self, roots: impl IntoIterator<Item = Number>) -> HashSet<Number> {
        let referrers = self.referrers();
        let mut kept = HashSet::new();
        let mut ahead: Vec<_> = roots.into_iter().collect();
        while let Some(number) = ahead.pop() {
            let Some(node) = self.nodes.get(&number) else { continue };
            if kept.insert(number) {
                ahead.extend(node.keeps().chain(referrers.get(&number).into_iter().flatten().copied()));
            }
        }
        kept
    }

    fn referrers(&self) -> HashMap<Number, Vec<Number>> {
        let mut referrers: HashMap<_, Vec<_>> = HashMap::new();
        for (number, node) in self.nodes() {
            if let Some(subject) = node.subject {
                referrers.entry(subject).or_default().push(number);
            }
        }
        referrers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: u8) -> Digest {
        Digest::sha256([number; 32])
    }

    fn graph(nodes: &[(u8, &[u8], Option<u8>)]) -> Graph {
        let mut graph = Graph::default();
        for (number, manifests, subject) in nodes {
            let manifests = manifests.iter().map(|number| digest(*number)).collect();
            let subject = subject.map(digest);
            graph.insert(&digest(*number), &References { manifests, subject, ..References::default() });
        }
        graph
    }

    fn kept(graph: &Graph, roots: &[u8]) -> Vec<u8> {
        let kept = graph.reachable(roots.iter().filter_map(|root| graph.find(&digest(*root))));
        let mut kept: Vec<_> = kept.iter().map(|number| graph.digest(*number).as_bytes()[0]).collect();
        kept.sort_unstable();
        kept
    }

    #[test]
    fn an_index_keeps_its_images() {
        let graph = graph(&[(1, &[2, 3], None), (2, &[], None), (3, &[], None), (4, &[], None)]);
        assert_eq!(kept(&graph, &[1]), [1, 2, 3]);
    }

    #[test]
    fn a_subject_keeps_its_referrers_and_theirs() {
        let graph = graph(&[
            (1, &[2], None),
            (2, &[], None),
            (5, &[], Some(2)),
            (6, &[], Some(5)),
            (7, &[], Some(9)),
        ]);
        assert_eq!(kept(&graph, &[1]), [1, 2, 5, 6]);
    }

    #[test]
    fn a_referrer_keeps_its_subject() {
        let graph = graph(&[(1, &[], None), (5, &[], Some(1))]);
        assert_eq!(kept(&graph, &[5]), [1, 5]);
    }

    #[test]
    fn nothing_is_kept_for_what_is_absent() {
        let graph = graph(&[(1, &[8], Some(9))]);
        assert_eq!(kept(&graph, &[1, 7]), [1]);
        assert!(kept(&graph, &[]).is_empty());
    }

    #[test]
    fn a_manifest_tells_its_manifests_from_its_blobs() {
        let [manifests, blobs] = [vec![digest(2), digest(3)], vec![digest(4), digest(2)]];
        let references = References { manifests, blobs, subject: Some(digest(5)), size: 6 };
        let mut graph = Graph::default();
        let number = graph.insert(&digest(1), &references);
        assert_eq!(graph.subject(number), references.subject);
        let node = graph.remove(number).unwrap();
        let digests =
            |numbers: &[Number]| numbers.iter().map(|number| graph.digest(*number)).collect::<Vec<_>>();
        assert_eq!(digests(node.manifests()), references.manifests);
        assert_eq!(digests(node.blobs()), references.blobs);
        assert_eq!((node.keeps().count(), node.size), (5, 6));
        assert!(!graph.contains(number));
    }
}
