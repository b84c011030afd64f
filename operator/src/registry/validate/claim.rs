//! The claims of `spec.storage.pvc` and `spec.storage.claimName`: what to ask for, and what cannot be had.

use berth_crds::{
    Reason,
    storage::{AccessMode, VolumeClaim},
};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;

use super::{Claim, Finding, Sharing, Storage, claim_state, quantity};
use crate::{metadata::Identity, registry::observe::Observed};

pub(super) fn existing(name: &str, observed: &Observed) -> Storage {
    let finding = match &observed.existing_claim {
        Some(claim) => claim_state::state_of(claim, observed),
        None => Finding::bad(
            Reason::ClaimNotFound,
            format!(
                "PersistentVolumeClaim {name} of spec.storage.claimName does not exist: create it in this namespace, or name one that exists"
            ),
        ),
    };
    Storage {
        claim_name: Some(name.to_owned()),
        sharing: Sharing::of(observed.existing_claim.as_ref().is_some_and(is_shared)),
        existing_capacity: observed.existing_claim.as_ref().and_then(claim_state::capacity),
        ..Storage::unclaimed(finding)
    }
}

fn is_shared(claim: &PersistentVolumeClaim) -> bool {
    let modes = claim.spec.as_ref().and_then(|spec| spec.access_modes.as_deref()).unwrap_or_default();
    modes.iter().any(|mode| mode == AccessMode::ReadWriteMany.as_str())
}

pub(super) fn own(identity: &Identity, claim: &VolumeClaim, observed: &Observed) -> Storage {
    let existing: Option<PersistentVolumeClaim> = observed.children.get(&identity.name);
    let mismatch = existing.as_ref().and_then(|existing| mismatch(claim, existing));
    let finding = match (&existing, &mismatch) {
        (_, Some(mismatch)) => Finding::bad(Reason::ClaimMismatch, mismatch.clone()),
        (Some(existing), None) => claim_state::state_of(existing, observed),
        (None, None) => claim_state::pending(claim.storage_class_name.as_deref(), observed),
    };
    let too_small = existing.as_ref().and_then(|existing| cannot_grow(claim, existing, observed));
    let size = match (&existing, &too_small) {
        (None, _) => claim.size.clone(),
        (Some(existing), None) => larger(&claim.size, existing),
        (Some(existing), Some(_)) => requested(existing).unwrap_or_default(),
    };
    let finding = too_small.filter(|_| finding.good).unwrap_or(finding);
    let sharing = Sharing::of(claim.access_mode == AccessMode::ReadWriteMany);
    let claim = if mismatch.is_some() { Claim::AsIs } else { Claim::Present { claim: claim.clone(), size } };
    Storage { claim, claim_name: Some(identity.name.clone()), sharing, ..Storage::unclaimed(finding) }
}

/// Why the volume stays as small as it is, if the `StorageClass` lets none grow. The volume works as it is.
fn cannot_grow(
    claim: &VolumeClaim,
    existing: &PersistentVolumeClaim,
    observed: &Observed,
) -> Option<Finding> {
    let requested = requested(existing)?;
    if quantity::bytes(&claim.size) <= quantity::bytes(&requested) {
        return None;
    }
    let name = existing.spec.as_ref()?.storage_class_name.as_deref()?;
    let mut classes = observed.storage_classes.iter().flatten();
    let class = classes.find(|class| class.metadata.name.as_deref() == Some(name))?;
    (class.allow_volume_expansion != Some(true)).then(|| {
        let message = format!(
            "the volume stays at {requested}, since StorageClass {name} lets no volume grow: set its \
             allowVolumeExpansion, if its provisioner can do that, or copy the images to a second Registry"
        );
        Finding::good(Reason::ResizeUnsupported, message)
    })
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

/// What a claim asks for.
pub(super) fn requested(claim: &PersistentVolumeClaim) -> Option<String> {
    let requests = claim.spec.as_ref()?.resources.as_ref()?.requests.as_ref()?;
    requests.get("storage").map(|size| size.0.clone())
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        children::{ChildId, Kind},
        fixtures,
    };

    pub(crate) fn storage(spec: &str, observed: &Observed) -> Storage {
        let registry = fixtures::registry(spec);
        super::super::storage::validate(&Identity::of(&registry), &registry.spec.storage, observed)
    }

    pub(crate) fn observed(claim: Option<Value>, classes: Value) -> Observed {
        let mut observed =
            Observed { storage_classes: serde_json::from_value(classes).unwrap(), ..Observed::default() };
        if let Some(claim) = claim {
            let id = ChildId::new(Kind::PersistentVolumeClaim, "hub".to_owned());
            observed.children.insert(id, serde_json::from_value(claim).unwrap());
        }
        observed
    }

    pub(crate) fn claim(mode: &str, requested: &str, phase: &str) -> Value {
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

    pub(crate) fn default_class() -> Value {
        json!([{"metadata": {"name": "fast", "annotations": {claim_state::DEFAULT_CLASS: "true"}}, "provisioner": "p"}])
    }

    #[test]
    fn a_kept_claim_never_shrinks() {
        let spec = "{storage: {pvc: {size: 10Gi}}}";
        let storage =
            storage(spec, &observed(Some(claim("ReadWriteOnce", "20Gi", "Bound")), default_class()));
        assert!(matches!(storage.claim, Claim::Present { size, .. } if size == "20Gi"));
    }

    #[test]
    fn a_class_that_lets_no_volume_grow_is_named_and_nothing_is_asked_of_it() {
        let grown = |classes| {
            let spec = "{storage: {pvc: {size: 30Gi}}}";
            storage(spec, &observed(Some(claim("ReadWriteOnce", "20Gi", "Bound")), classes))
        };
        let rigid = grown(default_class());
        assert_eq!(rigid.finding.reason, Reason::ResizeUnsupported);
        assert!(
            rigid.finding.good && rigid.finding.message.contains("StorageClass fast lets no volume grow")
        );
        assert!(matches!(rigid.claim, Claim::Present { size, .. } if size == "20Gi"));

        let elastic =
            json!([{"metadata": {"name": "fast"}, "provisioner": "p", "allowVolumeExpansion": true}]);
        assert!(matches!(grown(elastic).claim, Claim::Present { size, .. } if size == "30Gi"));
        // Without the right to read the classes, the API server has the word.
        assert!(matches!(grown(json!(null)).claim, Claim::Present { size, .. } if size == "30Gi"));
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
}
