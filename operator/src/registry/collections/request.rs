//! The annotation `berth.dev/gc`: each new value runs one garbage collection. The value that was last done is in the status, and
//! the Job has a name that follows from the value, so that neither a restart nor a crash repeats one.

use std::hash::{DefaultHasher, Hash, Hasher};

use berth_crds::{Registry, annotation::COLLECT_GARBAGE};
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

/// A number that changes when another run is asked for.
pub fn turns(registry: &impl ResourceExt) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    registry.annotations().get(COLLECT_GARBAGE)?.hash(&mut hasher);
    Some(hasher.finish())
}

/// The value of the annotation that nothing was done for yet, as the status repeats it.
fn pending(registry: &Registry) -> Option<String> {
    let value = registry.annotations().get(COLLECT_GARBAGE).filter(|value| !value.is_empty())?;
    let value = if value.len() > VALUE_LIMIT {
        format!(
            "{}… (sha256:{})",
            &value[..value.floor_char_boundary(VALUE_LIMIT / 4)],
            sha256_hex(value.as_bytes())
        )
    } else {
        value.clone()
    };
    let done = registry.status.as_ref().and_then(|status| status.gc.as_ref()?.last_request.as_ref());
    (done != Some(&value)).then_some(value)
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
        let value = pending(registry)?;
        let name = Objects::ids(&Identity::of(registry)).garbage_collection;
        let cron_job = steps.iter().flatten().find_map(|(id, desired)| match desired {
            Desired::Present(manifest) if *id == name => Some(manifest.clone()),
            _ => None,
        });
        Some(Self { value, cron_job })
    }

    /// The Job, or why it has to wait.
    fn job(&self, validated: &Validated, applied: &Applied) -> Result<Value, String> {
        if validated.spec.replicas == 0 {
            return Err("spec.replicas is 0".to_owned());
        }
        let Some(cron_job) = &self.cron_job else {
            return Err("no CronJob can be made of the spec".to_owned());
        };
        let deployment: Option<Deployment> = applied.children.get(&validated.identity.name);
        let serving = deployment.and_then(|deployment| deployment.status?.available_replicas);
        if serving.unwrap_or_default() == 0 {
            return Err("no replica serves".to_owned());
        }
        Ok(build::collection_job(&validated.identity, cron_job, &self.value))
    }

    /// Starts the run, unless it has to wait. A Job that exists already was made for the same value, before the status could say
    /// so.
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
        match create(context, &validated.identity, &job).await {
            Ok(()) => Ok(Request::Started(self.value)),
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(Request::Started(self.value)),
            Err(kube::Error::Api(status)) if apply::is_refusal(&status) => {
                Ok(Request::Refused(status.message.clone()))
            }
            Err(error) => Err(error),
        }
    }

    fn waiting(&self, reason: &str) -> String {
        format!("the one that the annotation {COLLECT_GARBAGE}={:?} asks for waits: {reason}", self.value)
    }
}

async fn create(context: &Context, identity: &Identity, job: &Value) -> Result<(), kube::Error> {
    let resource = ApiResource::erase::<Job>(&());
    let jobs: Api<DynamicObject> =
        Api::namespaced_with(context.client.clone(), &identity.namespace, &resource);
    let job: DynamicObject = serde_json::from_value(job.clone()).map_err(kube::Error::SerdeError)?;
    let parameters = PostParams { field_manager: Some(OPERATOR.to_owned()), ..PostParams::default() };
    jobs.create(&parameters, &job).await?;
    info!(
        job = job.name_any(),
        registry = identity.name,
        namespace = identity.namespace,
        "garbage collection started"
    );
    Ok(())
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
