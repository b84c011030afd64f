//! From a validated Registry to the objects that it should have. Pure, and cannot fail: whatever can be wrong was
//! found before.
//!
//! One file per kind, and one for each larger part of a pod. Manifests are written as Kubernetes' documentation shows them; a test holds them against the
//! types of the API.

pub mod access_rules;
mod backend_tls_policy;
mod bucket;
mod certificate;
mod collection_job;
pub(super) mod collector;
mod config_map;
mod cron_job;
mod deployment;
mod http_route;
mod ingress;
mod live_settings;
mod mirrors;
mod network_policy;
mod persistent_volume_claim;
mod pod_disruption_budget;
mod preset;
mod replication;
mod retention;
pub(crate) mod secret;
mod servers_transport;
mod service;
mod service_account;
mod volumes;

use serde_json::Value;

pub use collection_job::{collection_job, requested_job};
pub use config_map::CONFIG_FILE;
pub(super) use config_map::{ACCESS_RULES, AUTH_DIRECTORY, CONFIG_DIRECTORY, METRICS_PORT, TLS_DIRECTORY};
pub(super) use mirrors::MIRRORS_DIRECTORY;
pub use replication::copies;
pub use secret::JWKS_KEY;
pub use service::service;

use super::{authority::Periods, issue::Issued, validate::Validated};
use crate::{
    apply::{Desired, Step},
    children::{ChildId, Kind},
    metadata::Identity,
    nodes,
};

/// What all Registries have in common.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The image that registries run.
    pub image: String,
    /// When nodes pull it, as Kubernetes spells it.
    pub image_pull_policy: String,
    /// How long the phases of a rotation of the certificate authority last.
    pub rotation: Periods,
    /// The agents of the nodes, where there are any.
    pub node_agent: Option<nodes::Objects>,
}

/// Something for each object that a Registry may have, but for the `CronJobs` of its copies, which are as many as the spec wants.
#[derive(Debug, Clone, PartialEq)]
pub struct Objects<T> {
    /// Secret `NAME-ca`: the certificate authority with its key. Only the operator reads it.
    pub authority: T,
    /// Secret `NAME-tls`: what the registry serves with.
    pub serving_certificate: T,
    /// Secret `NAME-accounts`: the passwords of all accounts, and how far their replacement is. Only the operator reads it.
    pub accounts: T,
    /// Certificate `NAME-cert-manager`: what cert-manager is asked for.
    pub certificate: T,
    /// Secret `NAME-admin`: the user that may do everything.
    pub admin: T,
    /// Secret `NAME-pull`: the user that may pull, for `imagePullSecrets`.
    pub pull: T,
    /// Secret `NAME-auth`: the users and rights that the registry reads.
    pub auth: T,
    /// Secret `NAME-storage`: what opens the bucket, where the images are in one.
    pub storage: T,
    /// Secret `NAME-mirrors`: the passwords for the upstreams of mirrors.
    pub mirrors: T,
    /// ConfigMap `NAME-config`: the configuration that the registry reads.
    pub config: T,
    /// ConfigMap `NAME-ca`: the certificate authority for clients.
    pub ca_bundle: T,
    /// `PersistentVolumeClaim` `NAME`.
    pub claim: T,
    /// ServiceAccount `NAME`.
    pub service_account: T,
    /// ServiceAccount `NAME-gc`.
    pub collector: T,
    /// Service `NAME`.
    pub service: T,
    /// Ingress `NAME`.
    pub ingress: T,
    /// `HTTPRoute` `NAME`, where the Gateway API is served.
    pub route: T,
    /// `BackendTLSPolicy` `NAME`, where the Gateway API is served.
    pub backend_tls: T,
    /// `ServersTransport` `NAME`, where Traefik's API is served.
    pub servers_transport: T,
    /// NetworkPolicy `NAME`.
    pub network_policy: T,
    /// `PodDisruptionBudget` `NAME`.
    pub disruption_budget: T,
    /// Deployment `NAME`.
    pub deployment: T,
    /// CronJob `NAME-gc`.
    pub garbage_collection: T,
}

/// What should become of each object of a Registry.
pub type DesiredState = Objects<Desired<Value>>;

impl<T> Objects<T> {
    /// The stages in which they are applied: what others are made from comes first, then what others refer to. Those of a
    /// stage need nothing of each other, and go out at the same time. Taken apart without `..`, so that an object cannot be
    /// forgotten.
    pub fn into_stages(self) -> [Vec<T>; 3] {
        let Self {
            authority,
            serving_certificate,
            certificate,
            accounts,
            admin,
            pull,
            auth,
            storage,
            mirrors,
            config,
            ca_bundle,
            claim,
            service_account,
            collector,
            service,
            servers_transport,
            backend_tls,
            ingress,
            route,
            network_policy,
            disruption_budget,
            deployment,
            garbage_collection,
        } = self;
        [
            // The only keys and passwords there are. What is signed or hashed with them must not outlive a crash that they do not.
            vec![authority, accounts],
            vec![
                serving_certificate,
                certificate,
                admin,
                pull,
                auth,
                storage,
                mirrors,
                config,
                ca_bundle,
                claim,
                service_account,
                collector,
                service,
                servers_transport,
                backend_tls,
                network_policy,
            ],
            vec![ingress, route, disruption_budget, deployment, garbage_collection],
        ]
    }
}

impl Objects<ChildId> {
    /// The kind and name of each object of a Registry.
    pub fn ids(identity: &Identity) -> Self {
        let main = |kind| ChildId::new(kind, identity.name.clone());
        let with = |kind, suffix| ChildId::new(kind, identity.child(suffix));
        Self {
            authority: with(Kind::Secret, "ca"),
            serving_certificate: with(Kind::Secret, "tls"),
            accounts: with(Kind::Secret, "accounts"),
            certificate: with(Kind::Certificate, "cert-manager"),
            admin: with(Kind::Secret, "admin"),
            pull: with(Kind::Secret, "pull"),
            auth: with(Kind::Secret, "auth"),
            storage: with(Kind::Secret, "storage"),
            mirrors: with(Kind::Secret, "mirrors"),
            config: with(Kind::ConfigMap, "config"),
            ca_bundle: with(Kind::ConfigMap, "ca"),
            claim: main(Kind::PersistentVolumeClaim),
            service_account: main(Kind::ServiceAccount),
            collector: with(Kind::ServiceAccount, "gc"),
            service: main(Kind::Service),
            ingress: main(Kind::Ingress),
            route: main(Kind::HTTPRoute),
            backend_tls: main(Kind::BackendTLSPolicy),
            servers_transport: main(Kind::ServersTransport),
            network_policy: main(Kind::NetworkPolicy),
            disruption_budget: main(Kind::PodDisruptionBudget),
            deployment: main(Kind::Deployment),
            garbage_collection: with(Kind::CronJob, "gc"),
        }
    }
}

impl DesiredState {
    /// Each object with its kind and name, in the stages in which they are applied.
    pub fn into_steps(self, identity: &Identity) -> Vec<Vec<Step>> {
        let stages = Objects::ids(identity).into_stages().into_iter().zip(self.into_stages());
        stages.map(|(ids, desired)| ids.into_iter().zip(desired).collect()).collect()
    }
}

/// The objects that a Registry should have.
pub fn build(validated: &Validated, issued: &Issued, settings: &Settings) -> DesiredState {
    let config = config_map::config_file(validated);
    let ca = issued.certificates.ca();
    Objects {
        authority: secret::authority(&validated.identity, &issued.certificates),
        serving_certificate: secret::serving_certificate(&validated.identity, &issued.certificates),
        accounts: Desired::Present(secret::accounts(&validated.identity, &issued.accounts)),
        certificate: certificate::certificate(validated),
        admin: Desired::Present(secret::admin(validated, &issued.admin, ca)),
        pull: Desired::Present(secret::pull(validated, &issued.pull, ca)),
        auth: Desired::Present(secret::auth(validated, &issued.auth)),
        storage: bucket::secret(&validated.identity, validated.storage.files.as_ref()),
        mirrors: mirrors::secret(validated),
        ca_bundle: config_map::ca_bundle(&validated.identity, ca),
        claim: persistent_volume_claim::claim(validated),
        service_account: Desired::Present(service_account::service_account(validated)),
        collector: Desired::Present(collector::service_account(&validated.identity)),
        service: Desired::Present(service(validated)),
        ingress: ingress::ingress(validated, ca),
        route: http_route::http_route(validated),
        backend_tls: backend_tls_policy::backend_tls_policy(validated, ca),
        servers_transport: servers_transport::servers_transport(validated, ca),
        network_policy: network_policy::network_policy(validated),
        disruption_budget: pod_disruption_budget::pod_disruption_budget(validated),
        deployment: deployment::deployment(validated, &config, settings),
        garbage_collection: cron_job::cron_job(validated, ca, settings),
        config: Desired::Present(config_map::config(&validated.identity, &config)),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::{
        apps::v1::Deployment,
        batch::v1::CronJob,
        core::v1::{ConfigMap, PersistentVolumeClaim, Secret, Service, ServiceAccount},
        networking::v1::{Ingress, NetworkPolicy},
        policy::v1::PodDisruptionBudget,
    };
    use serde::{Serialize, de::DeserializeOwned};

    use super::*;
    use crate::{
        children::Children,
        fixtures::{settings, validated},
        registry::{issue, loaded::Loaded, validate::pod_template::unknown_field},
    };

    fn desired(spec: &str) -> (Identity, DesiredState) {
        let validated = validated(spec);
        let issued = issue::issue(
            &validated,
            &Children::default(),
            &Loaded::default(),
            settings().rotation,
            "2026-03-01T00:00:00Z".parse().unwrap(),
        )
        .unwrap();
        let desired = build(&validated, &issued, &settings());
        (validated.identity, desired)
    }

    fn check<K: DeserializeOwned + Serialize>(manifest: &Value) {
        let typed: K = serde_json::from_value(manifest.clone()).unwrap();
        assert_eq!(unknown_field("", manifest, &serde_json::to_value(typed).unwrap()), None);
    }

    #[test]
    fn every_manifest_is_one_of_its_kind() {
        let full = "{
            storage: {pvc: {storageClassName: fast}},
            service: {type: LoadBalancer, nodePort: 30443, annotations: {a: b}, loadBalancerClass: x/y,
                      loadBalancerSourceRanges: [10.0.0.0/8], ipFamilyPolicy: PreferDualStack},
            gc: {timeZone: Europe/Berlin, suspend: true},
            resources: {requests: {cpu: 1}, limits: {memory: 1Gi}},
            podTemplate: {spec: {nodeSelector: {disk: ssd}, imagePullSecrets: [{name: mirror}], tolerations: [{operator: Exists}]}},
        }";
        let empty_dir = "{storage: {emptyDir: {sizeLimit: 1Gi}}, tls: {disabled: true}}";
        let bucket =
            "{replicas: 3, storage: {s3: {bucket: images, region: r}}, serviceAccountAnnotations: {a: b}}";
        let public = "{host: hub.example.com, ingress: {className: web, annotations: {a: b}}}";
        for spec in ["{}", full, empty_dir, bucket, public] {
            let (identity, desired) = desired(spec);
            for (id, desired) in desired.into_steps(&identity).into_iter().flatten() {
                let Desired::Present(manifest) = desired else { continue };
                assert_eq!(manifest["kind"], format!("{:?}", id.kind));
                assert_eq!(manifest["metadata"]["name"], id.name);
                match id.kind {
                    Kind::ServiceAccount => check::<ServiceAccount>(&manifest),
                    Kind::Secret => check::<Secret>(&manifest),
                    Kind::ConfigMap => check::<ConfigMap>(&manifest),
                    Kind::PersistentVolumeClaim => check::<PersistentVolumeClaim>(&manifest),
                    Kind::Service => check::<Service>(&manifest),
                    Kind::Ingress => check::<Ingress>(&manifest),
                    Kind::NetworkPolicy => check::<NetworkPolicy>(&manifest),
                    Kind::PodDisruptionBudget => check::<PodDisruptionBudget>(&manifest),
                    Kind::Deployment => check::<Deployment>(&manifest),
                    Kind::CronJob => check::<CronJob>(&manifest),
                    // Nothing here has their types; their own tests show what they are.
                    Kind::Certificate | Kind::HTTPRoute | Kind::BackendTLSPolicy | Kind::ServersTransport => {
                    }
                }
            }
        }
    }

    #[test]
    fn everything_but_a_kept_claim_is_deleted_with_the_registry() {
        let (identity, desired) = desired("{}");
        for (id, desired) in desired.into_steps(&identity).into_iter().flatten() {
            let Desired::Present(manifest) = desired else { continue };
            let owned = manifest["metadata"]["ownerReferences"][0]["uid"] == "4f6c";
            assert_eq!(owned, id.kind != Kind::PersistentVolumeClaim, "{id}");
        }
    }
}
