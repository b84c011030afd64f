//! Names of images as archives spell them, with the host that they came from or without.

use berth_oci::{Reference, RepositoryName, Tag};

/// Where an image belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ImageName {
    pub(super) repository: RepositoryName,
    /// None for an image that is named by its digest.
    pub(super) tag: Option<Tag>,
}

impl ImageName {
    /// Reads a name such as `app:1`, `localhost/team/app:1` or `docker.io/library/app:1`.
    ///
    /// The host is left out, and `library/` of Docker's own: to Docker, `docker.io/library/app` is just a longer way
    /// to write `app`. A name without a tag means the tag `latest`. `None` when it is no name of an image.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (name, has_digest) = match text.split_once('@') {
            Some((name, _)) => (name, true),
            None => (text, false),
        };
        let path = without_host(name);
        let (repository, tag) = match path.rsplit_once(':') {
            Some((repository, tag)) => (repository, Some(tag.parse().ok()?)),
            None if has_digest => (path, None),
            None => (path, Some("latest".parse().ok()?)),
        };
        Some(Self { repository: repository.parse().ok()?, tag })
    }

    /// The name in the form that is the same for every tool of Docker's kind.
    pub(super) fn canonical(&self) -> String {
        let official = if self.repository.as_str().contains('/') { "" } else { "library/" };
        let tag = self.tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
        format!("docker.io/{official}{}{tag}", self.repository)
    }

    /// The name as people write it; the digest stands in for a tag.
    pub(super) fn written(repository: &RepositoryName, reference: &Reference) -> String {
        match reference {
            Reference::Tag(tag) => format!("{repository}:{tag}"),
            Reference::Digest(digest) => format!("{repository}@{digest}"),
        }
    }
}

/// The first part of a name is a host when it could not be part of a repository's name on Docker's own.
fn without_host(name: &str) -> &str {
    let Some((host, path)) = name.split_once('/') else { return name };
    let is_host = host == "localhost"
        || host.contains(['.', ':'])
            && host.starts_with(|first: char| first.is_alphanumeric() || first == '[');
    match (is_host, host, path.strip_prefix("library/")) {
        (true, "docker.io" | "index.docker.io", Some(official)) if !official.contains('/') => official,
        (true, _, _) => path,
        (false, _, _) => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(String, Option<String>)> {
        let name = ImageName::parse(text)?;
        Some((name.repository.to_string(), name.tag.map(|tag| tag.to_string())))
    }

    #[test]
    fn the_host_is_left_out() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (text, repository, tag) in [
            ("app:1", "app", Some("1")),
            ("app", "app", Some("latest")),
            ("team/app:1", "team/app", Some("1")),
            ("localhost/app:1", "app", Some("1")),
            ("localhost:5000/team/app:1", "team/app", Some("1")),
            ("docker.io/library/app:1", "app", Some("1")),
            ("docker.io/team/app:1", "team/app", Some("1")),
            ("library/app:1", "library/app", Some("1")),
            (&format!("ghcr.io/team/app@{digest}"), "team/app", None),
            (&format!("app:1@{digest}"), "app", Some("1")),
        ] {
            let expected = (repository.to_owned(), tag.map(str::to_owned));
            assert_eq!(read(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_name_is_none() {
        for text in ["", "App:1", "app:", "app:a b", "registry.example.com/", "../app:1"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn the_canonical_form_means_the_same() {
        for text in ["app:1", "team/app:1"] {
            let name = ImageName::parse(text).unwrap();
            assert_eq!(ImageName::parse(&name.canonical()), Some(name));
        }
    }
}
