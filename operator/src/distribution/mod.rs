//! The distribution of pull Secrets: the Secret `NAME-pull` of each Registry is copied into the namespaces that
//! `spec.access.pullSecrets` chooses, and entered in their ServiceAccounts.
//!
//! A controller of its own: what happens in other namespaces must not hold up the Registry itself, nor make it less ready. It
//! reads, chooses, writes and reports, in this order, and only the choice is pure.

mod copy;
mod finalizer;
mod fulfil;
mod observe;
mod owner;
mod reach;
pub(crate) mod report;
mod selection;
mod service_account;
mod settled;
mod watches;
mod withdraw;
mod written;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use berth_crds::Registry;
use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{
    Api, Client, Resource, ResourceExt,
    core::DeserializeGuard,
    runtime::{
        Controller, Predicate as _, PredicateConfig, WatchStreamExt,
        controller::{self, Action},
        events::Recorder,
        predicates, reflector,
        watcher::{self, Event},
    },
};
use tokio::time::timeout;
use tracing::{error, warn};

use crate::{
    allow_list::AllowList,
    backoff::{Backoff, RegistryKey},
    metrics::Metrics,
    registry::{Error, Guarded, Scope, api, events::reporter, outline, pause},
};
use copy::Template;
use fulfil::{Outcome, Wish};
use owner::Owner;
use reach::Reach;
use report::Report;
use settled::Settled;
use watches::{Change, Listeners};

/// The field manager of what this controller writes, so that it never meets what the other one applies.
const FIELD_MANAGER: &str = "berth-operator-pull-secrets";

/// How long to collect changes of a Registry before it is looked at: a namespace is waiting.
const DEBOUNCE: Duration = Duration::from_millis(50);

/// How many Registries are looked at at the same time.
const CONCURRENCY: u16 = 4;

/// How long a reconciliation may take. What it has done by then need not be done again.
const PATIENCE: Duration = Duration::from_mins(1);

/// A name that is taken is looked at again this often: the Secrets of others are not watched.
const NAME_TAKEN_RETRY: Duration = Duration::from_secs(30);

/// What every reconciliation has at hand.
pub struct Context {
    client: Client,
    recorder: Recorder,
    metrics: Arc<Metrics>,
    allow_list: AllowList,
    reach: Reach,
    backoff: Backoff,
    settled: Settled,
}

impl Context {
    /// A context that remembers nothing yet, of an operator that watches these scopes.
    pub fn new(client: Client, scopes: &[Scope], allow_list: AllowList, metrics: Arc<Metrics>) -> Self {
        Self {
            recorder: Recorder::new(client.clone(), reporter()),
            client,
            metrics,
            allow_list,
            reach: Reach::of(scopes),
            backoff: Backoff::default(),
            settled: Settled::default(),
        }
    }

    fn forget(&self, registry: &RegistryKey) {
        self.backoff.forget(registry);
        self.settled.forget(registry);
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Context").field("reach", &self.reach).finish_non_exhaustive()
    }
}

/// A controller for each scope, and what tells all of them of changes. Each runs until its shutdown resolves and what had
/// begun is finished.
pub fn controllers<F>(
    context: &Arc<Context>,
    scopes: &[Scope],
    shutdown: impl Fn() -> F,
) -> Vec<BoxFuture<'static, ()>>
where
    F: Future<Output = ()> + Send + Sync + 'static,
{
    let listeners = Listeners::none();
    let run = |scope| controller(Arc::clone(context), scope, &listeners, shutdown()).boxed();
    let mut controllers: Vec<_> = scopes.iter().map(run).collect();
    let changes = watches::changes(&context.client, &context.reach, !context.allow_list.is_empty());
    controllers.push(listeners.tell(changes, shutdown()).boxed());
    controllers
}

fn controller<F>(
    context: Arc<Context>,
    scope: &Scope,
    listeners: &Listeners,
    shutdown: F,
) -> impl Future<Output = ()> + Send + use<F>
where
    F: Future<Output = ()> + Send + Sync + 'static,
{
    let (known, writer) = reflector::store();
    let forgetting = Arc::clone(&context);
    let registries = watcher::watcher(api::<Guarded>(&context.client, scope), watcher::Config::default())
        .default_backoff()
        .modify(outline)
        .inspect(move |event| {
            if let Ok(Event::Delete(registry)) = event {
                forgetting.forget(&key(registry.meta()));
            }
        })
        .reflect(writer)
        .applied_objects()
        .predicate_filter(
            predicates::generation.combine(predicates::finalizers).combine(pause::turns),
            PredicateConfig::default(),
        );
    let mapped = known.clone();
    let concerned = move |change: Change| stream::iter(watches::concerned(&change, &mapped));
    Controller::for_stream(registries, known)
        .with_config(controller::Config::default().debounce(DEBOUNCE).concurrency(CONCURRENCY))
        .reconcile_on(listeners.listen().flat_map(concerned))
        .graceful_shutdown_on(shutdown)
        .run(reconcile, retry, context)
        .for_each(|outcome| async move {
            if let Err(controller::Error::QueueError(error)) = outcome {
                warn!(error = &error as &dyn std::error::Error, "watch interrupted; it is resumed");
            }
        })
}

fn key(registry: &ObjectMeta) -> RegistryKey {
    (registry.namespace.clone().unwrap_or_default(), registry.name.clone().unwrap_or_default())
}

#[expect(clippy::needless_pass_by_value, reason = "the controller hands them over by value")]
fn retry(registry: Arc<Guarded>, error: &Error, context: Arc<Context>) -> Action {
    let delay = context.backoff.failed(key(registry.meta()));
    error!(
        registry = %registry.name_any(),
        namespace = registry.namespace(),
        error = error as &dyn std::error::Error,
        ?delay,
        "pull Secrets could not be distributed"
    );
    Action::requeue(delay)
}

async fn reconcile(trigger: Arc<Guarded>, context: Arc<Context>) -> Result<Action, Error> {
    let begun = Instant::now();
    let outcome = match timeout(PATIENCE, read_and_distribute(&context, trigger.meta())).await {
        Ok(outcome) => outcome,
        Err(elapsed) => Err(elapsed.into()),
    };
    context.metrics.reconciled(begun.elapsed(), outcome.as_ref().err().map(Error::reason));
    let action = outcome?;
    context.backoff.forget(&key(trigger.meta()));
    Ok(action)
}

async fn read_and_distribute(context: &Context, trigger: &ObjectMeta) -> Result<Action, Error> {
    let (namespace, name) = key(trigger);
    let registries: Api<Guarded> = Api::namespaced(context.client.clone(), &namespace);
    match registries.get_opt(&name).await? {
        // What a Registry left is taken back even if it is paused or cannot be read.
        Some(registry) if registry.meta().deletion_timestamp.is_some() => {
            Box::pin(withdraw::withdraw(context, &registry)).await
        }
        Some(DeserializeGuard(Ok(registry))) if !pause::is_paused(&registry) => {
            Box::pin(distribute(context, &registry)).await
        }
        _ => Ok(Action::await_change()),
    }
}

/// Brings the Secret to where the spec wants it.
async fn distribute(context: &Context, registry: &Registry) -> Result<Action, Error> {
    let spec = &registry.spec.access.pull_secrets;
    let owner = Owner::of(registry.meta());
    let observed = observe::observe(context, registry, &owner).await?;
    let selection = match selection::select(registry, &observed.namespaces, &context.allow_list) {
        Ok(selection) => selection,
        Err(error) => {
            report::report(context, registry, Report::invalid_selector(&error)).await?;
            return Ok(Action::await_change());
        }
    };
    let Some(original) = &observed.original else {
        report::report(context, registry, Report::pending(&owner.original())).await?;
        return Ok(Action::await_change());
    };
    let secret_name = spec.secret_name.clone().unwrap_or_else(|| owner.original());
    let wish = Wish {
        owner: &owner,
        namespaces: &selection.chosen,
        secret_name: &secret_name,
        accounts: &spec.service_accounts,
    };
    if wish.leaves_traces() {
        finalizer::put_on(&context.client, registry.meta()).await?;
    }
    let template = Template::of(original, &secret_name, &owner);
    let outcome = fulfil::fulfil(context, &wish, Some(&template), &observed.traces).await?;
    if !wish.leaves_traces() && outcome.refused.is_empty() {
        finalizer::take_off(&context.client, registry.meta()).await?;
    }
    report::report(context, registry, Report::of(&selection, &secret_name, &outcome)).await?;
    refuse_silence(&outcome)?;
    Ok(if outcome.taken.is_empty() { Action::await_change() } else { Action::requeue(NAME_TAKEN_RETRY) })
}

/// A refusal may end without an event, as when rights are given, so it is tried again like a failure.
fn refuse_silence(outcome: &Outcome) -> Result<(), Error> {
    match outcome.refused.first() {
        Some((place, message)) => Err(Error::Rejected(place.to_string(), message.clone())),
        None => Ok(()),
    }
}
