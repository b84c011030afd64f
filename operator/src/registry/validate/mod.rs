//! Finds whatever can be wrong with a Registry, so that [`build`](super::build) cannot fail. Pure: it decides from
//! what was observed.
//!
//! What is wrong in one part does not stop the others: each part comes out with a [`Finding`] for its condition and
//! with what to do meanwhile, which is to leave alone what works.

mod access;
mod applicants;
mod authorities;
mod claim;
mod claim_state;
pub mod consent;
mod exposure;
mod host;
mod ingress_controller;
mod issuer;
mod mirrors;
pub(super) mod pod_template;
mod provided;
mod quantity;
mod replication;
mod retention;
mod room;
mod s3;
pub(super) mod schedule;
mod service_accounts;
mod storage;
mod tls;

use berth_crds::{Reason, Registry, RegistrySpec, annotation::ROTATE};
use jiff::Timestamp;
use kube::ResourceExt;
use serde_json::{Map, Value};

pub use access::{Access, USERS, users_stored};
pub use applicants::{Applicant, granted};
pub use authorities::AUTHORITIES;
pub use claim_state::capacity;
pub use exposure::Exposure;
pub use host::without_port;
pub use ingress_controller::IngressController;
pub use mirrors::Mirrors;
pub use replication::Schedules;
pub use retention::Retention;
pub use s3::{ACCESS_KEY, Files, SECRET_KEY, SESSION_TOKEN};
pub use service_accounts::ServiceAccounts;
pub use storage::{Claim, Sharing, Storage};
pub use tls::{Certificate, Tls, load_balancer_addresses};

use super::{authority, observe::Observed};
use crate::{cron::Schedule, metadata::Identity, nodes::Known};

/// A Registry of which everything is known that its objects follow from.
#[derive(Debug)]
pub struct Validated {
    /// Whose objects they are.
    pub identity: Identity,
    /// The spec as it was given.
    pub spec: RegistrySpec,
    /// The name to use in image references.
    pub host: String,
    /// The name inside the cluster, which is the same unless the spec has a public one.
    pub service_host: String,
    /// How it is reached from outside.
    pub exposure: Exposure,
    /// The volume.
    pub storage: Storage,
    /// The serving certificate.
    pub tls: Tls,
    /// The users.
    pub access: Access,
    /// The RegistryAccesses for it.
    pub applicants: Vec<Applicant>,
    /// What the passwords of the generated users are to be replaced for.
    pub rotate_request: Option<String>,
    /// The ServiceAccounts that log in with their tokens.
    pub service_accounts: ServiceAccounts,
    /// What is merged over the pod template, or what is wrong with it.
    pub pod_template: Result<Map<String, Value>, Finding>,
    /// The schedule of the garbage collection, or what is wrong with it.
    pub schedule: Result<Schedule, Finding>,
    /// When each copy is made.
    pub replication: Schedules,
    /// Which tags are kept.
    pub retention: Retention,
    /// The registries elsewhere that it mirrors.
    pub mirrors: Mirrors,
    /// What nodes know of its authorities, while these are being replaced.
    pub nodes: Option<Known>,
}

/// How a part of a Registry is, in the terms of a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether the part works.
    pub good: bool,
    /// In a word.
    pub reason: Reason,
    /// In words that say what to do.
    pub message: String,
}

impl Finding {
    /// The part works.
    pub fn good(reason: Reason, message: impl Into<String>) -> Self {
        Self { good: true, reason, message: message.into() }
    }

    /// The part does not work.
    pub fn bad(reason: Reason, message: impl Into<String>) -> Self {
        Self { good: false, reason, message: message.into() }
    }
}

/// Judges each part of `registry` by what was observed at the time `now`.
pub fn validate(registry: &Registry, observed: &Observed, now: Timestamp) -> Validated {
    let identity = Identity::of(registry);
    let spec = registry.spec.clone();
    let service_accounts = service_accounts::validate(&identity, observed);
    let mut access = access::validate(&spec.access, observed.htpasswd_secret.as_ref());
    access.finding = service_accounts.remark(access.finding);
    let users = access.users_now(&observed.children, &identity);
    let service_host = host::of_service(&identity, &spec);
    let host = spec.host.clone().unwrap_or_else(|| service_host.clone());
    Validated {
        applicants: applicants::validate(registry, &observed.accesses, &observed.namespaces, &users, now),
        rotate_request: registry.annotations().get(ROTATE).cloned(),
        storage: storage::validate(&identity, &spec.storage, observed),
        tls: tls::validate(
            &identity,
            &spec,
            without_port(&host),
            authority::requested(registry),
            observed,
            now,
        ),
        access,
        service_accounts,
        pod_template: pod_template::validate(spec.pod_template.as_ref()),
        schedule: schedule::validate(&spec.gc, now),
        replication: replication::validate(spec.replication.as_ref(), now),
        retention: retention::validate(&identity, &spec.gc.retention, observed),
        exposure: exposure::validate(&spec, observed),
        mirrors: mirrors::validate(&identity, &spec.mirrors, observed),
        nodes: observed.nodes.clone(),
        identity,
        host,
        service_host,
        spec,
    }
}

/// The names of a Registry in image references, that of `status.host` first.
pub fn hosts_of(registry: &Registry) -> Vec<String> {
    let service = host::of_service(&Identity::of(registry), &registry.spec);
    let mut hosts: Vec<String> = registry.spec.host.iter().cloned().chain([service]).collect();
    hosts.dedup();
    hosts
}

impl Validated {
    /// The name of the registry without a port. Its certificate is for this one at least.
    pub fn dns_name(&self) -> &str {
        without_port(&self.host)
    }

    /// The names that images may have been pulled under, that of image references first.
    pub fn hosts(&self) -> Vec<&str> {
        let mut hosts = vec![self.host.as_str(), self.service_host.as_str()];
        hosts.dedup();
        hosts
    }
}

#[cfg(test)]
impl Validated {
    /// What comes out for `registry` before anything exists.
    pub(crate) fn of(registry: &Registry) -> Self {
        Self::of_observed(registry, &Observed::default())
    }

    /// What comes out for `registry` when this was observed.
    pub(crate) fn of_observed(registry: &Registry, observed: &Observed) -> Self {
        validate(registry, observed, "2026-03-01T00:00:00Z".parse().unwrap())
    }
}
