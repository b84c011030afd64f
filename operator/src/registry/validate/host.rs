//! The names under which a registry is reached.

use berth_crds::RegistrySpec;

use crate::metadata::Identity;

/// The name inside the cluster; a port that clients assume anyway is left out.
pub(super) fn of_service(identity: &Identity, spec: &RegistrySpec) -> String {
    let service = format!("{}.{}.svc", identity.name, identity.namespace);
    let assumed = if spec.tls.disabled { 80 } else { 443 };
    match spec.service.port {
        port if port == assumed => service,
        port => format!("{service}:{port}"),
    }
}

/// A name without its port.
pub fn without_port(host: &str) -> &str {
    host.split_once(':').map_or(host, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use crate::fixtures::validated;

    #[test]
    fn the_host_has_a_port_only_if_clients_do_not_assume_it() {
        assert_eq!(validated("{}").host, "hub.default.svc");
        assert_eq!(validated("{service: {port: 5000}}").host, "hub.default.svc:5000");
        assert_eq!(validated("{tls: {disabled: true}}").host, "hub.default.svc:443");
        assert_eq!(validated("{tls: {disabled: true}, service: {port: 80}}").host, "hub.default.svc");
    }

    #[test]
    fn a_public_name_is_the_host_and_the_service_keeps_its_own() {
        let validated = validated("{host: 'registry.example.com:8443'}");
        assert_eq!(validated.host, "registry.example.com:8443");
        assert_eq!(validated.dns_name(), "registry.example.com");
        assert_eq!(validated.service_host, "hub.default.svc");
        assert_eq!(validated.hosts(), ["registry.example.com:8443", "hub.default.svc"]);
    }
}
