//! The volume of `spec.storage`.

use berth_crds::{
    Reason,
    storage::{self, VolumeClaim},
};
use k8s_openapi::api::{core::v1::PersistentVolumeClaim, storage::v1::StorageClass};

use super::{Finding, quantity};
use crate::{metadata::Identity, registry::observe::Observed};

const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";

/// The volume.
#[derive(Debug)]
pub struct Storage {
    /// The claim to make.
    pub claim: Claim,
    /// The claim that pods mount; without one they have an emptyDir.
    pub claim_name: Option<String>,
    /// The size of the volume behind a claim that existed already.
    pub existing_capacity: Option<String>,
    /// For the condition `StorageReady`.
    pub finding: Finding,
}

/// What to do about the Registry's own claim.
#[derive(Debug, PartialEq, Eq)]
pub enum Claim {
    /// Make it, or let it grow to `size`.
    Present {
        /// What is asked for.
        claim: VolumeClaim,
        /// The size to request: never less than what was requested before.
        size: String,
    },
    /// Leave it alone: there is none to make, or it differs in what cannot be changed.
    AsIs,
}

pub(super) fn validate(identity: &Identity, storage: &storage::Storage, observed: &Observed) -> Storage {
    match (&storage.pvc, &storage.claim_name) {
        (Some(claim), _) => own_claim(identity, claim, observed),
        (None, Some(name)) => existing_claim(name, observed),
        (None, None) => {
            let message = "images are kept on the pod's own disk and are lost with the pod";
            let finding = Finding::good(Reason::Ephemeral, message);
            Storage { claim: Claim::AsIs, claim_name: None, existing_capacity: None, finding }
        }
    }
}

fn existing_claim(name: &str, observed: &Observed) -> Storage {
    let finding = match &observed.existing_claim {
        Some(claim) => state_of(claim, observed),
        None => Finding::bad(
            Reason::ClaimNotFound,
            format!(
                "PersistentVolumeClaim {name} of spec.storage.claimName does not exist: create it in this namespace, or name one that exists"
            ),
        ),
    };
    let existing_capacity = observed.existing_claim.as_ref().and_then(capacity);
    Storage { claim: Claim::AsIs, claim_name: Some(name.to_owned()), existing_capacity, finding }
}

fn own_claim(identity: &Identity, claim: &VolumeClaim, observed: &Observed) -> Storage {
    let existing: Option<PersistentVolumeClaim> = observed.children.get(&identity.name);
    let mismatch = existing.as_ref().and_then(|existing| mismatch(claim, existing));
    let finding = match (&existing, &mismatch) {
        (_, Some(mismatch)) => Finding::bad(Reason::ClaimMismatch, mismatch.clone()),
        (Some(existing), None) => state_of(existing, observed),
        (None, None) => pending(claim.storage_class_name.as_deref(), observed),
    };
    let size = existing.as_ref().map_or_else(|| claim.size.clone(), |existing| larger(&claim.size, existing));
    let claim = if mismatch.is_some() { Claim::AsIs } else { Claim::Present { claim: claim.clone(), size } };
    Storage { claim, claim_name: Some(identity.name.clone()), existing_capacity: None, finding }
}

/// How a retained claim differs from the spec in what Kubernetes does not let change.
fn mismatch(claim: &VolumeClaim, existing: &PersistentVolumeClaim) -> Option<String> {
    let spec = existing.spec.as_ref()?;
    let name = existing.metadata.name.as_deref().unwrap_or_default();
    let modes = spec.access_modes.as_deref().unwrap_or_default();
    if modes != [claim.access_mode.as_str()] {
        return Some(format!(
            "the claim {name} that is kept from before is {}, spec.storage.pvc.accessMode is {}: \
             create the Registry anew with the mode of the claim, or delete the claim with all its images",
            modes.join(", "),
            claim.access_mode.as_str()
        ));
    }
    let class = spec.storage_class_name.as_deref();
    match claim.storage_class_name.as_deref() {
        Some(wanted) if class != Some(wanted) => Some(format!(
            "the claim {name} that is kept from before has the StorageClass {}, spec.storage.pvc.storageClassName is \
             {wanted}: create the Registry anew with the class of the claim, or delete the claim with all its images",
            class.unwrap_or("(none)")
        )),
        _ => None,
    }
}

/// The spec's size, or what was requested before when that was more: a volume cannot shrink.
fn larger(size: &str, existing: &PersistentVolumeClaim) -> String {
    let requested = requested(existing).unwrap_or_default();
    if quantity::bytes(&requested) > quantity::bytes(size) { requested } else { size.to_owned() }
}

fn requested(claim: &PersistentVolumeClaim) -> Option<String> {
    let requests = claim.spec.as_ref()?.resources.as_ref()?.requests.as_ref()?;
    requests.get("storage").map(|size| size.0.clone())
}

fn state_of(claim: &PersistentVolumeClaim, observed: &Observed) -> Finding {
    let name = claim.metadata.name.as_deref().unwrap_or_default();
    let phase = claim.status.as_ref().and_then(|status| status.phase.as_deref());
    match phase {
        Some("Bound") => bound(name, claim),
        Some("Lost") => Finding::bad(
            Reason::ClaimLost,
            format!(
                "the PersistentVolume of claim {name} is gone: restore it, or delete the claim with all its images"
            ),
        ),
        _ => pending(claim.spec.as_ref().and_then(|spec| spec.storage_class_name.as_deref()), observed),
    }
}

fn bound(name: &str, claim: &PersistentVolumeClaim) -> Finding {
    let capacity = capacity(claim).unwrap_or_default();
    let requested = requested(claim).unwrap_or_default();
    if quantity::bytes(&requested) > quantity::bytes(&capacity) {
        return Finding::good(
            Reason::Resizing,
            format!("claim {name} is growing from {capacity} to {requested}"),
        );
    }
    Finding::good(Reason::Bound, format!("claim {name} is bound to a volume of {capacity}"))
}

/// The size of the volume that a claim is bound to.
pub fn capacity(claim: &PersistentVolumeClaim) -> Option<String> {
    let capacity = claim.status.as_ref()?.capacity.as_ref()?;
    capacity.get("storage").map(|size| size.0.clone())
}

/// Why a claim that is not bound may stay so.
fn pending(class: Option<&str>, observed: &Observed) -> Finding {
    let wait = || {
        Finding::bad(
            Reason::Pending,
            "the claim waits for its volume; `kubectl describe pvc` tells why if that takes long",
        )
    };
    let Some(classes) = &observed.storage_classes else {
        return wait();
    };
    let exists = |name: &str| classes.iter().any(|class| class.metadata.name.as_deref() == Some(name));
    match class {
        None | Some("") if !classes.iter().any(is_default) => Finding::bad(
            Reason::NoDefaultStorageClass,
            format!(
                "the cluster has no default StorageClass: annotate one with {DEFAULT_CLASS}=true, create a \
                 PersistentVolume that fits, or create the Registry anew with spec.storage.pvc.storageClassName"
            ),
        ),
        Some(name) if !name.is_empty() && !exists(name) => Finding::bad(
            Reason::StorageClassNotFound,
            format!(
                "StorageClass {name} of spec.storage.pvc.storageClassName does not exist: create it, create a \
                 PersistentVolume of that class, or create the Registry anew with another"
            ),
        ),
        _ => wait(),
    }
}

fn is_default(class: &StorageClass) -> bool {
    let annotations = class.metadata.annotations.as_ref();
    annotations.and_then(|annotations| annotations.get(DEFAULT_CLASS)).is_some_and(|value| value == "true")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        children::{ChildId, Kind},
        fixtures,
    };

    fn storage(spec: &str, observed: &Observed) -> Storage {
        let registry = fixtures::registry(spec);
        validate(&Identity::of(&registry), &registry.spec.storage, observed)
    }

    fn observed(claim: Option<Value>, classes: Value) -> Observed {
        let mut observed =
            Observed { storage_classes: serde_json::from_value(classes).unwrap(), ..Observed::default() };
        if let Some(claim) = claim {
            let id = ChildId::new(Kind::PersistentVolumeClaim, "hub".to_owned());
            observed.children.insert(id, serde_json::from_value(claim).unwrap());
        }
        observed
    }

    fn claim(mode: &str, requested: &str, phase: &str) -> Value {
        json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": "hub"},
            "spec": {
                "accessModes": [mode], "storageClassName": "fast",
                "resources": {"requests": {"storage": requested}},
            },
            "status": {"phase": phase, "capacity": {"storage": "20Gi"}},
        })
    }

    fn default_class() -> Value {
        json!([{"metadata": {"name": "fast", "annotations": {DEFAULT_CLASS: "true"}}, "provisioner": "p"}])
    }

    #[test]
    fn a_bound_claim_is_good() {
        let storage =
            storage("{}", &observed(Some(claim("ReadWriteOnce", "20Gi", "Bound")), default_class()));
        assert_eq!(storage.finding, Finding::good(Reason::Bound, "claim hub is bound to a volume of 20Gi"));
        assert_eq!(storage.claim_name.as_deref(), Some("hub"));
    }

    #[test]
    fn a_claim_waits_in_silence_while_a_class_can_serve_it() {
        assert_eq!(storage("{}", &observed(None, default_class())).finding.reason, Reason::Pending);
    }

    #[test]
    fn a_cluster_without_a_default_class_is_told() {
        let finding = storage("{}", &observed(None, json!([]))).finding;
        assert_eq!(finding.reason, Reason::NoDefaultStorageClass);
        assert!(finding.message.contains("is-default-class=true"));
    }

    #[test]
    fn a_class_that_does_not_exist_is_named() {
        let finding =
            storage("{storage: {pvc: {storageClassName: slow}}}", &observed(None, default_class())).finding;
        assert_eq!(finding.reason, Reason::StorageClassNotFound);
        assert!(finding.message.contains("StorageClass slow"));
    }

    #[test]
    fn a_kept_claim_never_shrinks() {
        let spec = "{storage: {pvc: {size: 10Gi}}}";
        let storage =
            storage(spec, &observed(Some(claim("ReadWriteOnce", "20Gi", "Bound")), default_class()));
        assert!(matches!(storage.claim, Claim::Present { size, .. } if size == "20Gi"));
    }

    #[test]
    fn a_claim_that_grows_stays_good() {
        let spec = "{storage: {pvc: {size: 30Gi}}}";
        let storage =
            storage(spec, &observed(Some(claim("ReadWriteOnce", "30Gi", "Bound")), default_class()));
        assert_eq!(
            storage.finding,
            Finding::good(Reason::Resizing, "claim hub is growing from 20Gi to 30Gi")
        );
    }

    #[test]
    fn a_kept_claim_that_cannot_become_what_is_asked_for_is_left_alone() {
        let spec = "{storage: {pvc: {accessMode: ReadWriteMany}}}";
        let storage =
            storage(spec, &observed(Some(claim("ReadWriteOnce", "20Gi", "Bound")), default_class()));
        assert_eq!(storage.finding.reason, Reason::ClaimMismatch);
        assert_eq!(storage.claim, Claim::AsIs);
    }

    #[test]
    fn a_named_claim_must_exist() {
        let storage = storage("{storage: {claimName: images}}", &Observed::default());
        assert_eq!(storage.finding.reason, Reason::ClaimNotFound);
        assert_eq!(storage.claim_name.as_deref(), Some("images"));
    }

    #[test]
    fn an_empty_dir_is_good_and_says_that_images_get_lost() {
        let storage = storage("{storage: {emptyDir: {}}}", &Observed::default());
        assert_eq!(storage.finding.reason, Reason::Ephemeral);
        assert_eq!(storage.claim_name, None);
    }
}
