//! NetworkPolicy `NAME`: anybody may reach the registry's port, and the registry reaches nobody.

use serde_json::{Value, json};

use crate::{apply::Desired, registry::validate::Validated};

pub(super) fn network_policy(validated: &Validated) -> Desired<Value> {
    if !validated.spec.network_policy {
        return Desired::Absent;
    }
    let identity = &validated.identity;
    Desired::Present(json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": identity.owned(identity.name.clone()),
        "spec": {
            "podSelector": {"matchLabels": identity.selector()},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"ports": [{"port": "registry", "protocol": "TCP"}]}],
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::validated;

    #[test]
    fn only_the_registrys_port_is_open() {
        let Desired::Present(policy) = network_policy(&validated("{}")) else { panic!() };
        assert_eq!(policy["spec"]["ingress"], json!([{"ports": [{"port": "registry", "protocol": "TCP"}]}]));
        assert!(policy["spec"].get("egress").is_none());
    }

    #[test]
    fn it_can_be_switched_off() {
        assert_eq!(network_policy(&validated("{networkPolicy: false}")), Desired::Absent);
    }
}
