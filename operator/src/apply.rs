//! The one place that writes the objects of a Registry: server-side apply in fixed stages, and removal of what is
//! no longer wanted.
//!
//! Nothing is sent for an object that is as it was left. For each object the operator remembers what it asked for and
//! what the server made of it; only when either differs now is the object applied again. So it needs no knowledge of
//! the server's defaults and spellings, notices every edit, and is silent when nothing changed.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use futures::{StreamExt, stream};
use kube::{
    Client,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions},
    core::Status,
};
use serde_json::Value;
use tracing::{debug, info};

use crate::{
    backoff::RegistryKey,
    children::{ChildId, Children},
    digest::sha256_hex,
    metadata::{Identity, OPERATOR},
};

/// How many objects of a Registry are written at the same time.
const CONCURRENCY: usize = 8;

/// What should become of an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Desired<T> {
    /// It should exist like this.
    Present(T),
    /// It should not exist.
    Absent,
    /// It stays as it is, whether it exists or not: the spec is wrong about it, and what works goes on working.
    AsIs,
}

/// An object, and what should become of it.
pub type Step = (ChildId, Desired<Value>);

/// The objects after an apply, and what the API server refused.
#[derive(Debug, Default)]
pub struct Applied {
    /// The objects as the API server has them now.
    pub children: Children,
    /// What was refused; the objects after it in the order were applied all the same.
    pub rejections: Vec<Rejection>,
}

/// An object that the API server, an admission plugin or a quota refused.
#[derive(Debug, Clone)]
pub struct Rejection {
    /// The object.
    pub child: ChildId,
    /// The API server's words.
    pub message: String,
}

/// What was asked for and what the server made of it, for each object that was applied.
#[derive(Debug, Default)]
pub struct Fingerprints(Mutex<HashMap<RegistryKey, HashMap<ChildId, Fingerprint>>>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Fingerprint {
    desired: String,
    live: String,
}

/// Those of the desired objects whose names objects of somebody else have. They must not be applied.
pub fn taken_names<'a>(
    identity: &Identity,
    desired: impl IntoIterator<Item = &'a Step>,
    observed: &Children,
) -> Vec<ChildId> {
    let needed =
        desired.into_iter().filter(|(_, desired)| matches!(desired, Desired::Present(_))).map(|(id, _)| id);
    let is_foreign = |id: &&ChildId| observed.raw(id).is_some_and(|object| !identity.has(&object.metadata));
    needed.filter(is_foreign).cloned().collect()
}

/// Makes the objects of a Registry as desired, one stage after the other; those of a stage at the same time, since a new
/// Registry has many, and each waits for a disk. Objects that should be absent are removed last, and only when nothing was
/// refused. Fails on errors of the API server that may pass by themselves, and then goes on to no further stage.
pub async fn apply(
    client: &Client,
    fingerprints: &Fingerprints,
    identity: &Identity,
    stages: Vec<Vec<Step>>,
    observed: Children,
) -> Result<Applied, kube::Error> {
    let mut applied = Applied { children: observed, rejections: Vec::new() };
    let mut unwanted = Vec::new();
    for stage in stages {
        let writer = Writer { client, fingerprints, identity, observed: &applied.children };
        let mut applying = Vec::new();
        for (id, desired) in stage {
            match desired {
                Desired::Present(manifest) => applying.push(writer.apply(id, manifest)),
                Desired::Absent => unwanted.push(id),
                Desired::AsIs => {}
            }
        }
        // Each comes to its end, even if another fails: what was changed is told and remembered.
        let answers: Vec<_> = stream::iter(applying).buffered(CONCURRENCY).collect().await;
        for answer in answers {
            match answer? {
                Answer::Unchanged => {}
                Answer::Live(id, live) => applied.children.insert(id, live),
                Answer::Refused(rejection) => applied.rejections.push(rejection),
            }
        }
    }
    if applied.rejections.is_empty() {
        for id in unwanted {
            remove(client, identity, &id, &mut applied.children).await?;
        }
    }
    Ok(applied)
}

/// What the objects of a stage are applied with.
#[derive(Clone, Copy)]
struct Writer<'a> {
    client: &'a Client,
    fingerprints: &'a Fingerprints,
    identity: &'a Identity,
    observed: &'a Children,
}

/// What came of applying an object.
#[expect(clippy::large_enum_variant, reason = "a new Registry gets the large one for each of its objects")]
enum Answer {
    /// Nothing was asked.
    Unchanged,
    /// The API server has it like this now.
    Live(ChildId, DynamicObject),
    Refused(Rejection),
}

impl Writer<'_> {
    async fn apply(self, id: ChildId, manifest: Value) -> Result<Answer, kube::Error> {
        let Self { client, fingerprints, identity, observed } = self;
        let before = observed.raw(&id);
        let is_as_left = |live| fingerprints.matches(identity, &id, &Fingerprint::of(&manifest, live));
        if before.is_some_and(is_as_left) {
            return Ok(Answer::Unchanged);
        }
        let (api, parameters) = (id.api(client, &identity.namespace), PatchParams::apply(OPERATOR).force());
        match api.patch(&id.name, &parameters, &Patch::Apply(&manifest)).await {
            Ok(live) => {
                report_change(&id, before, &live);
                fingerprints.remember(identity, id.clone(), Fingerprint::of(&manifest, &live));
                Ok(Answer::Live(id, live))
            }
            Err(kube::Error::Api(status)) if is_refusal(&status) => {
                Ok(Answer::Refused(Rejection { child: id, message: status.message }))
            }
            Err(error) => Err(error),
        }
    }
}

/// The first apply after a start of the operator usually changes nothing.
fn report_change(id: &ChildId, before: Option<&DynamicObject>, after: &DynamicObject) {
    match before {
        None => info!(child = %id, "created"),
        Some(before) if before.metadata.resource_version == after.metadata.resource_version => {
            debug!(child = %id, "unchanged");
        }
        Some(_) => info!(child = %id, "changed"),
    }
}

/// Whether the API server understood the request and said no, as opposed to being unable to answer.
pub fn is_refusal(status: &Status) -> bool {
    matches!(status.code, 400 | 403 | 422)
}

async fn remove(
    client: &Client,
    identity: &Identity,
    id: &ChildId,
    children: &mut Children,
) -> Result<(), kube::Error> {
    let Some(live) = children.raw(id).filter(|live| identity.has(&live.metadata)) else {
        return Ok(());
    };
    // Only the very object that was looked at may be removed, not one that took its place since.
    let preconditions = Preconditions {
        uid: live.metadata.uid.clone(),
        resource_version: live.metadata.resource_version.clone(),
    };
    let parameters = DeleteParams::background().preconditions(preconditions);
    match id.api(client, &identity.namespace).delete(&id.name, &parameters).await {
        Ok(_) => info!(child = %id, "removed"),
        Err(kube::Error::Api(status)) if status.code == 404 => debug!(child = %id, "was gone already"),
        Err(error) => return Err(error),
    }
    children.remove(id);
    Ok(())
}

impl Fingerprints {
    /// Forgets a Registry that is gone.
    pub fn forget(&self, registry: &RegistryKey) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(registry);
    }

    fn matches(&self, identity: &Identity, id: &ChildId, now: &Fingerprint) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&key(identity)).and_then(|children| children.get(id)) == Some(now)
    }

    fn remember(&self, identity: &Identity, id: ChildId, now: Fingerprint) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(key(identity)).or_default().insert(id, now);
    }
}

fn key(identity: &Identity) -> RegistryKey {
    (identity.namespace.clone(), identity.name.clone())
}

impl Fingerprint {
    fn of(desired: &Value, live: &DynamicObject) -> Self {
        Self {
            desired: sha256_hex(desired.to_string().as_bytes()),
            live: sha256_hex(content(live).as_bytes()),
        }
    }
}

/// The object without what the server counts and what controllers report.
fn content(live: &DynamicObject) -> String {
    let mut live = live.clone();
    live.metadata.managed_fields = None;
    live.metadata.resource_version = None;
    live.metadata.generation = None;
    if let Some(data) = live.data.as_object_mut() {
        data.remove("status");
    }
    let metadata = serde_json::to_string(&live.metadata).unwrap_or_default();
    format!("{metadata}{}", live.data)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures;

    fn live(value: Value) -> DynamicObject {
        serde_json::from_value(value).unwrap()
    }

    fn config_map(level: &str, version: &str) -> DynamicObject {
        live(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "hub", "uid": "7", "resourceVersion": version, "generation": 3, "managedFields": []},
            "data": {"level": level},
            "status": {"seen": version},
        }))
    }

    #[test]
    fn status_and_counters_do_not_count_as_a_change() {
        let manifest = json!({"data": {"level": "info"}});
        assert_eq!(
            Fingerprint::of(&manifest, &config_map("info", "1")),
            Fingerprint::of(&manifest, &config_map("info", "2"))
        );
    }

    #[test]
    fn an_edit_of_the_object_or_of_the_wish_is_a_change() {
        let manifest = json!({"data": {"level": "info"}});
        let before = Fingerprint::of(&manifest, &config_map("info", "1"));
        assert_ne!(before, Fingerprint::of(&manifest, &config_map("debug", "1")));
        assert_ne!(before, Fingerprint::of(&json!({"data": {"level": "debug"}}), &config_map("info", "1")));
    }

    #[test]
    fn a_name_is_taken_only_if_it_is_needed() {
        let identity = Identity::of(&fixtures::registry("{}"));
        let id = ChildId::new(crate::children::Kind::ConfigMap, "hub-config".to_owned());
        let mut observed = Children::default();
        observed.insert(id.clone(), config_map("info", "1"));
        let taken = |desired| taken_names(&identity, &[(id.clone(), desired)], &observed);
        assert_eq!(taken(Desired::Present(json!({}))), std::slice::from_ref(&id));
        assert!(taken(Desired::Absent).is_empty());
        assert!(taken(Desired::AsIs).is_empty());
    }

    #[test]
    fn a_registry_that_is_gone_is_forgotten() {
        let identity = Identity::of(&fixtures::registry("{}"));
        let id = ChildId::new(crate::children::Kind::ConfigMap, "hub-config".to_owned());
        let fingerprint = Fingerprint::of(&json!({}), &config_map("info", "1"));
        let fingerprints = Fingerprints::default();
        fingerprints.remember(&identity, id.clone(), fingerprint.clone());
        assert!(fingerprints.matches(&identity, &id, &fingerprint));

        fingerprints.forget(&("default".to_owned(), "hub".to_owned()));
        assert!(!fingerprints.matches(&identity, &id, &fingerprint));
    }
}
