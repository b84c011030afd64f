//! ServiceAccount `NAME`: the registry's own, which may do nothing in the cluster and whose token is not mounted. A cloud
//! knows the registry by it.

use serde_json::{Value, json};

use crate::registry::validate::Validated;

pub(super) fn service_account(validated: &Validated) -> Value {
    let Validated { identity, spec, .. } = validated;
    let mut metadata = identity.owned(identity.name.clone());
    if !spec.service_account_annotations.is_empty() {
        metadata.annotations = Some(spec.service_account_annotations.clone());
    }
    json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata,
        "automountServiceAccountToken": false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::validated;

    #[test]
    fn a_cloud_finds_the_role_in_the_annotations() {
        let account = service_account(&validated("{serviceAccountAnnotations: {example.com/role: hub}}"));
        assert_eq!(account["metadata"]["annotations"], json!({"example.com/role": "hub"}));
        assert_eq!(account["automountServiceAccountToken"], false);
    }
}
