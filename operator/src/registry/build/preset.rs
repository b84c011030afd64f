//! What each ingress controller has to be told so that large pushes come through, unbuffered and unhurried, and so that it
//! speaks TLS to the registry and verifies the certificate where it can.
//!
//! A push of a layer is one request, as large as the layer, and the registry is silent while it digests one.

use std::collections::BTreeMap;

use super::{ingress::certificate_secret, servers_transport};
use crate::registry::validate::{IngressController, Validated};

/// Annotations by name.
type Annotations = BTreeMap<String, String>;

/// The annotations of the Ingress. `verified` says that there is an authority to verify the registry's certificate with.
pub(super) fn of_ingress(validated: &Validated, verified: bool) -> Annotations {
    let Some(controller) = validated.exposure.controller else {
        return Annotations::new();
    };
    let backend = Backend {
        name: &validated.identity.name,
        dns_name: validated.dns_name(),
        secret: validated.identity.child("tls"),
        namespace: &validated.identity.namespace,
        tls: !validated.spec.tls.disabled,
        verified,
        edge_tls: certificate_secret(validated).is_some(),
    };
    match controller {
        IngressController::Nginx => nginx(&backend),
        IngressController::F5Nginx => f5_nginx(&backend),
        IngressController::HaProxy => haproxy(&backend),
        IngressController::HaProxyIngress => haproxy_ingress(&backend),
        // Traefik reads what it needs from the Service.
        IngressController::Traefik => Annotations::new(),
    }
}

/// The annotations of the Service, which Traefik reads.
/// <https://doc.traefik.io/traefik/reference/routing-configuration/kubernetes/ingress/>
pub(super) fn of_service(validated: &Validated) -> Annotations {
    let traefik = validated.exposure.controller == Some(IngressController::Traefik);
    if !traefik || validated.spec.tls.disabled {
        return Annotations::new();
    }
    let mut annotations =
        named("traefik.ingress.kubernetes.io", [("service.serversscheme", "https".to_owned())]);
    if let Some(transport) = servers_transport::reference(validated) {
        annotations.extend(named("traefik.ingress.kubernetes.io", [("service.serverstransport", transport)]));
    }
    annotations
}

/// The registry as an ingress controller sees it.
struct Backend<'a> {
    name: &'a str,
    dns_name: &'a str,
    /// The Secret with the certificate that the registry serves with, and the authority of it.
    secret: String,
    namespace: &'a str,
    tls: bool,
    verified: bool,
    /// Whether clients speak TLS to the controller.
    edge_tls: bool,
}

/// <https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/>: bodies are limited to 1 MiB and
/// buffered, and silence to 60 s. The Secret is named with its namespace, and its `ca.crt` counts.
fn nginx(backend: &Backend<'_>) -> Annotations {
    const PREFIX: &str = "nginx.ingress.kubernetes.io";
    let protocol = if backend.tls { "HTTPS" } else { "HTTP" };
    let mut annotations = texts(
        PREFIX,
        [
            ("backend-protocol", protocol),
            ("proxy-body-size", "0"),
            ("proxy-buffering", "off"),
            ("proxy-read-timeout", "900"),
            ("proxy-request-buffering", "off"),
            ("proxy-send-timeout", "900"),
        ],
    );
    if backend.edge_tls {
        annotations.extend(texts(PREFIX, [("ssl-redirect", "true")]));
    }
    if backend.verified {
        annotations.extend(named(
            PREFIX,
            [
                ("proxy-ssl-name", backend.dns_name.to_owned()),
                ("proxy-ssl-secret", format!("{}/{}", backend.namespace, backend.secret)),
                ("proxy-ssl-server-name", "on".to_owned()),
                ("proxy-ssl-verify", "on".to_owned()),
            ],
        ));
    }
    annotations
}

/// <https://docs.nginx.com/nginx-ingress-controller/configuration/ingress-resources/advanced-configuration-with-annotations/>:
/// it cannot verify the registry's certificate, and buffers requests, unless snippets are allowed.
fn f5_nginx(backend: &Backend<'_>) -> Annotations {
    const PREFIX: &str = "nginx.org";
    let mut annotations = texts(
        PREFIX,
        [
            ("client-max-body-size", "0"),
            ("proxy-buffering", "false"),
            ("proxy-read-timeout", "900s"),
            ("proxy-send-timeout", "900s"),
        ],
    );
    if backend.tls {
        annotations.extend(texts(PREFIX, [("ssl-services", backend.name)]));
    }
    annotations
}

/// <https://github.com/haproxytech/kubernetes-ingress/blob/master/documentation/annotations.md>: bodies have no limit, and a
/// server may be silent for 50 s. The Secret is named with its namespace.
fn haproxy(backend: &Backend<'_>) -> Annotations {
    const PREFIX: &str = "haproxy.org";
    let mut annotations = texts(PREFIX, [("timeout-server", "15m")]);
    if backend.edge_tls {
        annotations.extend(texts(PREFIX, [("ssl-redirect", "true")]));
    }
    if backend.tls {
        annotations.extend(texts(PREFIX, [("server-ssl", "true")]));
    }
    if backend.verified {
        let secret = format!("{}/{}", backend.namespace, backend.secret);
        annotations.extend(named(PREFIX, [("server-ca", secret)]));
    }
    annotations
}

/// <https://haproxy-ingress.github.io/docs/configuration/keys/>: bodies have no limit, and a server may be silent for 50 s.
fn haproxy_ingress(backend: &Backend<'_>) -> Annotations {
    const PREFIX: &str = "haproxy-ingress.github.io";
    let mut annotations = texts(PREFIX, [("timeout-server", "15m")]);
    if backend.tls {
        annotations.extend(texts(PREFIX, [("secure-backends", "true"), ("secure-sni", backend.dns_name)]));
    }
    if backend.verified {
        annotations.extend(texts(
            PREFIX,
            [("secure-verify-ca-secret", &backend.secret), ("secure-verify-hostname", backend.dns_name)],
        ));
    }
    annotations
}

fn texts<const N: usize>(prefix: &str, pairs: [(&str, &str); N]) -> Annotations {
    named(prefix, pairs.map(|(name, value)| (name, value.to_owned())))
}

fn named<const N: usize>(prefix: &str, pairs: [(&str, String); N]) -> Annotations {
    pairs.into_iter().map(|(name, value)| (format!("{prefix}/{name}"), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{children::Kind, fixtures::validated};

    const SPEC: &str = "{host: 'hub.example.com:8443', ingress: {}}";
    const PLAIN: &str = "{host: hub.example.com, ingress: {}, tls: {disabled: true}}";

    fn of(spec: &str, controller: IngressController) -> Validated {
        let mut validated = validated(spec);
        validated.exposure.controller = Some(controller);
        validated
    }

    fn lines(annotations: &Annotations) -> Vec<String> {
        annotations.iter().map(|(name, value)| format!("{name}: {value}")).collect()
    }

    fn preset(spec: &str, controller: IngressController, verified: bool) -> Vec<String> {
        lines(&of_ingress(&of(spec, controller), verified))
    }

    #[test]
    fn ingress_nginx_streams_and_verifies() {
        assert_eq!(
            preset(SPEC, IngressController::Nginx, true),
            [
                "nginx.ingress.kubernetes.io/backend-protocol: HTTPS",
                "nginx.ingress.kubernetes.io/proxy-body-size: 0",
                "nginx.ingress.kubernetes.io/proxy-buffering: off",
                "nginx.ingress.kubernetes.io/proxy-read-timeout: 900",
                "nginx.ingress.kubernetes.io/proxy-request-buffering: off",
                "nginx.ingress.kubernetes.io/proxy-send-timeout: 900",
                "nginx.ingress.kubernetes.io/proxy-ssl-name: hub.example.com",
                "nginx.ingress.kubernetes.io/proxy-ssl-secret: default/hub-tls",
                "nginx.ingress.kubernetes.io/proxy-ssl-server-name: on",
                "nginx.ingress.kubernetes.io/proxy-ssl-verify: on",
                "nginx.ingress.kubernetes.io/ssl-redirect: true",
            ]
        );
    }

    #[test]
    fn ingress_nginx_speaks_plain_http_to_a_registry_that_does() {
        let preset = preset(PLAIN, IngressController::Nginx, false);
        assert_eq!(preset[0], "nginx.ingress.kubernetes.io/backend-protocol: HTTP");
        assert!(!preset.iter().any(|line| line.contains("ssl")), "{preset:?}");
    }

    #[test]
    fn f5_nginx_takes_bodies_of_any_size() {
        assert_eq!(
            preset(SPEC, IngressController::F5Nginx, true),
            [
                "nginx.org/client-max-body-size: 0",
                "nginx.org/proxy-buffering: false",
                "nginx.org/proxy-read-timeout: 900s",
                "nginx.org/proxy-send-timeout: 900s",
                "nginx.org/ssl-services: hub",
            ]
        );
    }

    #[test]
    fn haproxy_waits_and_verifies() {
        assert_eq!(
            preset(SPEC, IngressController::HaProxy, true),
            [
                "haproxy.org/server-ca: default/hub-tls",
                "haproxy.org/server-ssl: true",
                "haproxy.org/ssl-redirect: true",
                "haproxy.org/timeout-server: 15m",
            ]
        );
    }

    #[test]
    fn haproxy_ingress_waits_and_verifies() {
        assert_eq!(
            preset(SPEC, IngressController::HaProxyIngress, true),
            [
                "haproxy-ingress.github.io/secure-backends: true",
                "haproxy-ingress.github.io/secure-sni: hub.example.com",
                "haproxy-ingress.github.io/secure-verify-ca-secret: hub-tls",
                "haproxy-ingress.github.io/secure-verify-hostname: hub.example.com",
                "haproxy-ingress.github.io/timeout-server: 15m",
            ]
        );
    }

    #[test]
    fn traefik_is_told_by_the_service() {
        let mut validated = of(SPEC, IngressController::Traefik);
        assert!(of_ingress(&validated, true).is_empty());
        assert_eq!(
            lines(&of_service(&validated)),
            ["traefik.ingress.kubernetes.io/service.serversscheme: https"]
        );
        validated.exposure.served = [Kind::ServersTransport].into_iter().collect();
        assert_eq!(
            lines(&of_service(&validated))[1],
            "traefik.ingress.kubernetes.io/service.serverstransport: default-hub@kubernetescrd"
        );
        assert!(of_service(&of(PLAIN, IngressController::Traefik)).is_empty());
        assert!(of_service(&of(SPEC, IngressController::Nginx)).is_empty());
    }
}
