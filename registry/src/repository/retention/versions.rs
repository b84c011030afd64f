//! Tags that are versions, in the order of semantic versioning (<https://semver.org>).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use berth_oci::Tag;
use semver::Version;

use super::rule::VersionLimits;

/// The version that the tag is, with or without `v` before it. A tag cannot hold the `+` of a build: clients write `_`.
pub(super) fn version_of(tag: &Tag) -> Option<Version> {
    let text = tag.as_str();
    let text = text.strip_prefix('v').unwrap_or(text);
    Version::parse(&text.replacen('_', "+", 1)).ok()
}

/// The versions that are kept: of the newest major ones, the newest minor ones, of these the newest.
pub(super) fn kept(versions: impl IntoIterator<Item = Version>, limits: VersionLimits) -> BTreeSet<Version> {
    type Minors = BTreeMap<Reverse<u64>, BTreeSet<Reverse<Version>>>;
    let mut majors: BTreeMap<Reverse<u64>, Minors> = BTreeMap::new();
    for version in versions {
        let minors = majors.entry(Reverse(version.major)).or_default();
        minors.entry(Reverse(version.minor)).or_default().insert(Reverse(version));
    }
    let unlimited = |limit: Option<usize>| limit.unwrap_or(usize::MAX);
    let majors = majors.into_values().take(unlimited(limits.majors));
    let minors = majors.flat_map(|minors| minors.into_values().take(unlimited(limits.minors)));
    let patches = minors.flat_map(|patches| patches.into_iter().take(unlimited(limits.patches)));
    patches.map(|Reverse(version)| version).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(texts: &[&str]) -> Vec<Version> {
        texts.iter().map(|text| version_of(&text.parse().unwrap()).unwrap()).collect()
    }

    fn kept_of(texts: &[&str], limits: [Option<usize>; 3]) -> Vec<String> {
        let [majors, minors, patches] = limits;
        let kept = kept(versions(texts), VersionLimits { majors, minors, patches });
        kept.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn versions_are_read_as_people_write_them() {
        let is_version = |text: &str| version_of(&text.parse().unwrap()).is_some();
        assert!(["1.2.3", "v1.2.3", "1.2.3-rc.1", "1.2.3_build.5"].iter().all(|text| is_version(text)));
        assert!(!["1.2", "latest", "v1", "01.2.3", "1.2.3.4"].iter().any(|text| is_version(text)));
    }

    #[test]
    fn the_newest_series_are_kept() {
        let all = ["1.0.0", "1.9.0", "1.10.0", "1.10.1", "2.0.0-rc.1", "2.0.0", "3.1.0"];
        assert_eq!(kept_of(&all, [Some(2), None, None]), ["2.0.0-rc.1", "2.0.0", "3.1.0"]);
        assert_eq!(kept_of(&all, [None, Some(1), Some(1)]), ["1.10.1", "2.0.0", "3.1.0"]);
        assert_eq!(kept_of(&all, [None, None, Some(1)]).len(), 5);
        assert_eq!(kept_of(&all, [None, None, None]).len(), 7);
    }
}
