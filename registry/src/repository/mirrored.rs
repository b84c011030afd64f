//! Which repositories hold what was pulled through from other registries, and not what was pushed.
//!
//! Nobody promises that they are whole: a manifest comes before its layers, and some of them never.

use std::sync::Arc;

use berth_oci::RepositoryName;

/// The names below which repositories are mirrors.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mirrored {
    /// Whether all of them are.
    pub everything: bool,
    /// The beginnings of their names.
    pub prefixes: Arc<[RepositoryName]>,
}

impl Mirrored {
    /// Whether this repository is one.
    pub fn contains(&self, name: &RepositoryName) -> bool {
        self.everything || self.prefixes.iter().any(|prefix| below(name, prefix).is_some())
    }
}

/// What stands behind the prefix in the name of a repository below it.
pub fn below<'a>(name: &'a RepositoryName, prefix: &RepositoryName) -> Option<&'a str> {
    name.as_str().strip_prefix(prefix.as_str())?.strip_prefix('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> RepositoryName {
        text.parse().unwrap()
    }

    #[test]
    fn a_repository_is_mirrored_when_it_lies_below_a_prefix() {
        let mirrored = Mirrored { everything: false, prefixes: [name("docker.io"), name("team/hub")].into() };
        assert!(
            mirrored.contains(&name("docker.io/library/alpine")) && mirrored.contains(&name("team/hub/a"))
        );
        for other in ["docker.io", "docker.io2/a", "team/a", "hub/a"] {
            assert!(!mirrored.contains(&name(other)), "{other}");
        }
        assert!(Mirrored { everything: true, ..Mirrored::default() }.contains(&name("a")));
    }
}
