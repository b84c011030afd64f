//! Which names a Registry may lead nodes by, and where they lead. Pure.
//!
//! Whoever may create a Registry could otherwise take every pull of `docker.io` on every node: the name of its own Service is a
//! Registry's by right, and every other only if whoever installed the operator permits it.

use berth_crds::{Reason, Registry, mirrors::Mirror};
use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt;

use crate::{
    allow_list::AllowList,
    nodes::Entry,
    registry::{
        certificates,
        validate::{Finding, hosts_of, without_port},
    },
};

/// What may be claimed.
#[derive(Clone, Debug, Default)]
pub struct Permits {
    /// Names of `spec.host`.
    pub hosts: AllowList,
    /// Names of upstreams.
    pub mirrors: AllowList,
    /// The domain of the cluster.
    pub cluster_domain: String,
}

/// What a Registry's claims are judged by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    /// Its Service.
    pub(super) service: &'a Service,
    /// What it serves with, PEM; without one, plain HTTP.
    pub(super) certificate: Option<&'a str>,
}

/// What comes out.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// What nodes are told.
    pub(super) entries: Vec<Entry>,
    /// What of it they are not told, and why.
    pub(super) refused: Option<Finding>,
    /// What else is worth knowing.
    pub(super) remark: Option<String>,
}

/// Judges what a Registry claims.
pub(super) fn judge(registry: &Registry, seen: Seen<'_>, permits: &Permits) -> Claims {
    let endpoints = match endpoints(registry, seen) {
        Ok(endpoints) => endpoints,
        Err(refused) => return Claims { refused: Some(refused), ..Claims::default() },
    };
    let own = own_names(registry, &permits.cluster_domain);
    let mut claims = Claims::default();
    for host in &own {
        claims.add(host, &endpoints, None);
    }
    if let Some(host) = registry.spec.host.as_ref().filter(|host| !own.contains(host)) {
        match permits_host(host, permits) {
            true => claims.add(host, &endpoints, None),
            false if is_reached_otherwise(registry) => claims.remark = Some(left_to_dns(host)),
            false => claims.refused = Some(host_not_allowed(host)),
        }
    }
    for mirror in registry.spec.mirrors.iter().filter(|mirror| mirror.nodes) {
        if !permits_name(&permits.mirrors, &mirror.upstream) {
            claims.refused.get_or_insert_with(|| mirror_not_allowed(&mirror.upstream));
        } else if !is_open(registry, mirror) {
            claims.refused.get_or_insert_with(|| mirror_not_open(mirror));
        } else {
            claims.add(&mirror.upstream, &endpoints, Some(mirror));
        }
    }
    claims
}

impl Claims {
    fn add(&mut self, host: &str, endpoints: &[String], mirror: Option<&Mirror>) {
        self.entries.push(Entry {
            host: host.to_owned(),
            endpoints: endpoints.to_vec(),
            fallback: mirror.map(upstream),
            path: mirror.map(|mirror| mirror.prefix().to_owned()),
        });
    }
}

/// The names of the Service, the short one first.
fn own_names(registry: &Registry, cluster_domain: &str) -> Vec<String> {
    let short = hosts_of(registry).pop().unwrap_or_default();
    let long = match short.split_once(':') {
        Some((name, port)) => format!("{name}.{cluster_domain}:{port}"),
        None => format!("{short}.{cluster_domain}"),
    };
    vec![short, long]
}

/// The addresses of the Service, which its certificate has to name: nodes go by them, because they cannot resolve names of the
/// cluster.
fn endpoints(registry: &Registry, seen: Seen<'_>) -> Result<Vec<String>, Finding> {
    let spec = seen.service.spec.clone().unwrap_or_default();
    let addresses: Vec<String> = spec.cluster_ips.unwrap_or_default();
    let (scheme, assumed) = if registry.spec.tls.disabled { ("http", 80) } else { ("https", 443) };
    let is_named = |address: &String| {
        registry.spec.tls.disabled
            || seen.certificate.is_some_and(|certificate| certificates::is_valid_for(certificate, address))
    };
    let (named, unnamed): (Vec<String>, Vec<String>) = addresses.into_iter().partition(is_named);
    if named.is_empty() {
        return Err(not_in_certificate(registry, &unnamed));
    }
    let port = registry.spec.service.port;
    let endpoint = |address: &String| {
        let address = if address.contains(':') { format!("[{address}]") } else { address.clone() };
        let port = if port == assumed { String::new() } else { format!(":{port}") };
        format!("{scheme}://{address}{port}")
    };
    Ok(named.iter().map(endpoint).collect())
}

/// Names that end like those of Services are nobody's but the Service's own.
fn permits_host(host: &str, permits: &Permits) -> bool {
    let name = without_port(host);
    let of_service = [".svc".to_owned(), format!(".svc.{}", permits.cluster_domain)];
    !of_service.iter().any(|ending| name.ends_with(ending)) && permits_name(&permits.hosts, host)
}

/// An entry without a port permits every port.
fn permits_name(list: &AllowList, host: &str) -> bool {
    list.permits(host) || list.permits(without_port(host))
}

/// Whether clients of the public name see a certificate that is not the operator's own: nodes need not be told then.
fn is_reached_otherwise(registry: &Registry) -> bool {
    let spec = &registry.spec;
    let ends_before = spec.ingress.as_ref().is_some_and(|ingress| ingress.tls_secret_name.is_some());
    ends_before || spec.gateway.is_some() || spec.tls.secret_name.is_some() || spec.tls.issuer_ref.is_some()
}

/// Whether nodes, which have no password of this registry, may pull through a mirror.
fn is_open(registry: &Registry, mirror: &Mirror) -> bool {
    registry.spec.access.anonymous_pull || mirror.anonymous_pull
}

fn upstream(mirror: &Mirror) -> String {
    match (&mirror.url, mirror.upstream.as_str()) {
        (Some(url), _) => url.trim_end_matches('/').to_owned(),
        // What it is called is not where it answers.
        (None, "docker.io") => "https://registry-1.docker.io".to_owned(),
        (None, upstream) => format!("https://{upstream}"),
    }
}

fn left_to_dns(host: &str) -> String {
    format!(
        "{host} is left to the DNS of the nodes, unless nodeAgent.allowedHosts of the operator's chart names it"
    )
}

fn host_not_allowed(host: &str) -> Finding {
    let message = format!(
        "nodes are not led by {host} of spec.host: whoever installed the operator has to add it to nodeAgent.allowedHosts of \
         the chart"
    );
    Finding::bad(Reason::HostNotAllowed, message)
}

fn mirror_not_allowed(upstream: &str) -> Finding {
    let message = format!(
        "nodes are not led here for images of {upstream}: whoever installed the operator has to add it to \
         nodeAgent.allowedMirrors of the chart"
    );
    Finding::bad(Reason::MirrorNotAllowed, message)
}

fn mirror_not_open(mirror: &Mirror) -> Finding {
    let Mirror { upstream, .. } = mirror;
    let prefix = mirror.prefix();
    let message = format!(
        "nodes are not led here for images of {upstream}, because they have no password of this registry: set anonymousPull of that \
         mirror to true, which lets everybody who reaches the registry pull what is below {prefix}, or set its nodes to false and name \
         images of {upstream} by this registry's name, as HOST/{prefix}/…, with the pull Secret"
    );
    Finding::bad(Reason::MirrorNotOpen, message)
}

fn not_in_certificate(registry: &Registry, addresses: &[String]) -> Finding {
    let message = format!(
        "nodes are not led to the Service {}, because the certificate of spec.tls is not valid for its address {}: let it be issued \
         for that too, or set spec.nodeTrust to false where the nodes reach the registry by DNS and trust its issuer",
        registry.name_any(),
        addresses.join(", ")
    );
    Finding::bad(Reason::AddressNotInCertificate, message)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::fixtures;

    fn service(addresses: &[&str]) -> Service {
        serde_json::from_value(json!({"metadata": {}, "spec": {"clusterIPs": addresses}})).unwrap()
    }

    fn certificate(names: &[&str]) -> String {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let authority = certificates::issue_authority("test", None, Timestamp::now()).unwrap();
        certificates::issue_serving(&authority, "test", &names, Timestamp::now()).unwrap().certificate
    }

    fn permits(hosts: &[&str], mirrors: &[&str]) -> Permits {
        let list = |entries: &[&str]| {
            AllowList::new(&entries.iter().map(|&entry| entry.to_owned()).collect::<Vec<_>>())
        };
        Permits { hosts: list(hosts), mirrors: list(mirrors), cluster_domain: "cluster.local".to_owned() }
    }

    fn judged(spec: &str, permits: &Permits) -> Claims {
        let certificate = certificate(&["10.96.0.7", "fd00::7"]);
        let seen =
            Seen { service: &service(&["10.96.0.7", "fd00::7"]), certificate: Some(certificate.as_str()) };
        judge(&fixtures::registry(spec), seen, permits)
    }

    fn hosts(claims: &Claims) -> Vec<&str> {
        claims.entries.iter().map(|entry| entry.host.as_str()).collect()
    }

    fn reason(claims: &Claims) -> Option<Reason> {
        claims.refused.as_ref().map(|refused| refused.reason)
    }

    const OWN: [&str; 2] = ["hub.default.svc", "hub.default.svc.cluster.local"];

    #[test]
    fn the_names_of_its_service_are_a_registrys_by_right() {
        let claims =
            judged("{}", &Permits { cluster_domain: "cluster.local".to_owned(), ..Permits::default() });
        assert_eq!(hosts(&claims), OWN);
        assert_eq!(claims.entries[0].endpoints, ["https://10.96.0.7", "https://[fd00::7]"]);
        assert!(claims.refused.is_none() && claims.remark.is_none());
    }

    #[test]
    fn a_port_stands_in_names_and_addresses() {
        let claims = judged("{service: {port: 5000}}", &permits(&[], &[]));
        assert_eq!(hosts(&claims), ["hub.default.svc:5000", "hub.default.svc.cluster.local:5000"]);
        assert_eq!(claims.entries[0].endpoints[1], "https://[fd00::7]:5000");
    }

    #[test]
    fn nobody_takes_docker_io_by_calling_a_registry_so() {
        let claims = judged("{host: docker.io}", &permits(&["*.example.com"], &["docker.io"]));
        assert_eq!(hosts(&claims), OWN);
        assert_eq!(reason(&claims), Some(Reason::HostNotAllowed));
    }

    #[test]
    fn a_host_that_is_permitted_leads_to_the_service() {
        let claims = judged("{host: 'hub.example.com:8443'}", &permits(&["*.example.com"], &[]));
        assert_eq!(hosts(&claims)[2], "hub.example.com:8443");
        assert_eq!(claims.entries[2].endpoints[0], "https://10.96.0.7");
    }

    #[test]
    fn nobody_takes_the_name_of_another_registrys_service() {
        for host in ["other.team.svc", "other.team.svc.cluster.local:443"] {
            let claims = judged(&format!("{{host: '{host}'}}"), &permits(&["*"], &[]));
            assert_eq!(reason(&claims), Some(Reason::HostNotAllowed), "{host}");
        }
        assert_eq!(reason(&judged("{host: hub.default.svc.cluster.local}", &permits(&[], &[]))), None);
    }

    #[test]
    fn a_host_behind_a_certificate_of_others_may_be_left_to_dns() {
        let spec = "{host: hub.example.com, ingress: {tlsSecretName: public}}";
        let claims = judged(spec, &permits(&[], &[]));
        assert_eq!((hosts(&claims), reason(&claims)), (OWN.to_vec(), None));
        assert!(claims.remark.unwrap().starts_with("hub.example.com is left to the DNS"));
    }

    #[test]
    fn an_upstream_is_mirrored_for_nodes_only_where_that_is_permitted() {
        let spec = "{access: {anonymousPull: true}, mirrors: [{upstream: docker.io, nodes: true}, {upstream: quay.io}]}";
        let claims = judged(spec, &permits(&["docker.io"], &[]));
        assert_eq!((hosts(&claims), reason(&claims)), (OWN.to_vec(), Some(Reason::MirrorNotAllowed)));

        let claims = judged(spec, &permits(&[], &["docker.io", "quay.io"]));
        assert_eq!(hosts(&claims)[2..], ["docker.io"], "quay.io is not for nodes");
        assert_eq!(claims.entries[2].fallback.as_deref(), Some("https://registry-1.docker.io"));
        assert_eq!(claims.entries[2].path.as_deref(), Some("docker.io"));
    }

    #[test]
    fn nodes_are_led_to_a_mirror_only_where_they_may_pull() {
        let permits = permits(&[], &["docker.io"]);
        let closed = judged("{mirrors: [{upstream: docker.io, prefix: hub, nodes: true}]}", &permits);
        assert_eq!((hosts(&closed), reason(&closed)), (OWN.to_vec(), Some(Reason::MirrorNotOpen)));
        assert!(closed.refused.unwrap().message.contains("pull what is below hub"));
        let open = judged("{mirrors: [{upstream: docker.io, nodes: true, anonymousPull: true}]}", &permits);
        assert_eq!((hosts(&open)[2..].to_vec(), reason(&open)), (vec!["docker.io"], None));
    }

    #[test]
    fn nodes_are_not_led_to_an_address_that_the_certificate_does_not_name() {
        let public = certificate(&["hub.example.com"]);
        let seen = Seen { service: &service(&["10.96.0.7"]), certificate: Some(&public) };
        let claims = judge(&fixtures::registry("{}"), seen, &permits(&[], &[]));
        assert_eq!((hosts(&claims).len(), reason(&claims)), (0, Some(Reason::AddressNotInCertificate)));
    }

    #[test]
    fn plain_http_needs_no_certificate() {
        let seen = Seen { service: &service(&["10.96.0.7"]), certificate: None };
        let registry = fixtures::registry("{tls: {disabled: true}, service: {port: 80}}");
        let claims = judge(&registry, seen, &permits(&[], &[]));
        assert_eq!(claims.entries[0].endpoints, ["http://10.96.0.7"]);
    }
}
