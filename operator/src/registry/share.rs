//! The share of a Registry's status that is another controller's. It has a field manager of its own, so that neither that controller nor
//! the one that writes the rest undoes what the other reports.

use berth_crds::{ConditionType, Registry, RegistryStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
    runtime::events::Recorder,
};
use serde_json::{Value, json};

use super::{events, status::previous};

/// What such a controller reports.
#[derive(Debug)]
pub struct Share {
    /// Who reports it.
    pub field_manager: &'static str,
    /// All conditions that are its.
    pub conditions: Vec<Condition>,
    /// The field of the status that is its, with what stands there; without it there is none, and the schema knows no null.
    pub field: Option<(&'static str, Value)>,
}

/// The conditions that are others'.
const OTHERS: [ConditionType; 2] = [ConditionType::NodesReady, ConditionType::PullSecretsReady];

/// Takes out of a status what is others'.
pub fn without_others(mut status: RegistryStatus) -> RegistryStatus {
    (status.nodes, status.pull_secrets) = (None, None);
    status.conditions.retain(|condition| !is_anothers(condition));
    status
}

/// Whether a condition is another's.
pub fn is_anothers(condition: &Condition) -> bool {
    OTHERS.iter().any(|other| condition.type_ == other.as_str())
}

/// Stores a share that is news, and tells what turned.
pub async fn report(
    client: &Client,
    recorder: &Recorder,
    registry: &Registry,
    share: Share,
) -> Result<(), kube::Error> {
    let (namespace, name) = (registry.namespace().unwrap_or_default(), registry.name_any());
    let resource = ApiResource::erase::<Registry>(&());
    let registries: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &resource);
    let mut patch = json!({
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": name, "uid": registry.uid()},
        "status": {"conditions": share.conditions},
    });
    if let Some((field, value)) = share.field {
        patch["status"][field] = value;
    }
    let parameters = PatchParams::apply(share.field_manager).force();
    registries.patch_status(&name, &parameters, &Patch::Apply(patch)).await?;
    events::publish(recorder, &registry.object_ref(&()), previous(registry), &share.conditions).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use berth_crds::{Reason, nodes::NodesStatus, pull_secrets::PullSecretsStatus};
    use jiff::Timestamp;

    use super::*;
    use crate::registry::status::{State, Truth, with_times};

    #[test]
    fn what_is_others_is_taken_out_and_the_rest_is_left() {
        let state =
            |about| State { about, truth: Truth::True, reason: Reason::Synced, message: String::new() };
        let conditions = |states: Vec<_>| with_times(states, Some(1), &[], Timestamp::UNIX_EPOCH);
        let status = RegistryStatus {
            host: Some("hub.default.svc".to_owned()),
            pull_secrets: Some(PullSecretsStatus { namespaces: 2 }),
            nodes: Some(NodesStatus::default()),
            conditions: conditions(
                [OTHERS.as_slice(), &[ConditionType::Ready]].concat().into_iter().map(state).collect(),
            ),
            ..RegistryStatus::default()
        };
        let expected = RegistryStatus {
            host: Some("hub.default.svc".to_owned()),
            conditions: conditions(vec![state(ConditionType::Ready)]),
            ..RegistryStatus::default()
        };
        assert_eq!(without_others(status), expected);
    }
}
