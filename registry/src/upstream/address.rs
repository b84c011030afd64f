//! Where the endpoints of another registry are.

use berth_oci::RepositoryName;
use hyper::{
    Uri,
    http::uri::{Authority, PathAndQuery, Scheme},
};

use super::{Error, Result};

/// The name under which images of Docker Hub are known, and the one of its registry.
const DOCKER_HUB: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];

/// The server of a registry, and what stands in front of its paths.
#[derive(Debug, Clone)]
pub(super) struct Address {
    scheme: Scheme,
    authority: Authority,
    prefix: String,
    is_docker_hub: bool,
}

impl Address {
    /// The one that a URL names.
    pub(super) fn new(url: &Uri) -> Result<Self> {
        let scheme = url.scheme().filter(|it| **it == Scheme::HTTPS || **it == Scheme::HTTP);
        let (Some(scheme), Some(authority)) = (scheme, url.authority()) else {
            return Err(Error::Address("write its address as https://HOST or http://HOST"));
        };
        if authority.as_str().contains('@') {
            return Err(Error::Address("its address must not hold a user or a password"));
        }
        if url.query().is_some() {
            return Err(Error::Address("its address must not have a query"));
        }
        let is_docker_hub = DOCKER_HUB.contains(&authority.host());
        let authority = if is_docker_hub { Authority::from_static(DOCKER_HUB[2]) } else { authority.clone() };
        let prefix = url.path().trim_end_matches('/').trim_end_matches("/v2").to_owned();
        Ok(Self { scheme: scheme.clone(), authority, prefix, is_docker_hub })
    }

    /// Host and port.
    pub(super) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Whether nobody on the way can read along.
    pub(super) fn is_https(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// Whether `uri` leads to this server.
    pub(super) fn is_origin_of(&self, uri: &Uri) -> bool {
        uri.scheme() == Some(&self.scheme)
            && uri.host().is_some_and(|host| host.eq_ignore_ascii_case(self.authority.host()))
            && port(uri.port_u16(), &self.scheme) == port(self.authority.port_u16(), &self.scheme)
    }

    /// The address of an endpoint, by what stands behind `/v2/`.
    pub(super) fn endpoint(&self, path: &str) -> Result<Uri> {
        self.at(&format!("{}/v2/{path}", self.prefix))
    }

    /// The address of a path on this server.
    pub(super) fn at(&self, path: &str) -> Result<Uri> {
        let path: PathAndQuery =
            path.parse().map_err(|_| self.invalid("it names a path that cannot be sent".to_owned()))?;
        let uri = Uri::builder().scheme(self.scheme.clone()).authority(self.authority.clone());
        uri.path_and_query(path).build().map_err(|error| self.invalid(error.to_string()))
    }

    /// What an answer to `asked` names as another address: with its host, or as a path on the same one.
    pub(super) fn resolve(&self, asked: &Uri, location: &str) -> Result<Uri> {
        let unreadable = || self.invalid("it names an address that cannot be read".to_owned());
        let location: Uri = location.parse().map_err(|_| unreadable())?;
        if location.scheme().is_some() && location.authority().is_some() {
            if asked.scheme() == Some(&Scheme::HTTPS) && location.scheme() != Some(&Scheme::HTTPS) {
                return Err(self.invalid("it sends on to a server without TLS".to_owned()));
            }
            return Ok(location);
        }
        let mut parts = asked.clone().into_parts();
        parts.path_and_query = location.into_parts().path_and_query;
        Uri::from_parts(parts).map_err(|_| unreadable())
    }

    /// The name by which this registry knows a repository. Docker Hub keeps names of one part under `library`.
    pub(super) fn repository(&self, name: &RepositoryName) -> String {
        if self.is_docker_hub && !name.as_str().contains('/') {
            format!("library/{name}")
        } else {
            name.to_string()
        }
    }

    /// The answer is none that a registry gives.
    pub(super) fn invalid(&self, reason: String) -> Error {
        Error::Invalid { server: self.authority.clone(), reason }
    }
}

fn port(written: Option<u16>, scheme: &Scheme) -> u16 {
    written.unwrap_or(if *scheme == Scheme::HTTPS { 443 } else { 80 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str) -> Address {
        Address::new(&url.parse().unwrap()).unwrap()
    }

    #[test]
    fn docker_hub_has_another_server_and_names_of_two_parts() {
        for url in ["https://docker.io", "https://index.docker.io/v1/", "https://registry-1.docker.io"] {
            let hub = address(url);
            assert_eq!(hub.authority(), "registry-1.docker.io");
            assert_eq!(hub.repository(&"alpine".parse().unwrap()), "library/alpine");
            assert_eq!(hub.repository(&"grafana/loki".parse().unwrap()), "grafana/loki");
        }
        assert_eq!(address("https://hub.example.com").repository(&"app".parse().unwrap()), "app");
    }

    #[test]
    fn a_path_stands_in_front() {
        let endpoint = |url| address(url).endpoint("app/tags/list").unwrap().to_string();
        assert_eq!(endpoint("https://hub.example.com"), "https://hub.example.com/v2/app/tags/list");
        assert_eq!(endpoint("http://a:5000/team/"), "http://a:5000/team/v2/app/tags/list");
        assert_eq!(endpoint("https://a/v2/"), "https://a/v2/app/tags/list");
    }

    #[test]
    fn what_is_no_address_is_refused_without_showing_it() {
        for url in ["hub.example.com", "/a", "ftp://a", "https://ann:geheim@a", "https://a/?token=geheim"] {
            let error = Address::new(&url.parse().unwrap()).unwrap_err().to_string();
            assert!(!error.contains("geheim"), "{error}");
        }
    }

    #[test]
    fn nobody_is_sent_on_to_a_server_without_tls() {
        let (hub, asked) = (address("https://a"), Uri::from_static("https://a/v2/x?y=1"));
        let resolve = |location| hub.resolve(&asked, location).map(|uri| uri.to_string());
        assert_eq!(resolve("/v2/b?c=d").unwrap(), "https://a/v2/b?c=d");
        assert_eq!(resolve("https://cdn/b").unwrap(), "https://cdn/b");
        assert!(matches!(resolve("http://a/b"), Err(Error::Invalid { .. })));
        assert!(matches!(resolve("http://[b"), Err(Error::Invalid { .. })));
    }

    #[test]
    fn the_same_server_is_known_by_scheme_host_and_port() {
        let hub = address("https://a");
        let is_same = |uri: &'static str| hub.is_origin_of(&Uri::from_static(uri));
        assert!(is_same("https://A:443/x"));
        assert!(!is_same("https://a:444/x") && !is_same("http://a:443/x") && !is_same("https://b/x"));
    }
}
