//! Which name a repository has at the upstream, and which one here.

use berth_oci::RepositoryName;
use hyper::Uri;

use crate::repository::below;

/// The hosts of Docker Hub, which keeps names of one part under `library`.
const DOCKER_HUB: [&str; 3] = ["registry-1.docker.io", "docker.io", "index.docker.io"];
const LIBRARY: &str = "library";

/// The names of the repositories of one mirror.
#[derive(Debug)]
pub(super) struct Names {
    /// The host that clients name.
    upstream: String,
    prefix: Option<RepositoryName>,
    is_docker_hub: bool,
}

impl Names {
    pub(super) fn new(upstream: String, prefix: Option<RepositoryName>, url: &Uri) -> Self {
        let is_docker_hub = url.host().is_some_and(|host| DOCKER_HUB.contains(&host));
        Self { upstream, prefix, is_docker_hub }
    }

    pub(super) fn upstream(&self) -> &str {
        &self.upstream
    }

    pub(super) fn prefix(&self) -> Option<&RepositoryName> {
        self.prefix.as_ref()
    }

    /// The name at the upstream of a repository here; `None` when it is not of this mirror.
    pub(super) fn at_upstream(&self, name: &RepositoryName) -> Option<RepositoryName> {
        let own = match &self.prefix {
            Some(prefix) => below(name, prefix)?.parse().ok()?,
            None => name.clone(),
        };
        Some(self.in_full(own))
    }

    /// The name here of a repository of the upstream. What has the prefix already keeps it.
    pub(super) fn here(&self, name: &RepositoryName) -> Option<RepositoryName> {
        let own = self.in_full(self.at_upstream(name).unwrap_or_else(|| name.clone()));
        match &self.prefix {
            Some(prefix) => format!("{prefix}/{own}").parse().ok(),
            None => Some(own),
        }
    }

    fn in_full(&self, name: RepositoryName) -> RepositoryName {
        if !self.is_docker_hub || name.as_str().contains('/') {
            return name;
        }
        format!("{LIBRARY}/{name}").parse().unwrap_or(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(prefix: Option<&str>, url: &'static str) -> Names {
        Names::new("x".to_owned(), prefix.map(|prefix| prefix.parse().unwrap()), &Uri::from_static(url))
    }

    fn at_upstream(names: &Names, name: &str) -> Option<String> {
        names.at_upstream(&name.parse().unwrap()).map(|name| name.to_string())
    }

    fn here(names: &Names, name: &str) -> String {
        names.here(&name.parse().unwrap()).unwrap().to_string()
    }

    #[test]
    fn a_prefix_comes_and_goes() {
        let quay = names(Some("quay.io"), "https://quay.io");
        assert_eq!(at_upstream(&quay, "quay.io/a/b").as_deref(), Some("a/b"));
        assert_eq!(at_upstream(&quay, "quay.io"), None);
        assert_eq!(here(&quay, "a"), "quay.io/a");
        assert_eq!(here(&quay, "quay.io/a"), "quay.io/a");
        let whole = names(None, "https://quay.io");
        assert_eq!((at_upstream(&whole, "a").as_deref(), here(&whole, "a").as_str()), (Some("a"), "a"));
    }

    #[test]
    fn the_short_names_of_docker_hub_are_those_of_its_library() {
        let hub = names(Some("docker.io"), "https://registry-1.docker.io");
        assert_eq!(at_upstream(&hub, "docker.io/alpine").as_deref(), Some("library/alpine"));
        assert_eq!(here(&hub, "alpine"), "docker.io/library/alpine");
        assert_eq!(here(&hub, "docker.io/alpine"), "docker.io/library/alpine");
        assert_eq!(here(&hub, "grafana/loki"), "docker.io/grafana/loki");
    }
}
