//! The annotation `berth.dev/gc`: each new value runs one garbage collection. The value that was last done is in the status, and
//! the Job has a name that follows from the value, so that neither a restart nor a crash repeats one.

use std::hash::{DefaultHasher, Hash, Hasher};

use berth_crds::{
    Registry,
    annotation::{COLLECT_GARBAGE, REPLICATE},
};
use k8s_openapi::api::{apps::v1::Deployment, batch::v1::Job};
use kube::{
    Api, ResourceExt,
    api::{ApiResource, DynamicObject, PostParams},
};
use serde_json::Value;
use tracing::info;

use crate::{
    apply::{self, Applied, Desired, Step},
    context::Context,
    digest::sha256_hex,
    metadata::{Identity, OPERATOR},
    registry::{
        build::{self, Objects},
        validate::Validated,
    },
};

/// The longest value that the status repeats, in bytes.
const VALUE_LIMIT: usize = 128;

/// What became of the annotation.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub enum Request {
    /// Nothing is asked for that was not done.
    #[default]
    None,
    /// The run cannot start yet, for this reason.
    Waiting(String),
    /// There is a Job for this value.
    Started(String),
    /// The API server refused the Job, in these words.
    Refused(String),
}

/// A number that changes when another run is asked for, or when copies are.
pub fn turns(registry: &impl ResourceExt) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    [COLLECT_GARBAGE, REPLICATE].map(|annotation| registry.annotations().get(annotation)).hash(&mut hasher);
    Some(hasher.finish())
}

/// The value of an annotation, as the status repeats it, unless it is the one that was `done` last.
pub(in crate::registry) fn pending(
    registry: &Registry,
    annotation: &str,
    done: Option<&String>,
) -> Option<String> {
    let value = registry.annotations().get(annotation).filter(|value| !value.is_empty())?;
    let value = if value.len() > VALUE_LIMIT {
        format!(
            "{}… (sha256:{})",
            &value[..value.floor_char_boundary(VALUE_LIMIT / 4)],
            sha256_hex(value.as_bytes())
        )
    } else {
        value.clone()
    };
    (done != Some(&value)).then_some(value)
}

/// What keeps every Job from being of use now.
pub(in crate::registry) fn obstacle(validated: &Validated, applied: &Applied) -> Option<String> {
    if validated.spec.replicas == 0 {
        return Some("spec.replicas is 0".to_owned());
    }
    let deployment: Option<Deployment> = applied.children.get(&validated.identity.name);
    let serving = deployment.and_then(|deployment| deployment.status?.available_replicas);
    (serving.unwrap_or_default() == 0).then(|| "no replica serves".to_owned())
}

/// A run that is asked for, and the CronJob that it is made after.
#[derive(Debug, Clone, PartialEq)]
pub struct Pending {
    value: String,
    cron_job: Option<Value>,
}

impl Pending {
    /// The run that `registry` asks for and that was not done yet.
    pub fn of(registry: &Registry, steps: &[Vec<Step>]) -> Option<Self> {
        let done = registry.status.as_ref().and_then(|status| status.gc.as_ref()?.last_request.as_ref());
        let value = pending(registry, COLLECT_GARBAGE, done)?;
        let name = Objects::ids(&Identity::of(registry)).garbage_collection;
        let cron_job = steps.iter().flatten().find_map(|(id, desired)| match desired {
            Desired::Present(manifest) if *id == name => Some(manifest.clone()),
            _ => None,
        });
        Some(Self { value, cron_job })
    }

    /// The Job, or why it has to wait.
    fn job(&self, validated: &Validated, applied: &Applied) -> Result<Value, String> {
        let Some(cron_job) = &self.cron_job else {
            return Err("no CronJob can be made of the spec".to_owned());
        };
        match obstacle(validated, applied) {
            Some(reason) => Err(reason),
            None => Ok(build::collection_job(&validated.identity, cron_job, &self.value)),
        }
    }

    /// Starts the run, unless it has to wait.
    pub async fn start(
        self,
        context: &Context,
        validated: &Validated,
        applied: &Applied,
    ) -> Result<Request, kube::Error> {
        let job = match self.job(validated, applied) {
            Ok(job) => job,
            Err(reason) => return Ok(Request::Waiting(self.waiting(&reason))),
        };
        let refusal = create(context, &validated.identity, &job, "garbage collection started").await?;
        Ok(refusal.map_or(Request::Started(self.value), Request::Refused))
    }

    fn waiting(&self, reason: &str) -> String {
        format!("the one that the annotation {COLLECT_GARBAGE}={:?} asks for waits: {reason}", self.value)
    }
}

/// Makes a Job, and tells `what` that means; returns the words in which it was refused. One that exists already was made for the
/// same value, before the status could say so.
pub(in crate::registry) async fn create(
    context: &Context,
    identity: &Identity,
    job: &Value,
    what: &str,
) -> Result<Option<String>, kube::Error> {
    let resource = ApiResource::erase::<Job>(&());
    let jobs: Api<DynamicObject> =
        Api::namespaced_with(context.client.clone(), &identity.namespace, &resource);
    let job: DynamicObject = serde_json::from_value(job.clone()).map_err(kube::Error::SerdeError)?;
    let parameters = PostParams { field_manager: Some(OPERATOR.to_owned()), ..PostParams::default() };
    match jobs.create(&parameters, &job).await {
        Ok(_) => {
            info!(job = job.name_any(), registry = identity.name, namespace = identity.namespace, "{what}");
            Ok(None)
        }
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(None),
        Err(kube::Error::Api(status)) if apply::is_refusal(&status) => Ok(Some(status.message.clone())),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use crate::children::ChildId;
    use serde_json::json;

    use super::*;
    use crate::{
        children::{Children, Kind},
        fixtures::{self, settings},
        registry::{issue, loaded::Loaded},
    };

    fn pending(registry: &Registry) -> Option<String> {
        Pending::of(registry, &[]).map(|pending| pending.value)
    }

    fn asking(value: &str, spec: &str) -> Registry {
        let mut registry = fixtures::registry(spec);
        registry.annotations_mut().insert(COLLECT_GARBAGE.to_owned(), value.to_owned());
        registry
    }

    fn having_done(value: &str, registry: Registry) -> Registry {
        let status = serde_json::from_value(json!({"gc": {"lastRequest": value}})).unwrap();
        Registry { status: Some(status), ..registry }
    }

    fn applied(available: i32) -> Applied {
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "hub"},
            "status": {"availableReplicas": available},
        });
        let mut children = Children::default();
        let id = ChildId::new(Kind::Deployment, "hub".to_owned());
        children.insert(id, serde_json::from_value(deployment).unwrap());
        Applied { children, rejections: Vec::new() }
    }

    fn job(registry: &Registry, available: i32) -> Result<Value, String> {
        let validated = Validated::of(registry);
        let now = "2026-03-01T00:00:00Z".parse().unwrap();
        let issued =
            issue::issue(&validated, &Children::default(), &Loaded::default(), settings().rotation, now)
                .unwrap();
        let steps = build::build(&validated, &issued, &fixtures::settings()).into_steps(&validated.identity);
        Pending::of(registry, &steps).unwrap().job(&validated, &applied(available))
    }

    #[test]
    fn each_new_value_asks_once() {
        assert_eq!(pending(&asking("now", "{}")).as_deref(), Some("now"));
        assert_eq!(pending(&having_done("now", asking("now", "{}"))), None);
        assert_eq!(pending(&having_done("now", asking("again", "{}"))).as_deref(), Some("again"));
        assert_eq!(pending(&asking("", "{}")), None);
        assert_ne!(turns(&asking("now", "{}")), turns(&asking("again", "{}")));
    }

    #[test]
    fn a_long_value_is_repeated_in_short() {
        let (long, other) = ("x".repeat(100_000), format!("{}y", "x".repeat(99_999)));
        let short = pending(&asking(&long, "{}")).unwrap();
        assert!(short.len() < 128 && short.starts_with("xxx"), "{short}");
        assert_ne!(Some(short.clone()), pending(&asking(&other, "{}")));
        assert_eq!(pending(&having_done(&short, asking(&long, "{}"))), None);
    }

    #[test]
    fn a_run_waits_until_a_replica_serves() {
        assert!(job(&asking("now", "{}"), 1).is_ok());
        assert_eq!(job(&asking("now", "{}"), 0).unwrap_err(), "no replica serves");
        assert_eq!(job(&asking("now", "{replicas: 0}"), 1).unwrap_err(), "spec.replicas is 0");
    }

    #[test]
    fn what_keeps_the_schedule_from_running_keeps_it_waiting() {
        for spec in ["{gc: {schedule: nightly}}", "{podTemplate: {spec: {nope: 1}}}"] {
            assert_eq!(job(&asking("now", spec), 1).unwrap_err(), "no CronJob can be made of the spec");
        }
    }

    #[test]
    fn a_suspended_schedule_keeps_nobody_from_asking() {
        assert!(job(&asking("now", "{gc: {suspend: true}}"), 1).is_ok());
    }
}
