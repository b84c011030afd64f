//! `PersistentVolumeClaim` `NAME`: kept when the Registry is deleted, unless the spec says otherwise.

use berth_crds::storage::Reclaim;
use serde_json::{Value, json};

use crate::{
    apply::Desired,
    registry::validate::{Claim, Validated},
};

pub(super) fn claim(validated: &Validated) -> Desired<Value> {
    let Claim::Present { claim, size } = &validated.storage.claim else {
        return Desired::AsIs;
    };
    let identity = &validated.identity;
    let name = identity.name.clone();
    let metadata = match claim.reclaim {
        Reclaim::Retain => identity.kept(name),
        Reclaim::Delete => identity.owned(name),
    };
    let mut spec = json!({
        "accessModes": [claim.access_mode],
        "resources": {"requests": {"storage": size}},
    });
    if let Some(class) = &claim.storage_class_name {
        spec["storageClassName"] = json!(class);
    }
    Desired::Present(json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata,
        "spec": spec,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::validated;

    fn built(spec: &str) -> Value {
        match claim(&validated(spec)) {
            Desired::Present(claim) => claim,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn by_default_it_is_kept_and_the_cluster_chooses_the_class() {
        let claim = built("{}");
        assert_eq!(
            claim["spec"],
            json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "20Gi"}}})
        );
        assert!(claim["metadata"].get("ownerReferences").is_none());
    }

    #[test]
    fn with_reclaim_delete_it_belongs_to_the_registry() {
        let claim = built("{storage: {pvc: {reclaim: Delete, storageClassName: fast, size: 1Ti}}}");
        assert_eq!(claim["metadata"]["ownerReferences"][0]["name"], "hub");
        assert_eq!(claim["spec"]["storageClassName"], "fast");
        assert_eq!(claim["spec"]["resources"]["requests"]["storage"], "1Ti");
    }

    #[test]
    fn another_kind_of_storage_needs_no_claim_of_its_own() {
        assert_eq!(claim(&validated("{storage: {emptyDir: {}}}")), Desired::AsIs);
        assert_eq!(claim(&validated("{storage: {s3: {bucket: images, region: r}}}")), Desired::AsIs);
    }
}
