//! ServiceAccount `NAME`: the registry's own, which may do nothing and whose token is not mounted.

use serde_json::{Value, json};

use crate::metadata::Identity;

pub(super) fn service_account(identity: &Identity) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": identity.owned(identity.name.clone()),
        "automountServiceAccountToken": false,
    })
}
