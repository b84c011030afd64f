//! What each container runtime has to find on its node to reach a registry.

use std::path::{Path, PathBuf};

use super::folder::{AUTHORITY, HOSTS, Wanted};
use crate::nodes::{Entry, Listing};

/// The first line of `hosts.toml`, for people.
const REMARK: &str = "# Written by the node agent of Berth, which removes it when the Registry goes.\n";

/// A runtime of the node, by where it looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Runtime {
    /// containerd, which is told by `hosts.toml` where names lead.
    Containerd {
        /// Its folder `certs.d`.
        hosts: PathBuf,
        /// Its configuration.
        config: Option<PathBuf>,
    },
    /// CRI-O, Podman or Docker: they are told whom to trust, also where they are told of addresses.
    Certificates(PathBuf),
}

impl Runtime {
    /// Where it looks.
    pub(super) fn root(&self) -> &Path {
        match self {
            Self::Containerd { hosts, .. } => hosts,
            Self::Certificates(root) => root,
        }
    }

    /// What it should find for an entry.
    pub(super) fn wanted(&self, listing: &Listing, entry: &Entry) -> Vec<Wanted> {
        let authority = || listing.ca.as_ref().map(|ca| (AUTHORITY, ca.clone()));
        match self {
            Self::Containerd { .. } => vec![Wanted {
                folders: containerd_folders(&entry.host),
                files: authority().into_iter().chain([(HOSTS, hosts_file(listing, entry))]).collect(),
            }],
            Self::Certificates(_) => {
                let file = |name| Some(Wanted { folders: vec![name], files: vec![authority()?] });
                trusted(entry).filter_map(file).collect()
            }
        }
    }
}

/// The names under which the registry's certificate is seen: its own, and the addresses that mirrors lead to. The name of another
/// registry is not one of them.
fn trusted(entry: &Entry) -> impl Iterator<Item = String> {
    let own = entry.fallback.is_none().then(|| entry.host.clone());
    let addresses = entry.endpoints.iter().filter_map(|url| url.strip_prefix("https://"));
    own.into_iter().chain(addresses.map(str::to_owned))
}

/// The folders of a name that containerd looks for, in its order.
fn containerd_folders(host: &str) -> Vec<String> {
    let with_underscores = host.rsplit_once(':').map(|(name, port)| format!("{name}_{port}_"));
    with_underscores.into_iter().chain([host.to_owned()]).collect()
}

/// `hosts.toml`. containerd asks those under `host` in their order, and then the server: for the name of another registry that one,
/// and otherwise an address of this one again, since containerd 1.6 reads no file without a host, and without a server would ask for
/// the name.
fn hosts_file(listing: &Listing, entry: &Entry) -> String {
    let server = entry.fallback.as_ref().or(entry.endpoints.last());
    let ca = if listing.ca.is_some() { "ca = \"ca.crt\"\n" } else { "" };
    let server = server.map(|server| {
        let ca = if entry.fallback.is_none() { ca } else { "" };
        format!("server = \"{server}\"\n{ca}")
    });
    let host =
        |endpoint: &String| format!("\n[host.\"{endpoint}\"]\ncapabilities = [\"pull\", \"resolve\"]\n{ca}");
    [REMARK.to_owned()].into_iter().chain(server).chain(entry.endpoints.iter().map(host)).collect()
}

/// Whether a name may become that of a folder, and an endpoint may stand in a file. The operator writes no others; what another
/// has written there must lead nowhere.
pub(super) fn is_sound(entry: &Entry) -> bool {
    let (name, port) = entry.host.split_once(':').unwrap_or((&entry.host, "1"));
    let of = |text: &str, more: &str| {
        !text.is_empty()
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || more.contains(c))
    };
    let rest = |url: &String, more| {
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        rest.is_some_and(|rest| of(rest, more) && !rest.starts_with('.'))
    };
    of(name, ".-")
        && !name.starts_with('.')
        && port.parse::<u16>().is_ok()
        // The address of one becomes the name of a folder, too.
        && entry.endpoints.iter().all(|url| rest(url, ".-:[]"))
        && entry.fallback.iter().all(|url| rest(url, ".-:[]/_"))
        && entry.path.iter().all(|path| of(path, ".-/_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(host: &str, endpoints: &[&str], fallback: Option<&str>) -> Entry {
        Entry {
            host: host.to_owned(),
            endpoints: endpoints.iter().map(|&endpoint| endpoint.to_owned()).collect(),
            fallback: fallback.map(str::to_owned),
            path: None,
        }
    }

    fn listing() -> Listing {
        Listing { revision: 1, ca: Some("PEM".to_owned()), entries: Vec::new() }
    }

    fn lines(entry: &Entry) -> Vec<String> {
        hosts_file(&listing(), entry).lines().skip(1).map(str::to_owned).collect()
    }

    #[test]
    fn a_name_leads_to_the_address_of_the_service() {
        let hub = entry("hub.default.svc", &["https://10.96.0.7"], None);
        assert_eq!(
            lines(&hub),
            [
                "server = \"https://10.96.0.7\"",
                "ca = \"ca.crt\"",
                "",
                "[host.\"https://10.96.0.7\"]",
                "capabilities = [\"pull\", \"resolve\"]",
                "ca = \"ca.crt\"",
            ]
        );
    }

    #[test]
    fn with_two_addresses_the_first_is_asked_first() {
        let hub = entry("hub.default.svc", &["https://10.96.0.7", "https://[fd00::7]"], None);
        let lines = lines(&hub);
        let hosts: Vec<_> = lines.iter().filter(|line| line.starts_with("[host")).collect();
        assert_eq!(hosts, ["[host.\"https://10.96.0.7\"]", "[host.\"https://[fd00::7]\"]"]);
        assert_eq!(lines[0], "server = \"https://[fd00::7]\"");
    }

    #[test]
    fn of_a_mirrored_registry_the_upstream_is_asked_when_this_one_does_not_answer() {
        let hub = entry("docker.io", &["https://10.96.0.7"], Some("https://registry-1.docker.io"));
        assert_eq!(
            lines(&hub),
            [
                "server = \"https://registry-1.docker.io\"",
                "",
                "[host.\"https://10.96.0.7\"]",
                "capabilities = [\"pull\", \"resolve\"]",
                "ca = \"ca.crt\"",
            ]
        );
    }

    #[test]
    fn a_port_is_spelt_as_containerd_looks_for_it() {
        assert_eq!(containerd_folders("hub.default.svc"), ["hub.default.svc"]);
        assert_eq!(
            containerd_folders("hub.default.svc:5000"),
            ["hub.default.svc_5000_", "hub.default.svc:5000"]
        );
    }

    #[test]
    fn runtimes_without_hosts_files_are_told_whom_to_trust() {
        let docker = Runtime::Certificates("/etc/docker/certs.d".into());
        let folders = |listing: &Listing, entry: &Entry| {
            docker.wanted(listing, entry).into_iter().flat_map(|wanted| wanted.folders).collect::<Vec<_>>()
        };
        let hub = entry("hub:5000", &["https://10.96.0.7"], None);
        assert_eq!(folders(&listing(), &hub), ["hub:5000", "10.96.0.7"]);
        assert_eq!(docker.wanted(&listing(), &hub)[0].files, [("ca.crt", "PEM".to_owned())]);
        let mirrored = entry("docker.io", &["https://10.96.0.7"], Some("https://x"));
        assert_eq!(folders(&listing(), &mirrored), ["10.96.0.7"], "upstream's certificate is another");
        assert!(folders(&Listing::default(), &hub).is_empty());
    }

    #[test]
    fn a_name_that_leads_out_of_the_folder_is_unsound() {
        for host in ["../etc", "a/b", "", "..", "A", "hub:x", "hub:70000", "_default"] {
            assert!(!is_sound(&entry(host, &[], None)), "{host}");
        }
        assert!(is_sound(&entry("hub.default.svc:5000", &["https://[fd00::7]:5000"], None)));
        assert!(!is_sound(&entry("hub", &["https://a\"\n"], None)));
        assert!(!is_sound(&entry("hub", &["ftp://a"], None)));
        assert!(
            !is_sound(&entry("hub", &["https://.."], None))
                && !is_sound(&entry("hub", &["https://a/../b"], None))
        );
        assert!(!is_sound(&Entry { path: Some("a\"\n".to_owned()), ..entry("hub", &[], None) }));
    }
}
