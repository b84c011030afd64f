//! What `spec.ingress` and `spec.gateway` need of the cluster.

use berth_crds::{Reason, RegistrySpec, exposure};
use k8s_openapi::api::networking::v1::IngressClass;

use super::{Finding, ingress_controller::IngressController};
use crate::{apis::Served, children::Kind, registry::observe::Observed};

/// The annotation of the class that an Ingress without one has.
const DEFAULT_CLASS: &str = "ingressclass.kubernetes.io/is-default-class";

/// How the registry can be reached from outside.
#[derive(Debug, Default)]
pub struct Exposure {
    /// What implements the Ingress, if it is one that the operator knows.
    pub controller: Option<IngressController>,
    /// The kinds that can be applied.
    pub served: Served,
    /// What the cluster lacks, if anything.
    pub obstacle: Option<Finding>,
}

impl Exposure {
    /// Whether an API is waited for that the cluster does not serve yet: that it does is no event.
    pub fn waits_for_api(&self) -> bool {
        let unserved = [Reason::GatewayApiNotServed, Reason::BackendTlsNotServed];
        self.obstacle.as_ref().is_some_and(|obstacle| unserved.contains(&obstacle.reason))
    }
}

pub(super) fn validate(spec: &RegistrySpec, observed: &Observed) -> Exposure {
    let served = observed.served.clone();
    let tls = !spec.tls.disabled;
    let (controller, obstacle) = match (&spec.ingress, &spec.gateway) {
        (Some(ingress), _) => match class(ingress, observed.ingress_classes.as_deref()) {
            Ok(controller) => (controller, controller.filter(|_| tls).and_then(|it| unverified(it, &served))),
            Err(obstacle) => (None, Some(obstacle)),
        },
        (None, Some(_)) => (None, unrouted(tls, &served)),
        (None, None) => (None, None),
    };
    Exposure { controller, served, obstacle }
}

/// What implements the class of the Ingress. Classes that may not be listed are not judged.
fn class(
    ingress: &exposure::Ingress,
    classes: Option<&[IngressClass]>,
) -> Result<Option<IngressController>, Finding> {
    let Some(classes) = classes else {
        return Ok(None);
    };
    let class = match &ingress.class_name {
        Some(name) => classes
            .iter()
            .find(|class| class.metadata.name.as_ref() == Some(name))
            .ok_or_else(|| not_found(name))?,
        None => classes.iter().find(|class| is_default(class)).ok_or_else(no_default)?,
    };
    let controller = class.spec.as_ref().and_then(|spec| spec.controller.as_deref()).unwrap_or_default();
    Ok(IngressController::of(controller))
}

fn is_default(class: &IngressClass) -> bool {
    let annotations = class.metadata.annotations.as_ref();
    annotations.and_then(|annotations| annotations.get(DEFAULT_CLASS)).is_some_and(|value| value == "true")
}

fn not_found(name: &str) -> Finding {
    let message = format!(
        "IngressClass {name} of spec.ingress.className does not exist: install its controller, or name one of \
         `kubectl get ingressclass`"
    );
    Finding::bad(Reason::IngressClassNotFound, message)
}

fn no_default() -> Finding {
    let message = format!(
        "the cluster has no default IngressClass: set spec.ingress.className to one of `kubectl get ingressclass`, or \
         annotate one with {DEFAULT_CLASS}=true"
    );
    Finding::bad(Reason::NoDefaultIngressClass, message)
}

/// Traefik verifies the registry's certificate by its own authorities unless a `ServersTransport` names others.
fn unverified(controller: IngressController, served: &Served) -> Option<Finding> {
    let lacks = controller == IngressController::Traefik && !served.has(Kind::ServersTransport);
    lacks.then(|| {
        Finding::bad(
            Reason::BackendTlsNotServed,
            "the cluster does not serve ServersTransport of traefik.io/v1alpha1, without which Traefik does not trust \
             the registry's certificate: install the custom resource definitions of Traefik",
        )
    })
}

fn unrouted(tls: bool, served: &Served) -> Option<Finding> {
    if !served.has(Kind::HTTPRoute) {
        let message = "the cluster does not serve HTTPRoute of gateway.networking.k8s.io/v1: install the Gateway API with \
                       an implementation, or use spec.ingress";
        return Some(Finding::bad(Reason::GatewayApiNotServed, message));
    }
    let lacks = tls && !served.has(Kind::BackendTLSPolicy);
    lacks.then(|| {
        Finding::bad(
            Reason::BackendTlsNotServed,
            "the cluster does not serve BackendTLSPolicy of gateway.networking.k8s.io/v1, without which a gateway does \
             not speak TLS to the registry: install Gateway API 1.4 or newer, or set spec.tls.disabled",
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures::registry;

    fn judged(spec: &str, classes: &[(&str, &str, bool)], served: &[Kind]) -> Exposure {
        let class = |(name, controller, default): &(&str, &str, bool)| {
            let annotations = json!({DEFAULT_CLASS: default.to_string()});
            serde_json::from_value(json!({
                "metadata": {"name": name, "annotations": annotations}, "spec": {"controller": controller},
            }))
            .unwrap()
        };
        let observed = Observed {
            ingress_classes: Some(classes.iter().map(class).collect()),
            served: served.iter().copied().collect(),
            ..Observed::default()
        };
        validate(&registry(spec).spec, &observed)
    }

    fn reason(exposure: &Exposure) -> Option<Reason> {
        exposure.obstacle.as_ref().map(|obstacle| obstacle.reason)
    }

    const NGINX: (&str, &str, bool) = ("web", "k8s.io/ingress-nginx", false);
    const TRAEFIK: (&str, &str, bool) = ("edge", "traefik.io/ingress-controller", true);

    #[test]
    fn the_class_tells_the_controller_whatever_it_is_called() {
        let spec = "{host: a.example, ingress: {className: web}}";
        let exposure = judged(spec, &[TRAEFIK, NGINX], &[]);
        assert_eq!((exposure.controller, reason(&exposure)), (Some(IngressController::Nginx), None));
    }

    #[test]
    fn without_a_class_the_default_one_counts() {
        let exposure = judged("{host: a.example, ingress: {}}", &[NGINX, TRAEFIK], &[Kind::ServersTransport]);
        assert_eq!((exposure.controller, reason(&exposure)), (Some(IngressController::Traefik), None));
        let exposure = judged("{host: a.example, ingress: {}}", &[NGINX], &[]);
        assert_eq!(reason(&exposure), Some(Reason::NoDefaultIngressClass));
    }

    #[test]
    fn a_class_that_does_not_exist_is_told() {
        let exposure = judged("{host: a.example, ingress: {className: other}}", &[NGINX], &[]);
        assert_eq!(reason(&exposure), Some(Reason::IngressClassNotFound));
        assert!(!exposure.waits_for_api());
    }

    #[test]
    fn traefik_needs_its_own_api_to_trust_the_registry() {
        let exposure = judged("{host: a.example, ingress: {}}", &[TRAEFIK], &[]);
        assert_eq!(reason(&exposure), Some(Reason::BackendTlsNotServed));
        let exposure = judged("{host: a.example, ingress: {}, tls: {disabled: true}}", &[TRAEFIK], &[]);
        assert_eq!(reason(&exposure), None);
    }

    #[test]
    fn a_gateway_needs_its_apis() {
        let spec = "{host: a.example, gateway: {parentRefs: [{name: web}]}}";
        assert_eq!(reason(&judged(spec, &[], &[])), Some(Reason::GatewayApiNotServed));
        let routes_only = judged(spec, &[], &[Kind::HTTPRoute]);
        assert_eq!(reason(&routes_only), Some(Reason::BackendTlsNotServed));
        assert!(routes_only.waits_for_api());
        assert_eq!(reason(&judged(spec, &[], &[Kind::HTTPRoute, Kind::BackendTLSPolicy])), None);
    }

    #[test]
    fn a_registry_inside_the_cluster_needs_nothing() {
        assert_eq!(reason(&judged("{}", &[], &[])), None);
    }
}
