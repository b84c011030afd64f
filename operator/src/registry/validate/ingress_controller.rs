//! The ingress controllers whose annotations the operator knows.

/// An ingress controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IngressController {
    /// ingress-nginx of the Kubernetes project.
    Nginx,
    /// NGINX Ingress Controller of F5.
    F5Nginx,
    /// HAProxy Kubernetes Ingress Controller of HAProxy Technologies.
    HaProxy,
    /// HAProxy Ingress, the community's.
    HaProxyIngress,
    /// Traefik.
    Traefik,
}

impl IngressController {
    /// The one of `IngressClass.spec.controller`. Classes are called as their owners please, two of the controllers even
    /// the same, so that only this tells which one it is. Some let an installation add `/NAME`.
    pub(super) fn of(controller: &str) -> Option<Self> {
        let mut parts = controller.splitn(3, '/');
        match (parts.next()?, parts.next()?) {
            ("k8s.io", "ingress-nginx") => Some(Self::Nginx),
            ("nginx.org", "ingress-controller") => Some(Self::F5Nginx),
            ("haproxy.org", "ingress-controller") => Some(Self::HaProxy),
            ("haproxy-ingress.github.io", "controller") => Some(Self::HaProxyIngress),
            ("traefik.io", "ingress-controller") => Some(Self::Traefik),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installation_may_add_a_name() {
        let of = IngressController::of;
        assert_eq!(of("haproxy.org/ingress-controller/public"), Some(IngressController::HaProxy));
        assert_eq!(of("haproxy-ingress.github.io/controller"), Some(IngressController::HaProxyIngress));
        assert_eq!(of("nginx.org/ingress-controller"), Some(IngressController::F5Nginx));
        assert_eq!(of("ingress.k8s.aws/alb"), None);
        assert_eq!(of(""), None);
    }
}
