//! What nodes have to know of a Registry, read from its objects now.

use berth_crds::Registry;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use kube::{Api, Client};

use super::claims::Seen;
use crate::{
    metadata::Identity,
    registry::{build::Objects, certificates, credentials::text},
};

/// What there is.
#[derive(Debug)]
pub(super) struct Observed {
    service: Option<Service>,
    certificate: Option<String>,
    /// The authorities for clients, PEM.
    pub(super) authorities: Option<String>,
}

impl Observed {
    /// Reads it.
    pub(super) async fn of(client: &Client, registry: &Registry) -> Result<Self, kube::Error> {
        let identity = Identity::of(registry);
        let ids = Objects::ids(&identity);
        let services: Api<Service> = Api::namespaced(client.clone(), &identity.namespace);
        let secrets: Api<Secret> = Api::namespaced(client.clone(), &identity.namespace);
        let config_maps: Api<ConfigMap> = Api::namespaced(client.clone(), &identity.namespace);
        let (service, serving, bundle) = futures::try_join!(
            services.get_opt(&ids.service.name),
            secrets.get_opt(&ids.serving_certificate.name),
            config_maps.get_opt(&ids.ca_bundle.name),
        )?;
        Ok(Self {
            service: service.filter(|service| identity.has(&service.metadata)),
            certificate: serving
                .filter(|serving| identity.has(&serving.metadata))
                .and_then(|serving| text(&serving, "tls.crt")),
            authorities: bundle
                .filter(|bundle| identity.has(&bundle.metadata))
                .and_then(|bundle| bundle.data?.remove("ca.crt")),
        })
    }

    /// What claims are judged by, once all of it is there.
    pub(super) fn seen(&self, registry: &Registry) -> Option<Seen<'_>> {
        let service = self.service.as_ref()?;
        let tls = &registry.spec.tls;
        if self.certificate.is_none() && !tls.disabled {
            return None;
        }
        let is_own = !tls.disabled && tls.secret_name.is_none() && tls.issuer_ref.is_none();
        if is_own && !self.names_every_address(service) {
            // A Service that was made anew has another address, and the certificate follows.
            return None;
        }
        Some(Seen { service, certificate: self.certificate.as_deref() })
    }

    fn names_every_address(&self, service: &Service) -> bool {
        let addresses =
            service.spec.as_ref().and_then(|spec| spec.cluster_ips.as_deref()).unwrap_or_default();
        self.certificate.as_ref().is_some_and(|certificate| {
            addresses.iter().all(|address| certificates::is_valid_for(certificate, address))
        })
    }
}
