//! Which pulls of blobs are redirected to the storage, as configured (`storage.redirect`).

use std::{net::IpAddr, time::Duration};

use super::{Network, UserAgentPattern};

/// How blobs are redirected, and for which clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// How long the URL that a client gets is valid.
    pub lifetime: Duration,
    /// Where the clients are.
    pub networks: Choice<Network>,
    /// What they call themselves.
    pub user_agents: Choice<UserAgentPattern>,
}

/// A choice of clients: all, or only some, and of these all but some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice<T> {
    /// One of them fits the client; any client will do, when there is none.
    pub only: Vec<T>,
    /// None of them fits the client.
    pub except: Vec<T>,
}

impl<T> Choice<T> {
    fn includes(&self, fits: impl Fn(&T) -> bool) -> bool {
        (self.only.is_empty() || self.only.iter().any(&fits)) && !self.except.iter().any(&fits)
    }
}

impl Redirect {
    /// Whether a client is redirected that calls itself `user_agent`. Of its addresses, which are several behind a proxy,
    /// each must be one that is; a client without any is in no network.
    pub fn includes(&self, addresses: &[IpAddr], user_agent: &str) -> bool {
        let networks = &self.networks;
        let is_near =
            addresses.iter().all(|address| networks.includes(|network: &Network| network.contains(*address)));
        let is_placed = !addresses.is_empty() || networks.only.is_empty();
        is_near && is_placed && self.user_agents.includes(|pattern| pattern.matches(user_agent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice<T: std::str::FromStr>(only: &[&str], except: &[&str]) -> Choice<T>
    where
        T::Err: std::fmt::Debug,
    {
        let read = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        Choice { only: read(only), except: read(except) }
    }

    fn includes(networks: Choice<Network>, addresses: &[&str]) -> bool {
        let redirect =
            Redirect { lifetime: Duration::from_mins(20), networks, user_agents: choice(&[], &[]) };
        let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
        redirect.includes(&addresses, "curl/8.0")
    }

    #[test]
    fn clients_are_chosen_by_their_network() {
        let inside = || choice(&["10.0.0.0/8", "fd00::/8"], &["10.9.0.0/16"]);
        assert!(includes(inside(), &["10.1.0.1"]) && includes(inside(), &["fd00::1"]));
        assert!(!includes(inside(), &["203.0.113.1"]) && !includes(inside(), &["10.9.0.1"]));
        assert!(includes(choice(&[], &["10.0.0.0/8"]), &["203.0.113.1"]));
    }

    #[test]
    fn a_client_behind_a_proxy_is_redirected_only_when_both_are() {
        let inside = || choice(&["10.0.0.0/8"], &[]);
        assert!(includes(inside(), &["10.1.0.1", "10.2.0.1"]));
        assert!(!includes(inside(), &["10.1.0.1", "203.0.113.1"]));
        assert!(!includes(inside(), &["203.0.113.1", "10.1.0.1"]));
    }

    #[test]
    fn a_client_without_an_address_is_in_no_network() {
        assert!(!includes(choice(&["0.0.0.0/0", "::/0"], &[]), &[]));
        assert!(includes(choice(&[], &["0.0.0.0/0"]), &[]));
    }

    #[test]
    fn clients_are_chosen_by_what_they_call_themselves() {
        let redirect = Redirect {
            lifetime: Duration::from_mins(20),
            networks: choice(&[], &[]),
            user_agents: choice(&["containerd/*", "docker/*"], &["*windows*"]),
        };
        let includes = |user_agent| redirect.includes(&[], user_agent);
        assert!(includes("containerd/v2.0") && includes("docker/27.1 (linux)"));
        assert!(!includes("curl/8.0") && !includes("docker/27.1 (windows)") && !includes(""));
    }
}
