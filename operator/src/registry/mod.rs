//! The controller of `Registry`: observe → validate → issue → build → apply → status.
//!
//! Each step is a module of its name, in the order in which they run. Only the first and the last two talk to the API
//! server.

pub mod accounts;
pub mod authority;
pub mod build;
pub mod certificates;
pub mod chain;
pub mod collections;
mod consent_watches;
pub mod credentials;
pub(crate) mod events;
mod htpasswd;
pub mod issue;
pub mod loaded;
pub mod mirrored;
pub mod observe;
pub(crate) mod pause;
pub mod replication;
mod report;
pub mod share;
mod silence;
pub mod status;
pub mod validate;
pub(crate) mod watches;

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use berth_crds::Registry;
use futures::StreamExt;
use jiff::Timestamp;
use kube::{
    Api, Resource, ResourceExt,
    core::DeserializeGuard,
    runtime::{
        Controller, Predicate as _, PredicateConfig, WatchStreamExt,
        controller::{self, Action},
        predicates, reflector,
        watcher::{self, Event},
    },
};
use opentelemetry::KeyValue;
use tokio::time::timeout;
use tracing::{error, info, warn};

use crate::{
    apply::{self, Applied, Desired, Step},
    backoff::RegistryKey,
    children::Children,
    context::Context,
    health::Outstanding,
    metadata::Identity,
    metrics::FailureReason,
    telemetry::span,
    token_issuer,
};
use accounts::Accounts;
use collections::request::{self, Request};
use issue::Certificates;
use loaded::LiveFiles;
use observe::Observed;
use validate::Validated;
pub use watches::{Guarded, Scope};
pub(crate) use watches::{api, outline};

/// How many Registries are looked at at the same time.
const CONCURRENCY: u16 = 4;

/// How long a reconciliation may take. Without an end, an API server that hangs would hold it for ever.
const PATIENCE: Duration = Duration::from_mins(1);

/// A name that is taken is looked at again this often: of most kinds, the objects of others are not watched.
const NAME_TAKEN_RETRY: Duration = Duration::from_secs(30);

/// Why a reconciliation did not reach its end. It is tried again, later each time.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server could not be reached, or could not answer.
    #[error("the API server did not do what it was asked")]
    Api(#[from] kube::Error),
    /// It took too long.
    #[error("the API server did not answer in time")]
    Timeout(#[from] tokio::time::error::Elapsed),
    /// Something random or signed could not be made.
    #[error(transparent)]
    Issue(#[from] issue::IssueError),
    /// The API server refused an object. The conditions tell the user.
    #[error("{0} was refused: {1}")]
    Rejected(String, String),
}

impl Error {
    /// In a word.
    pub(crate) fn reason(&self) -> FailureReason {
        match self {
            Self::Api(_) => FailureReason::Api,
            Self::Timeout(_) => FailureReason::Timeout,
            Self::Issue(_) => FailureReason::Issue,
            Self::Rejected(..) => FailureReason::Rejected,
        }
    }
}

/// Looks after the Registries of `scope` until `shutdown` resolves and what had begun is finished. `unread` is told
/// when all of them have been read once.
pub fn controller<F>(
    context: Arc<Context>,
    scope: &Scope,
    unread: Outstanding,
    shutdown: F,
) -> impl Future<Output = ()> + Send + use<F>
where
    F: Future<Output = ()> + Send + Sync + 'static,
{
    let client = &context.client;
    let (known, writer) = reflector::store();
    context.metrics.count_registries(known.clone());
    let forgetting = Arc::clone(&context);
    let mut unread = Some(unread);
    let registries = watcher::watcher(watches::api::<Guarded>(client, scope), watcher::Config::default())
        .default_backoff()
        .modify(watches::outline)
        .inspect(move |event| match event {
            Ok(Event::InitDone) => unread.take().into_iter().for_each(Outstanding::done),
            Ok(Event::Delete(registry)) => forget(&forgetting, registry),
            _ => {}
        })
        .reflect(writer)
        .applied_objects()
        // The status is written by nobody else, and of labels and annotations only these mean anything here.
        .predicate_filter(
            predicates::generation
                .combine(pause::turns)
                .combine(accounts::requests)
                .combine(request::turns)
                .combine(authority::requests),
            PredicateConfig::default(),
        );
    Controller::for_stream(registries, known.clone())
        // A Registry itself is looked at without delay: its user waits.
        .with_config(controller::Config::default().concurrency(CONCURRENCY))
        .reconcile_on(watches::settled(watches::concerned(&context, scope, &known)))
        .reconcile_all_on(watches::settled(watches::classes(client)))
        .reconcile_all_on(watches::settled(token_issuer::changes(Arc::clone(&context))))
        .graceful_shutdown_on(shutdown)
        .run(reconcile, |_, never, _| match *never {}, context)
        .for_each(|outcome| async move {
            // An object may outlive its Registry for a moment; failed reconciliations have told of themselves.
            if let Err(controller::Error::QueueError(error)) = outcome {
                warn!(error = &error as &dyn std::error::Error, "watch interrupted; it is resumed");
            }
        })
}

fn forget(context: &Context, registry: &Guarded) {
    info!(registry = %registry.name_any(), namespace = registry.namespace(), "deleted");
    context.forget(&key(registry));
}

fn key(registry: &Guarded) -> RegistryKey {
    (registry.namespace().unwrap_or_default(), registry.name_any())
}

/// A failure has been told, and its next attempt is set, before the controller would ask what to do about it.
async fn reconcile(trigger: Arc<Guarded>, context: Arc<Context>) -> Result<Action, Infallible> {
    let registry = key(&trigger);
    let about = vec![
        KeyValue::new("k8s.namespace.name", registry.0.clone()),
        KeyValue::new("berth.registry.name", registry.1.clone()),
    ];
    Ok(span::root("reconcile", about, attempt(&context, &registry)).await)
}

async fn attempt(context: &Context, registry: &RegistryKey) -> Action {
    let (namespace, name) = registry;
    let begun = Instant::now();
    let outcome = match timeout(PATIENCE, read_and_advance(context, namespace, name)).await {
        Ok(outcome) => outcome,
        Err(elapsed) => Err(elapsed.into()),
    };
    if matches!(outcome, Err(Error::Api(_))) {
        // An API that is served no more is not told from other failures.
        context.apis.forget();
    }
    context.metrics.reconciled(begun.elapsed(), outcome.as_ref().err().map(Error::reason));
    span::tell("berth.result", if outcome.is_ok() { "success" } else { "failure" });
    match outcome {
        Ok(action) => {
            context.backoff.forget(registry);
            action
        }
        Err(error) => try_again(context, registry, &error),
    }
}

fn try_again(context: &Context, registry: &RegistryKey, error: &Error) -> Action {
    let (namespace, name) = registry;
    let delay = context.backoff.failed(registry.clone());
    span::tell("error.type", format!("{:?}", error.reason()));
    span::fail(&error.to_string());
    error!(
        registry = name,
        namespace,
        error = error as &dyn std::error::Error,
        ?delay,
        "reconciliation failed"
    );
    Action::requeue(delay)
}

async fn read_and_advance(context: &Context, namespace: &str, name: &str) -> Result<Action, Error> {
    match Api::<Guarded>::namespaced(context.client.clone(), namespace).get_opt(name).await? {
        // Owner references do what is left to do.
        None => Ok(Action::await_change()),
        Some(live) if live.meta().deletion_timestamp.is_some() => Ok(Action::await_change()),
        Some(DeserializeGuard(Ok(registry))) if pause::is_paused(&registry) => {
            report::report(context, &registry, pause::status(&registry, Timestamp::now())).await?;
            Ok(Action::await_change())
        }
        // All that is read at the same time makes it large.
        Some(DeserializeGuard(Ok(registry))) => Box::pin(advance(context, &registry)).await,
        Some(DeserializeGuard(Err(invalid))) => {
            report::unparseable(context, &invalid).await?;
            Ok(Action::await_change())
        }
    }
}

/// Brings a Registry to its spec.
async fn advance(context: &Context, registry: &Registry) -> Result<Action, Error> {
    let identity = Identity::of(registry);
    let mut observed = span::step("observe", observe::observe(context, registry)).await?;
    let mut plan = Plan::of(registry, &observed, context)?;
    let taken = apply::taken_names(&identity, plan.steps.iter().flatten(), &observed.children);
    if !taken.is_empty() {
        report::taken_names(context, registry, &taken).await?;
        return Ok(Action::requeue(NAME_TAKEN_RETRY));
    }
    if observed.children.raw(&build::Objects::ids(&identity).service).is_none() {
        // The certificate names the Service's address, so the Service comes before everything else.
        observed.children = apply_service(context, &plan.validated, observed.children).await?;
        plan = Plan::of(registry, &observed, context)?;
    }
    let Plan { validated, accounts, certificates, steps } = plan;
    let seen = LiveFiles::of(&identity, &observed.children);
    let pending = request::Pending::of(registry, &steps);
    let pending_copies = replication::request::Pending::of(registry, &steps);
    let Observed { children, loaded, collections, replications, .. } = observed;
    let applying = apply::apply(&context.client, &context.fingerprints, &identity, steps, children);
    let applied = span::step("apply", applying).await?;
    let request = match pending {
        Some(pending) => pending.start(context, &validated, &applied).await?,
        None => Request::None,
    };
    let copy_request = match pending_copies {
        Some(pending) => pending.start(context, &validated, &applied).await?,
        None => Request::None,
    };
    let (validated, accounts, applied) = (&validated, &accounts, &applied);
    let (loaded, collections, request) = (&loaded, &collections, &request);
    let (replications, copy_request) = (&replications, &copy_request);
    let outcome = status::Outcome {
        validated,
        accounts,
        applied,
        loaded,
        collections,
        replications,
        request,
        copy_request,
    };
    let status = status::status(registry, outcome, &context.settings);
    let turn = silence::turn_of_copies(validated, &status);
    span::step("status", report::report(context, registry, status)).await?;
    let files = LiveFiles::of(&identity, &applied.children);
    if seen == files {
        // What was written only now has not reached the kubelets, which would refresh what they have.
        loaded::poke(&context.client, &identity, &files, loaded).await?;
    }
    refuse_silence(
        applied,
        [("the Job of a garbage collection", request), ("the Job of a copy", copy_request)],
    )?;
    let silence = silence::silence(validated, &certificates, accounts, context.settings.rotation).min(turn);
    let key = (identity.namespace, identity.name);
    let soon = context.waiting.next_look(key, &files, loaded, Instant::now());
    Ok(Action::requeue(soon.map_or(silence, |soon| soon.min(silence))))
}

/// What `registry` should consist of, as things are now: nothing is written. Tests hold what is there against it.
pub async fn desired(context: &Context, registry: &Registry) -> Result<Vec<Step>, Error> {
    let observed = Box::pin(observe::observe(context, registry)).await?;
    Ok(Plan::of(registry, &observed, context)?.steps.concat())
}

/// What is to be done, decided without a request.
struct Plan {
    validated: Validated,
    accounts: Accounts,
    certificates: Certificates,
    /// In the stages in which they are applied.
    steps: Vec<Vec<Step>>,
}

impl Plan {
    fn of(registry: &Registry, observed: &Observed, context: &Context) -> Result<Self, Error> {
        let now = Timestamp::now();
        let Observed { children, loaded, .. } = observed;
        let periods = context.settings.rotation;
        let mut validated = span::decide("validate", || validate::validate(registry, observed, now));
        let issued = span::decide("issue", || issue::issue(&validated, children, loaded, periods, now))?;
        validated.tls.tell_rotation(&issued.certificates, periods);
        let desired = span::decide("build", || build::build(&validated, &issued, &context.settings));
        let mut steps = desired.into_steps(&validated.identity);
        let with_ca = issued.certificates.ca().is_some();
        steps.push(build::copies(registry, &validated, with_ca, &context.settings));
        Ok(Self { validated, accounts: issued.accounts, certificates: issued.certificates, steps })
    }
}

/// Applies the Service alone. If it is refused, it is refused again with the others, and told then.
async fn apply_service(
    context: &Context,
    validated: &Validated,
    observed: Children,
) -> Result<Children, Error> {
    let identity = &validated.identity;
    let service = build::Objects::ids(identity).service;
    let step = (service, Desired::Present(build::service(validated)));
    let applying = apply::apply(&context.client, &context.fingerprints, identity, vec![vec![step]], observed);
    Ok(span::step("apply", applying).await?.children)
}

/// A refusal may end without an event, as when a quota grows, so it is tried again like a failure.
fn refuse_silence(applied: &Applied, requests: [(&str, &Request); 2]) -> Result<(), Error> {
    if let Some(rejection) = applied.rejections.first() {
        return Err(Error::Rejected(rejection.child.to_string(), rejection.message.clone()));
    }
    let refusal = requests.into_iter().find_map(|(what, request)| match request {
        Request::Refused(message) => Some(Error::Rejected(what.to_owned(), message.clone())),
        _ => None,
    });
    refusal.map_or(Ok(()), Err)
}
