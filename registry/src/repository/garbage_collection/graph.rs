//! The manifests of one repository, and which of them lead to which.

use std::collections::{HashMap, HashSet};

use berth_oci::{Digest, Manifest, mentioned_digests};

/// What the collector needs to know of a manifest.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// The manifests of an index.
    pub(super) manifests: Vec<Digest>,
    /// All other content that it needs; everything that it mentions, when it cannot be understood.
    pub(super) blobs: Vec<Digest>,
    /// The manifest that it refers to as its subject.
    pub(super) subject: Option<Digest>,
    /// Its length in bytes.
    pub(super) size: u64,
}

impl Node {
    /// Reads a manifest. What cannot be understood keeps everything that it mentions.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let manifest = Manifest::parse(bytes, None).ok().filter(|manifest| !manifest.is_opaque());
        let Some(manifest) = manifest else {
            return Self { blobs: mentioned_digests(bytes), size: bytes.len() as u64, ..Self::default() };
        };
        let mut blobs: Vec<_> = manifest.references().collect();
        if Manifest::named_media_type(bytes).is_none() {
            // The client may have said that it is of another kind.
            blobs.extend(mentioned_digests(bytes));
        }
        Self {
            manifests: manifest.manifests().iter().map(|child| child.digest).collect(),
            blobs,
            subject: manifest.subject().map(|subject| subject.digest),
            size: bytes.len() as u64,
        }
    }

    /// Everything that the manifest keeps from being deleted, whatever kind of content it is.
    pub(super) fn keeps(&self) -> impl Iterator<Item = &Digest> {
        self.manifests.iter().chain(&self.blobs).chain(&self.subject)
    }
}

/// The manifests of a repository by digest.
pub(super) type Graph = HashMap<Digest, Node>;

/// The manifests that are kept for the sake of `roots`: those that an index lists, those that refer to a kept
/// one as their subject, and the subjects themselves.
pub(super) fn reachable(graph: &Graph, roots: impl IntoIterator<Item = Digest>) -> HashSet<Digest> {
    let mut referrers: HashMap<Digest, Vec<Digest>> = HashMap::new();
    for (digest, node) in graph {
        if let Some(subject) = node.subject {
            referrers.entry(subject).or_default().push(*digest);
        }
    }
    let mut kept = HashSet::new();
    let mut ahead: Vec<_> = roots.into_iter().collect();
    while let Some(digest) = ahead.pop() {
        let Some(node) = graph.get(&digest) else { continue };
        if kept.insert(digest) {
            ahead.extend(node.keeps().chain(referrers.get(&digest).into_iter().flatten()));
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: u8) -> Digest {
        Digest::sha256([number; 32])
    }

    fn graph(nodes: &[(u8, &[u8], Option<u8>)]) -> Graph {
        let node = |manifests: &[u8], subject: &Option<u8>| Node {
            manifests: manifests.iter().map(|number| digest(*number)).collect(),
            blobs: Vec::new(),
            subject: subject.map(digest),
            size: 0,
        };
        nodes.iter().map(|(number, manifests, subject)| (digest(*number), node(manifests, subject))).collect()
    }

    fn kept(graph: &Graph, roots: &[u8]) -> Vec<u8> {
        let kept = reachable(graph, roots.iter().map(|root| digest(*root)));
        let mut kept: Vec<_> = kept.iter().map(|digest| digest.as_bytes()[0]).collect();
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
    fn a_document_that_cannot_be_understood_keeps_what_it_mentions() {
        let node = Node::read(format!("{{\"layers\": 5, \"x\": \"{}\"}}", digest(1)).as_bytes());
        assert_eq!(node.blobs, [digest(1)]);
        let unnamed = format!(r#"{{"schemaVersion": 2, "manifests": [], "parts": ["{}"]}}"#, digest(2));
        assert_eq!(Node::read(unnamed.as_bytes()).blobs, [digest(2)]);
    }
}
