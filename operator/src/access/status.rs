//! What a RegistryAccess reports about itself. Pure, but for the writes at the end.

use berth_crds::{ConditionType, Reason, RegistryAccess, RegistryAccessStatus};
use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::ObjectReference,
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
};
use kube::{
    Api, Resource, ResourceExt,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
    core::error_boundary::InvalidObject,
};
use serde_json::json;
use tracing::warn;

use super::{build::secret_name, judge::Judged};
use crate::{
    apply::Applied,
    children::{ChildId, Kind},
    context::Context,
    metadata::{Identity, OPERATOR},
    registry::{
        events,
        status::{State, Truth, with_times},
        validate::Finding,
    },
};

/// How it goes, now that the Secret was written or not.
pub(super) fn finding(access: &RegistryAccess, judged: &Judged, applied: &Applied, taken: bool) -> Finding {
    if taken {
        let message = format!(
            "Secret {} exists and belongs to somebody else: delete it, or set spec.secret.name to another name",
            secret_name(access)
        );
        return Finding::bad(Reason::SecretNameTaken, message);
    }
    match applied.rejections.first() {
        Some(rejection) => {
            Finding::bad(Reason::Rejected, format!("{} was refused: {}", rejection.child, rejection.message))
        }
        None => judged.finding.clone(),
    }
}

/// The status that tells this.
pub(super) fn status(
    access: &RegistryAccess,
    judged: &Judged,
    finding: Finding,
    has_secret: bool,
    now: Timestamp,
) -> RegistryAccessStatus {
    let before = access.status.as_ref();
    let last_rotation = judged.login.as_ref().map(|(current, _)| Time(current.since));
    RegistryAccessStatus {
        observed_generation: access.meta().generation,
        username: Some(judged.user.clone()),
        secret_name: has_secret.then(|| secret_name(access)),
        host: judged.hosts.first().cloned().or_else(|| before?.host.clone()),
        last_rotation: last_rotation.or_else(|| before?.last_rotation.clone()),
        conditions: conditions(finding, access.meta().generation, previous(access), now),
    }
}

/// Whether the Secret is there and is that of the RegistryAccess.
pub(super) fn has_secret(access: &RegistryAccess, identity: &Identity, applied: &Applied) -> bool {
    let id = ChildId::new(Kind::Secret, secret_name(access));
    applied.children.raw(&id).is_some_and(|secret| identity.has(&secret.metadata))
}

fn conditions(
    finding: Finding,
    generation: Option<i64>,
    previous: &[Condition],
    now: Timestamp,
) -> Vec<Condition> {
    let truth = if finding.good { Truth::True } else { Truth::False };
    let Finding { reason, message, .. } = finding;
    with_times(vec![State { about: ConditionType::Ready, truth, reason, message }], generation, previous, now)
}

fn previous(access: &RegistryAccess) -> &[Condition] {
    access.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default()
}

/// Stores a status that is news, and tells what turned.
pub(super) async fn report(
    context: &Context,
    access: &RegistryAccess,
    status: RegistryAccessStatus,
) -> Result<(), kube::Error> {
    if access.status.as_ref() == Some(&status) {
        return Ok(());
    }
    let (namespace, name) = (access.namespace().unwrap_or_default(), access.name_any());
    write(context, &namespace, &name, &status).await?;
    events::publish(&context.recorder, &access.object_ref(&()), previous(access), &status.conditions).await;
    Ok(())
}

/// Tells the user that a RegistryAccess does not parse: the operator and the definition are of different releases.
pub(super) async fn unparseable(context: &Context, invalid: &InvalidObject) -> Result<(), kube::Error> {
    warn!(error = invalid.error, "the RegistryAccess does not parse");
    let meta = &invalid.metadata;
    let (namespace, name) =
        (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default());
    let message = format!(
        "this operator cannot read the RegistryAccess: {}; correct that field, or install the operator and the CustomResourceDefinition of the same release",
        invalid.error
    );
    let live = api(context, &namespace).get_opt(&name).await?;
    let before: RegistryAccessStatus =
        live.and_then(|live| serde_json::from_value(live.data["status"].clone()).ok()).unwrap_or_default();
    let finding = Finding::bad(Reason::InvalidSpec, message);
    let conditions = conditions(finding, meta.generation, &before.conditions, Timestamp::now());
    if conditions == before.conditions {
        return Ok(());
    }
    let status = RegistryAccessStatus { observed_generation: meta.generation, conditions, ..before.clone() };
    write(context, &namespace, &name, &status).await?;
    let resource = ApiResource::erase::<RegistryAccess>(&());
    let reference = ObjectReference {
        api_version: Some(resource.api_version),
        kind: Some(resource.kind),
        namespace: Some(namespace),
        name: Some(name),
        uid: meta.uid.clone(),
        ..ObjectReference::default()
    };
    events::publish(&context.recorder, &reference, &before.conditions, &status.conditions).await;
    Ok(())
}

async fn write(
    context: &Context,
    namespace: &str,
    name: &str,
    status: &RegistryAccessStatus,
) -> Result<(), kube::Error> {
    let resource = ApiResource::erase::<RegistryAccess>(&());
    let patch = json!({
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": name},
        "status": status,
    });
    let parameters = PatchParams::apply(OPERATOR).force();
    api(context, namespace).patch_status(name, &parameters, &Patch::Apply(patch)).await.map(|_| ())
}

fn api(context: &Context, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(context.client.clone(), namespace, &ApiResource::erase::<RegistryAccess>(&()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{apply::Rejection, fixtures};

    fn judged() -> Judged {
        Judged {
            user: "team-a.ci".to_owned(),
            hosts: vec!["hub.default.svc".to_owned()],
            login: None,
            until: None,
            finding: Finding::good(Reason::Acknowledged, "good"),
        }
    }

    fn access() -> RegistryAccess {
        fixtures::access("team-a", "ci", "{allow: [{repositories: [x]}]}")
    }

    #[test]
    fn a_secret_that_cannot_be_written_is_told_before_anything_else() {
        let taken = finding(&access(), &judged(), &Applied::default(), true);
        assert_eq!(taken.reason, Reason::SecretNameTaken);
        assert!(taken.message.contains("Secret ci-registry"), "{}", taken.message);
        let child = ChildId::new(Kind::Secret, "ci-registry".to_owned());
        let refused = Rejection { child, message: "quota".to_owned() };
        let applied = Applied { rejections: vec![refused], ..Applied::default() };
        let refused = finding(&access(), &judged(), &applied, false);
        assert_eq!(
            (refused.reason, refused.message.as_str()),
            (Reason::Rejected, "Secret ci-registry was refused: quota")
        );
    }

    #[test]
    fn what_was_known_of_a_registry_that_is_gone_stays() {
        let mut access = access();
        let at = Timestamp::UNIX_EPOCH;
        let before = status(&access, &judged(), judged().finding, true, at);
        assert_eq!(before.secret_name.as_deref(), Some("ci-registry"));
        access.status = Some(before.clone());
        let gone = Judged { hosts: Vec::new(), ..judged() };
        let after = status(&access, &gone, Finding::bad(Reason::RegistryNotFound, "gone"), true, at);
        assert_eq!(after.host, before.host);
        assert_eq!(after.conditions[0].status, "False");
    }
}
