//! The controller of `RegistryAccess`: observe → judge → build → apply → status.
//!
//! The Registry's controller gives the rights; this one hands the password on and tells the user how it goes. It has nothing to
//! clean up: all that it makes is in the namespace of the RegistryAccess, which owns it.

mod build;
mod judge;
mod observe;
mod status;
mod watches;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use berth_crds::RegistryAccess;
use futures::StreamExt;
use jiff::Timestamp;
use kube::{
    Api, Resource, ResourceExt,
    core::DeserializeGuard,
    runtime::{
        Controller, PredicateConfig, WatchStreamExt,
        controller::{self, Action},
        predicates, reflector,
        watcher::{self, Event},
    },
};
use tokio::time::timeout;
use tracing::{error, info, warn};

use crate::{
    apply,
    backoff::RegistryKey,
    context::Context,
    metadata::Identity,
    registry::{Error, Scope, observe::GuardedAccess, watches::api},
};

/// How long to collect changes before a RegistryAccess is looked at.
const DEBOUNCE: Duration = Duration::from_millis(250);

/// How many are looked at at the same time.
const CONCURRENCY: u16 = 4;

/// How long a reconciliation may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// A RegistryAccess is looked at again after at most this long.
const LONGEST_SILENCE: Duration = Duration::from_hours(12);

/// Looks after the RegistryAccesses of `scope` until `shutdown` resolves and what had begun is finished.
pub fn controller<F>(
    context: Arc<Context>,
    scope: &Scope,
    shutdown: F,
) -> impl Future<Output = ()> + Send + use<F>
where
    F: Future<Output = ()> + Send + Sync + 'static,
{
    let client = &context.client;
    let (known, writer) = reflector::store();
    let forgetting = Arc::clone(&context);
    let accesses = watcher::watcher(api::<GuardedAccess>(client, scope), watcher::Config::default())
        .default_backoff()
        .modify(|access| access.managed_fields_mut().clear())
        .inspect(move |event| {
            if let Ok(Event::Delete(access)) = event {
                info!(access = %access.name_any(), namespace = access.namespace(), "deleted");
                forgetting.forget(&key(access));
            }
        })
        .reflect(writer)
        .applied_objects()
        // The status is written by nobody else.
        .predicate_filter(predicates::generation, PredicateConfig::default());
    Controller::for_stream(accesses, known.clone())
        .with_config(controller::Config::default().debounce(DEBOUNCE).concurrency(CONCURRENCY))
        .reconcile_on(watches::concerned(client, scope, &context.scopes, &known))
        .graceful_shutdown_on(shutdown)
        .run(reconcile, retry, context)
        .for_each(|outcome| async move {
            if let Err(controller::Error::QueueError(error)) = outcome {
                warn!(error = &error as &dyn std::error::Error, "watch interrupted; it is resumed");
            }
        })
}

fn key(access: &GuardedAccess) -> RegistryKey {
    (access.namespace().unwrap_or_default(), access.name_any())
}

#[expect(clippy::needless_pass_by_value, reason = "the controller hands them over by value")]
fn retry(access: Arc<GuardedAccess>, error: &Error, context: Arc<Context>) -> Action {
    let delay = context.backoff.failed(key(&access));
    error!(
        access = %access.name_any(),
        namespace = access.namespace(),
        error = error as &dyn std::error::Error,
        ?delay,
        "reconciliation failed"
    );
    Action::requeue(delay)
}

async fn reconcile(trigger: Arc<GuardedAccess>, context: Arc<Context>) -> Result<Action, Error> {
    let (namespace, name) = key(&trigger);
    let begun = Instant::now();
    let outcome = match timeout(PATIENCE, read_and_advance(&context, &namespace, &name)).await {
        Ok(outcome) => outcome,
        Err(elapsed) => Err(elapsed.into()),
    };
    context.metrics.reconciled(begun.elapsed(), outcome.as_ref().err().map(Error::reason));
    let action = outcome?;
    context.backoff.forget(&(namespace, name));
    Ok(action)
}

async fn read_and_advance(context: &Context, namespace: &str, name: &str) -> Result<Action, Error> {
    match Api::<GuardedAccess>::namespaced(context.client.clone(), namespace).get_opt(name).await? {
        Some(live) if live.meta().deletion_timestamp.is_none() => match live {
            DeserializeGuard(Ok(access)) => Box::pin(advance(context, &access)).await,
            DeserializeGuard(Err(invalid)) => {
                status::unparseable(context, &invalid).await?;
                Ok(Action::await_change())
            }
        },
        // Owner references do what is left to do.
        _ => Ok(Action::await_change()),
    }
}

/// Hands the password on, and tells how it goes.
async fn advance(context: &Context, access: &RegistryAccess) -> Result<Action, Error> {
    let identity = Identity::of_access(access);
    let now = Timestamp::now();
    let observed = observe::observe(&context.client, &context.scopes, access).await?;
    let judged = judge::judge(access, &observed, now);
    let steps = build::steps(access, &identity, &judged, &observed.secrets);
    let taken = !apply::taken_names(&identity, steps.iter(), &observed.secrets).is_empty();
    let applied = if taken {
        apply::Applied { children: observed.secrets, rejections: Vec::new() }
    } else {
        apply::apply(&context.client, &context.fingerprints, &identity, vec![steps], observed.secrets).await?
    };
    let has_secret = status::has_secret(access, &identity, &applied);
    let finding = status::finding(access, &judged, &applied, taken);
    status::report(context, access, status::status(access, &judged, finding, has_secret, now)).await?;
    if let Some(rejection) = applied.rejections.first() {
        return Err(Error::Rejected(rejection.child.to_string(), rejection.message.clone()));
    }
    let end = judged.until.map(|until| Duration::try_from(until.duration_since(now)).unwrap_or_default());
    Ok(Action::requeue(end.unwrap_or(LONGEST_SILENCE).clamp(Duration::from_secs(1), LONGEST_SILENCE)))
}
