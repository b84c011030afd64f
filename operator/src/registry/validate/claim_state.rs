//! How a claim is: bound, growing, lost, or waiting, and for what.

use berth_crds::Reason;
use k8s_openapi::api::{core::v1::PersistentVolumeClaim, storage::v1::StorageClass};

use super::{Finding, claim, quantity};
use crate::registry::observe::Observed;

/// The annotation of the class that claims without one get.
pub(super) const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";

/// How a claim is.
pub(super) fn state_of(claim: &PersistentVolumeClaim, observed: &Observed) -> Finding {
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
    let requested = claim::requested(claim).unwrap_or_default();
    if quantity::bytes(&requested) > quantity::bytes(&capacity) {
        let last_step =
            if waits_for_a_mount(claim) { "; its file system grows with the next pod" } else { "" };
        let message = format!("claim {name} is growing from {capacity} to {requested}{last_step}");
        return Finding::good(Reason::Resizing, message);
    }
    Finding::good(Reason::Bound, format!("claim {name} is bound to a volume of {capacity}"))
}

/// Whether the volume has grown and only its file system has not: some can do that only before they are mounted.
fn waits_for_a_mount(claim: &PersistentVolumeClaim) -> bool {
    let conditions =
        claim.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    conditions
        .iter()
        .any(|condition| condition.type_ == "FileSystemResizePending" && condition.status == "True")
}

/// The size of the volume that a claim is bound to.
pub fn capacity(claim: &PersistentVolumeClaim) -> Option<String> {
    let capacity = claim.status.as_ref()?.capacity.as_ref()?;
    capacity.get("storage").map(|size| size.0.clone())
}

/// Why a claim that is not bound may stay so.
pub(super) fn pending(class: Option<&str>, observed: &Observed) -> Finding {
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
    use serde_json::json;

    use super::super::claim::tests::{claim, default_class, observed, storage};
    use super::*;

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
    fn a_file_system_that_waits_for_the_next_pod_is_told() {
        let mut waiting = claim("ReadWriteOnce", "30Gi", "Bound");
        waiting["status"]["conditions"] = json!([{"type": "FileSystemResizePending", "status": "True"}]);
        let spec = "{storage: {pvc: {size: 30Gi}}}";
        let finding = storage(spec, &observed(Some(waiting), default_class())).finding;
        assert_eq!(
            finding.message,
            "claim hub is growing from 20Gi to 30Gi; its file system grows with the next pod"
        );
    }
}
