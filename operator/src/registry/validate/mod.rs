//! Finds whatever can be wrong with a Registry, so that [`build`](super::build) cannot fail. Pure: it decides from
//! what was observed.
//!
//! What is wrong in one part does not stop the others: each part comes out with a [`Finding`] for its condition and
//! with what to do meanwhile, which is to leave alone what works.

mod access;
mod claim;
mod claim_state;
mod issuer;
pub(super) mod pod_template;
mod provided;
mod quantity;
mod s3;
mod schedule;
mod storage;
mod tls;

use berth_crds::{Reason, Registry, RegistrySpec};
use jiff::Timestamp;
use serde_json::{Map, Value};

pub use access::Access;
pub use claim_state::capacity;
pub use s3::{ACCESS_KEY, AUTHORITIES, Files, SECRET_KEY, SESSION_TOKEN};
pub use storage::{Claim, Sharing, Storage};
pub use tls::{Certificate, Tls};

use super::{authority, observe::Observed};
use crate::metadata::Identity;

/// A Registry of which everything is known that its objects follow from.
#[derive(Debug)]
pub struct Validated {
    /// Whose objects they are.
    pub identity: Identity,
    /// The spec as it was given.
    pub spec: RegistrySpec,
    /// The name to use in image references.
    pub host: String,
    /// The volume.
    pub storage: Storage,
    /// The serving certificate.
    pub tls: Tls,
    /// The users.
    pub access: Access,
    /// What is merged over the pod template, or what is wrong with it.
    pub pod_template: Result<Map<String, Value>, Finding>,
    /// What is wrong with the schedule of the garbage collection, if anything is.
    pub schedule: Result<(), Finding>,
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
    let host = host(&identity, &spec);
    Validated {
        storage: storage::validate(&identity, &spec.storage, observed),
        tls: tls::validate(&identity, &spec.tls, &host, authority::requested(registry), observed, now),
        access: access::validate(&spec.access, observed.htpasswd_secret.as_ref()),
        pod_template: pod_template::validate(spec.pod_template.as_ref()),
        schedule: schedule::validate(&spec.gc.schedule),
        identity,
        host,
        spec,
    }
}

/// The name in image references; a port that clients assume anyway is left out.
fn host(identity: &Identity, spec: &RegistrySpec) -> String {
    let service = format!("{}.{}.svc", identity.name, identity.namespace);
    let assumed = if spec.tls.disabled { 80 } else { 443 };
    match spec.service.port {
        port if port == assumed => service,
        port => format!("{service}:{port}"),
    }
}

#[cfg(test)]
impl Validated {
    /// What comes out for `registry` before anything exists.
    pub(crate) fn of(registry: &Registry) -> Self {
        validate(registry, &Observed::default(), "2026-03-01T00:00:00Z".parse().unwrap())
    }
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
}
