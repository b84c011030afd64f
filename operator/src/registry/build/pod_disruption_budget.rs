//! `PodDisruptionBudget` `NAME`: where several replicas serve, those that drain nodes take one at a time. With one replica
//! there is none, because it could only keep nodes from being drained.

use serde_json::{Value, json};

use crate::{apply::Desired, registry::validate::Validated};

pub(super) fn pod_disruption_budget(validated: &Validated) -> Desired<Value> {
    if validated.spec.replicas <= 1 {
        return Desired::Absent;
    }
    let identity = &validated.identity;
    Desired::Present(json!({
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": identity.owned(identity.name.clone()),
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": identity.selector()},
            // A replica that serves nobody may go at any time.
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::validated;

    #[test]
    fn one_of_several_replicas_may_go_at_a_time() {
        let spec = "{replicas: 2, storage: {s3: {bucket: images, region: r}}}";
        let Desired::Present(budget) = pod_disruption_budget(&validated(spec)) else { panic!() };
        assert_eq!(budget["spec"]["maxUnavailable"], 1);
        assert_eq!(budget["spec"]["selector"]["matchLabels"]["app.kubernetes.io/instance"], "hub");
    }

    #[test]
    fn a_single_replica_keeps_no_node_from_being_drained() {
        assert_eq!(pod_disruption_budget(&validated("{}")), Desired::Absent);
        assert_eq!(pod_disruption_budget(&validated("{replicas: 0}")), Desired::Absent);
    }
}
