//! The conditions of a Registry.

use berth_crds::{
    ConditionType, Reason, collection_run::GarbageCollectionStatus, replication::ReplicationStatus,
};
use jiff::Timestamp;
use k8s_openapi::{
    api::apps::v1::Deployment,
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
};

use super::{Outcome, available, collected, exposed, reloaded, replicated, truth::Truth};
use crate::{
    apply::{Applied, Rejection},
    children::{ChildId, Kind},
    registry::{
        build::Objects,
        loaded::LiveFiles,
        validate::{Finding, Validated},
    },
};

/// A condition without its times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// What it is about.
    pub about: ConditionType,
    /// Whether it holds.
    pub truth: Truth,
    /// In a word.
    pub reason: Reason,
    /// In words that say what to do.
    pub message: String,
}

impl State {
    fn new(about: ConditionType, (truth, reason, message): (Truth, Reason, String)) -> Self {
        Self { about, truth, reason, message }
    }

    fn found(about: ConditionType, finding: &Finding) -> Self {
        let truth = if finding.good { Truth::True } else { Truth::False };
        Self { about, truth, reason: finding.reason, message: finding.message.clone() }
    }
}

/// Every condition, the summary first.
pub(super) fn states(
    outcome: Outcome<'_>,
    gc: &GarbageCollectionStatus,
    replication: Option<&ReplicationStatus>,
    now: Timestamp,
) -> Vec<State> {
    let Outcome { validated, applied, loaded, request, copy_request, .. } = outcome;
    let ids = Objects::ids(&validated.identity);
    let deployment: Option<Deployment> = applied.children.get(&ids.deployment.name);
    let template = validated.pod_template.as_ref().err().cloned();
    let no_deployment = template
        .or_else(|| unopened(validated))
        .or_else(|| refusal(applied, Kind::Deployment, Reason::Rejected));
    let files = LiveFiles::of(&validated.identity, &applied.children);
    let no_cron_job = refused_schedule(applied, |cron_job| *cron_job == ids.garbage_collection);
    let parts = vec![
        State::found(ConditionType::StorageReady, &storage(validated, applied)),
        State::found(ConditionType::TlsReady, &validated.tls.finding),
        State::found(ConditionType::AccessReady, &validated.access.finding),
        State::new(
            ConditionType::Available,
            available::available(validated, deployment.as_ref(), no_deployment.as_ref()),
        ),
        State::new(
            ConditionType::Progressing,
            available::progressing(deployment.as_ref(), no_deployment.as_ref()),
        ),
        State::new(ConditionType::Reloaded, reloaded::reloaded(&files, loaded)),
        State::new(
            ConditionType::GarbageCollected,
            collected::garbage_collected(validated, gc, request, no_cron_job.as_ref()),
        ),
    ];
    let mut states = vec![ready(validated, applied, &parts)];
    states.extend(parts);
    let no_copy = refused_schedule(applied, |cron_job| *cron_job != ids.garbage_collection);
    let replicated = replicated::replicated(validated, replication, copy_request, no_copy.as_ref(), now);
    states.extend(replicated.map(|replicated| State::new(ConditionType::Replicated, replicated)));
    let refused = EXPOSING.into_iter().find_map(|kind| refusal(applied, kind, Reason::Rejected));
    let exposed = exposed::exposed(validated, &applied.children, refused.as_ref());
    states.extend(exposed.map(|exposed| State::new(ConditionType::Exposed, exposed)));
    let mirrors = validated.mirrors.finding.as_ref();
    states.extend(mirrors.map(|finding| State::found(ConditionType::MirrorsReady, finding)));
    states
}

/// The kinds that lead clients to the registry from outside.
const EXPOSING: [Kind; 4] = [Kind::Ingress, Kind::HTTPRoute, Kind::BackendTLSPolicy, Kind::ServersTransport];

/// Why no pod is started: what opens the bucket was never there.
fn unopened(validated: &Validated) -> Option<Finding> {
    let storage = &validated.storage;
    storage.files.is_none().then(|| Finding::bad(Reason::StorageNotReady, storage.finding.message.clone()))
}

/// What was said about the volume, unless the API server refused the claim since.
fn storage(validated: &Validated, applied: &Applied) -> Finding {
    let found = &validated.storage.finding;
    match refusal(applied, Kind::PersistentVolumeClaim, Reason::ClaimRejected) {
        // The volume that is there goes on working.
        Some(refusal) if found.good => Finding::good(Reason::ResizeUnsupported, refusal.message),
        Some(refusal) => refusal,
        None => found.clone(),
    }
}

/// Why a CronJob is not there.
fn refused_schedule(applied: &Applied, is_meant: impl Fn(&ChildId) -> bool) -> Option<Finding> {
    let mut cron_jobs = applied.rejections.iter().filter(|rejection| rejection.child.kind == Kind::CronJob);
    let rejection = cron_jobs.find(|rejection| is_meant(&rejection.child))?;
    Some(Finding::bad(Reason::InvalidSchedule, sentence(rejection)))
}

fn refusal(applied: &Applied, kind: Kind, reason: Reason) -> Option<Finding> {
    let rejection = applied.rejections.iter().find(|rejection| rejection.child.kind == kind)?;
    Some(Finding::bad(reason, sentence(rejection)))
}

fn sentence(rejection: &Rejection) -> String {
    format!("{} was refused: {}", rejection.child, rejection.message)
}

/// `Ready`: the first part that keeps pushes and pulls from working says why.
fn ready(validated: &Validated, applied: &Applied, parts: &[State]) -> State {
    let not =
        |reason, message: &str| State::new(ConditionType::Ready, (Truth::False, reason, message.to_owned()));
    let own_condition = [Kind::PersistentVolumeClaim, Kind::CronJob, Kind::Deployment];
    if let Some(rejection) = applied.rejections.iter().find(|rejection| {
        let kind = rejection.child.kind;
        !own_condition.contains(&kind) && !EXPOSING.contains(&kind)
    }) {
        return not(Reason::Rejected, &sentence(rejection));
    }
    let part = |about| parts.iter().find(|part: &&State| part.about == about);
    let progressing = part(ConditionType::Progressing).is_some_and(|part| part.truth == Truth::True);
    let unavailable = match validated.spec.replicas {
        0 => Reason::Stopped,
        _ if progressing => Reason::Progressing,
        _ => Reason::DeploymentUnavailable,
    };
    let needed = [
        (ConditionType::StorageReady, Reason::StorageNotReady),
        (ConditionType::TlsReady, Reason::TlsNotReady),
        (ConditionType::AccessReady, Reason::AccessNotReady),
        (ConditionType::Available, unavailable),
    ];
    for (about, reason) in needed {
        if let Some(bad) = part(about).filter(|part| part.truth != Truth::True) {
            return not(reason, &bad.message);
        }
    }
    State::new(ConditionType::Ready, (Truth::True, Reason::Ready, "pushes and pulls work".to_owned()))
}

/// The conditions as they are stored: a condition whose status is as before keeps its time.
pub fn with_times(
    states: Vec<State>,
    generation: Option<i64>,
    previous: &[Condition],
    now: Timestamp,
) -> Vec<Condition> {
    let since = |about: &str, truth: &str| {
        let same = previous.iter().find(|condition| condition.type_ == about && condition.status == truth);
        // Kubernetes stores whole seconds.
        same.map_or_else(|| Time(whole_second(now)), |condition| condition.last_transition_time.clone())
    };
    let conditions = states.into_iter().map(|state| {
        let truth = format!("{:?}", state.truth);
        Condition {
            last_transition_time: since(state.about.as_str(), &truth),
            type_: state.about.to_string(),
            status: truth,
            reason: state.reason.to_string(),
            message: state.message,
            observed_generation: generation,
        }
    });
    conditions.collect()
}

fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        children::Children,
        fixtures::validated,
        registry::{
            accounts::Accounts,
            collections::{Collections, request::Request},
            loaded::Loaded,
        },
    };

    fn rejection(kind: Kind) -> Rejection {
        Rejection { child: ChildId::new(kind, "hub".to_owned()), message: "no".to_owned() }
    }

    fn serving() -> Children {
        let mut children = Children::default();
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "hub", "generation": 1},
            "status": {
                "observedGeneration": 1, "availableReplicas": 1,
                "conditions": [
                    {"type": "Available", "status": "True"},
                    {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
                ],
            },
        });
        let id = ChildId::new(Kind::Deployment, "hub".to_owned());
        children.insert(id, serde_json::from_value(deployment).unwrap());
        children
    }

    fn judged(validated: &Validated, applied: &Applied) -> Vec<State> {
        let outcome = Outcome {
            validated,
            applied,
            accounts: &Accounts::default(),
            loaded: &Loaded::default(),
            collections: &Collections::default(),
            replications: &Collections::default(),
            request: &Request::None,
            copy_request: &Request::None,
        };
        states(outcome, &GarbageCollectionStatus::default(), None, Timestamp::UNIX_EPOCH)
    }

    fn ready_after(spec: &str, rejections: Vec<Rejection>) -> State {
        let applied = Applied { children: serving(), rejections };
        judged(&validated(spec), &applied).remove(0)
    }

    const EMPTY_DIR: &str = "{storage: {emptyDir: {}}}";

    #[test]
    fn a_registry_whose_parts_work_is_ready() {
        let ready = ready_after(EMPTY_DIR, Vec::new());
        assert_eq!((ready.truth, ready.reason), (Truth::True, Reason::Ready));
    }

    #[test]
    fn the_first_part_that_does_not_work_says_why() {
        let ready = ready_after("{access: {htpasswdSecretName: team}}", Vec::new());
        assert_eq!(ready.reason, Reason::StorageNotReady);
        let ready = ready_after("{access: {htpasswdSecretName: team}, storage: {emptyDir: {}}}", Vec::new());
        assert_eq!(ready.reason, Reason::AccessNotReady);
        assert!(ready.message.contains("Secret team"));
    }

    #[test]
    fn a_garbage_collection_that_cannot_run_leaves_the_registry_ready() {
        let ready = ready_after("{storage: {emptyDir: {}}, gc: {schedule: nightly}}", Vec::new());
        assert_eq!(ready.reason, Reason::Ready);
        assert_eq!(ready_after(EMPTY_DIR, vec![rejection(Kind::CronJob)]).reason, Reason::Ready);
    }

    #[test]
    fn pods_that_could_not_open_their_bucket_are_not_on_their_way() {
        let spec = "{storage: {s3: {bucket: images, region: r, secretName: key}}}";
        let states = judged(&validated(spec), &Applied::default());
        let of = |about| states.iter().find(|state| state.about == about).unwrap();
        assert_eq!(of(ConditionType::Ready).reason, Reason::StorageNotReady);
        assert_eq!(of(ConditionType::StorageReady).reason, Reason::SecretNotFound);
        assert_eq!(of(ConditionType::Available).reason, Reason::StorageNotReady);
        let progressing = of(ConditionType::Progressing);
        assert_eq!((progressing.truth, progressing.reason), (Truth::False, Reason::StorageNotReady));
    }

    #[test]
    fn a_refused_object_is_named() {
        let ready = ready_after(EMPTY_DIR, vec![rejection(Kind::Service)]);
        assert_eq!((ready.reason, ready.message.as_str()), (Reason::Rejected, "Service hub was refused: no"));
    }

    #[test]
    fn a_claim_that_is_refused_counts_only_while_there_is_no_volume() {
        let rejections = || vec![rejection(Kind::PersistentVolumeClaim)];
        assert_eq!(ready_after("{}", rejections()).message, "PersistentVolumeClaim hub was refused: no");
        assert_eq!(ready_after(EMPTY_DIR, rejections()).reason, Reason::Ready);
    }

    #[test]
    fn a_condition_keeps_its_time_until_its_status_changes() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let state = |truth, message: &str| {
            State::new(ConditionType::Ready, (truth, Reason::Ready, message.to_owned()))
        };
        let first = with_times(vec![state(Truth::True, "a")], Some(1), &[], at(10));
        let second = with_times(vec![state(Truth::True, "b")], Some(2), &first, at(20));
        let third = with_times(vec![state(Truth::False, "b")], Some(2), &second, at(30));
        assert_eq!(second[0].last_transition_time.0, at(10));
        assert_eq!(second[0].observed_generation, Some(2));
        assert_eq!(third[0].last_transition_time.0, at(30));
    }
}
