//! `Available` and `Progressing`: what the Deployment says, in the words of a Registry.

use berth_crds::Reason;
use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition};

use super::truth::Truth;
use crate::{
    metadata::{INSTANCE, Identity},
    registry::validate::{Finding, Validated},
};

/// Whether enough replicas serve.
pub(super) fn available(
    validated: &Validated,
    deployment: Option<&Deployment>,
    refusal: Option<&Finding>,
) -> (Truth, Reason, String) {
    if validated.spec.replicas == 0 {
        let message = "zero replicas are asked for: set spec.replicas to start the registry".to_owned();
        return (Truth::False, Reason::Stopped, message);
    }
    let Some(deployment) = deployment else {
        let (reason, message) = refusal.map_or_else(
            || (Reason::NoReplicas, "the Deployment does not exist yet".to_owned()),
            |finding| (finding.reason, finding.message.clone()),
        );
        return (Truth::False, reason, message);
    };
    let status = deployment.status.clone().unwrap_or_default();
    let serving = status.available_replicas.unwrap_or_default();
    let enough = condition(deployment, "Available").is_some_and(|condition| condition.status == "True");
    if is_current(deployment) && enough && serving > 0 {
        return (
            Truth::True,
            Reason::MinimumReplicas,
            format!("{serving} of {} replicas serve", validated.spec.replicas),
        );
    }
    (Truth::False, Reason::NoReplicas, why_not(validated, deployment))
}

fn why_not(validated: &Validated, deployment: &Deployment) -> String {
    let failure = condition(deployment, "ReplicaFailure").filter(|condition| condition.status == "True");
    match failure.and_then(|condition| condition.message.clone()) {
        Some(message) => format!("no pod could be made: {message}"),
        None => where_to_look(validated),
    }
}

/// Pods tell what is wrong with them by themselves, but for a bucket, which only the registry has asked.
fn where_to_look(validated: &Validated) -> String {
    let Identity { namespace, name, .. } = &validated.identity;
    let question = |verb| format!("`kubectl {verb} -n {namespace} -l {INSTANCE}={name}`");
    let told = format!("not enough replicas serve; {} tells why", question("describe pod"));
    match validated.spec.storage.s3 {
        Some(_) => format!("{told}, and {} what the bucket answers", question("logs")),
        None => told,
    }
}

/// Whether a change is being rolled out.
pub(super) fn progressing(
    deployment: Option<&Deployment>,
    refusal: Option<&Finding>,
) -> (Truth, Reason, String) {
    if let Some(finding) = refusal {
        return (Truth::False, finding.reason, finding.message.clone());
    }
    let rolling = || (Truth::True, Reason::RollingOut, "replicas are being started".to_owned());
    let Some(deployment) = deployment.filter(|deployment| is_current(deployment)) else {
        return rolling();
    };
    let progress = condition(deployment, "Progressing");
    match progress.and_then(|condition| condition.reason.as_deref()) {
        Some("NewReplicaSetAvailable") => {
            (Truth::False, Reason::Idle, "every replica is up to date".to_owned())
        }
        Some("ProgressDeadlineExceeded") => {
            let message = "the replicas do not become ready; the condition Available tells more".to_owned();
            (Truth::False, Reason::DeploymentUnavailable, message)
        }
        _ if deployment.spec.as_ref().and_then(|spec| spec.replicas) == Some(0) => {
            (Truth::False, Reason::Idle, "there are no replicas to update".to_owned())
        }
        _ => rolling(),
    }
}

/// Whether the Deployment's status is about its newest spec.
fn is_current(deployment: &Deployment) -> bool {
    let observed = deployment.status.as_ref().and_then(|status| status.observed_generation);
    observed.is_some() && observed >= deployment.metadata.generation
}

fn condition<'a>(deployment: &'a Deployment, about: &str) -> Option<&'a DeploymentCondition> {
    let conditions = deployment.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == about)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures::validated;

    fn deployment(generation: i64, serving: i32, progress: &str) -> Deployment {
        serde_json::from_value(json!({
            "metadata": {"name": "hub", "generation": generation},
            "status": {
                "observedGeneration": 1,
                "availableReplicas": serving,
                "conditions": [
                    {"type": "Available", "status": if serving > 0 { "True" } else { "False" }},
                    {"type": "Progressing", "status": "True", "reason": progress},
                ],
            },
        }))
        .unwrap()
    }

    #[test]
    fn a_deployment_that_serves_is_available() {
        let deployment = deployment(1, 1, "NewReplicaSetAvailable");
        let (truth, reason, message) = available(&validated("{}"), Some(&deployment), None);
        assert_eq!(
            (truth, reason, message.as_str()),
            (Truth::True, Reason::MinimumReplicas, "1 of 1 replicas serve")
        );
        assert_eq!(progressing(Some(&deployment), None).1, Reason::Idle);
    }

    #[test]
    fn a_status_of_an_older_spec_does_not_count() {
        let deployment = deployment(2, 1, "NewReplicaSetAvailable");
        assert_eq!(available(&validated("{}"), Some(&deployment), None).0, Truth::False);
        assert_eq!(progressing(Some(&deployment), None).1, Reason::RollingOut);
    }

    #[test]
    fn a_pod_that_cannot_be_made_is_told_in_the_words_of_the_cluster() {
        let mut deployment = deployment(1, 0, "NewReplicaSetCreated");
        let conditions = deployment.status.as_mut().unwrap().conditions.as_mut().unwrap();
        conditions.push(DeploymentCondition {
            type_: "ReplicaFailure".to_owned(),
            status: "True".to_owned(),
            message: Some("exceeded quota".to_owned()),
            ..DeploymentCondition::default()
        });
        assert_eq!(
            available(&validated("{}"), Some(&deployment), None).2,
            "no pod could be made: exceeded quota"
        );
    }

    #[test]
    fn a_bucket_that_does_not_answer_is_looked_for_in_the_log() {
        let deployment = deployment(1, 0, "NewReplicaSetCreated");
        let spec = "{storage: {s3: {bucket: images, region: r}}}";
        let message = available(&validated(spec), Some(&deployment), None).2;
        assert!(
            message.ends_with(
                "and `kubectl logs -n default -l app.kubernetes.io/instance=hub` what the bucket answers"
            ),
            "{message}"
        );
    }

    #[test]
    fn a_stopped_registry_is_not_available_on_purpose() {
        assert_eq!(available(&validated("{replicas: 0}"), None, None).1, Reason::Stopped);
    }

    #[test]
    fn a_wrong_pod_template_stops_progress_but_not_the_pods() {
        let deployment = deployment(1, 1, "NewReplicaSetAvailable");
        let refusal = Finding::bad(Reason::InvalidPodTemplate, "spec.podTemplate.x");
        assert_eq!(available(&validated("{}"), Some(&deployment), Some(&refusal)).0, Truth::True);
        assert_eq!(progressing(Some(&deployment), Some(&refusal)).1, Reason::InvalidPodTemplate);
        assert_eq!(available(&validated("{}"), None, Some(&refusal)).1, Reason::InvalidPodTemplate);
    }
}
