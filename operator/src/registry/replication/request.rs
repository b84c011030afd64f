//! The annotation `berth.dev/replicate`: each new value makes every copy once, in a Job of its own, as that of a garbage collection
//! does.

use berth_crds::{Registry, annotation::REPLICATE};
use serde_json::Value;

use super::ids;
use crate::{
    apply::{Applied, Desired, Step},
    context::Context,
    registry::{
        build,
        collections::request::{Request, create, obstacle, pending},
        validate::Validated,
    },
};

/// Copies that are asked for, and the `CronJobs` that their Jobs are made after.
#[derive(Debug, Clone, PartialEq)]
pub struct Pending {
    value: String,
    cron_jobs: Vec<Value>,
}

impl Pending {
    /// What `registry` asks for and that was not done yet.
    pub fn of(registry: &Registry, steps: &[Vec<Step>]) -> Option<Self> {
        registry.spec.replication.as_ref()?;
        let status = registry.status.as_ref().and_then(|status| status.replication.as_ref());
        let value = pending(registry, REPLICATE, status.and_then(|status| status.last_request.as_ref()))?;
        let ids = ids(registry);
        let cron_jobs = steps.iter().flatten().filter_map(|(id, desired)| match desired {
            Desired::Present(manifest) if ids.contains(id) => Some(manifest.clone()),
            _ => None,
        });
        Some(Self { value, cron_jobs: cron_jobs.collect() })
    }

    /// Starts them, unless they have to wait.
    pub async fn start(
        self,
        context: &Context,
        validated: &Validated,
        applied: &Applied,
    ) -> Result<Request, kube::Error> {
        if let Some(reason) = self.obstacle(validated, applied) {
            return Ok(Request::Waiting(format!(
                "those that the annotation {REPLICATE}={:?} asks for wait: {reason}",
                self.value
            )));
        }
        for cron_job in &self.cron_jobs {
            let job = build::requested_job(&validated.identity, cron_job, REPLICATE, &self.value);
            if let Some(refusal) = create(context, &validated.identity, &job, "copy started").await? {
                return Ok(Request::Refused(refusal));
            }
        }
        Ok(Request::Started(self.value))
    }

    fn obstacle(&self, validated: &Validated, applied: &Applied) -> Option<String> {
        let unmade = self.cron_jobs.is_empty().then(|| "no CronJob can be made of the spec".to_owned());
        unmade.or_else(|| obstacle(validated, applied))
    }
}
