//! The operator's side of the node agents (`spec.nodeTrust`): what nodes are told of each Registry, and what they have reported.
//!
//! A controller of its own: nodes that cannot be told must not hold up the Registry, nor make it less ready. It judges what a
//! Registry claims, writes that to a ConfigMap which all node agents read, and folds their reports into the status.

mod claims;
mod observe;
mod publication;
pub(crate) mod report;
mod told;
mod vacancies;
mod watches;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use berth_crds::Registry;
use futures::{FutureExt, StreamExt, future::BoxFuture};
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
use tokio::{
    sync::{Mutex, Notify},
    time::timeout,
};
use tracing::{error, warn};

pub use claims::Permits;

use crate::{
    apply::is_refusal,
    backoff::{Backoff, RegistryKey},
    metrics::Metrics,
    nodes::{Listing, Objects, RollCall, Tally, key},
    registry::{Error, Guarded, Scope, api, events::reporter, outline, pause},
};
use claims::judge;
use observe::Observed;
use publication::publish;
use report::Report;
use told::Told;

/// How many Registries are looked at at the same time.
const CONCURRENCY: u16 = 4;

/// How long a reconciliation may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// How often something is looked at whose end is no event here: another Registry may let go of a name.
const RETRY: Duration = Duration::from_secs(30);

/// What every reconciliation has at hand.
pub struct Context {
    client: Client,
    recorder: Recorder,
    metrics: Arc<Metrics>,
    /// Where node agents are, if there are any.
    objects: Option<Objects>,
    permits: Permits,
    scopes: Vec<Scope>,
    backoff: Backoff,
    told: Told,
    /// Whoever changes what nodes are told holds it: names belong to the Registry that was first.
    turn: Mutex<()>,
    /// Tells that Registries may be gone.
    departures: Notify,
}

impl Context {
    /// A context that remembers nothing yet.
    pub fn new(
        client: Client,
        scopes: &[Scope],
        objects: Option<Objects>,
        permits: Permits,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            recorder: Recorder::new(client.clone(), reporter()),
            client,
            metrics,
            objects,
            permits,
            scopes: scopes.to_vec(),
            backoff: Backoff::default(),
            told: Told::default(),
            turn: Mutex::default(),
            departures: Notify::new(),
        }
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Context").field("objects", &self.objects).finish_non_exhaustive()
    }
}

/// A controller for each scope, and what takes back what Registries leave that are gone. Each runs until its shutdown resolves.
pub fn controllers<F>(context: &Arc<Context>, shutdown: impl Fn() -> F) -> Vec<BoxFuture<'static, ()>>
where
    F: Future<Output = ()> + Send + Sync + 'static,
{
    let run = |scope| controller(Arc::clone(context), scope, shutdown()).boxed();
    let mut controllers: Vec<_> = context.scopes.iter().map(run).collect();
    controllers.push(vacancies::look_after(Arc::clone(context), shutdown()).boxed());
    controllers
}

fn controller<F>(
    context: Arc<Context>,
    scope: &Scope,
    shutdown: F,
) -> impl Future<Output = ()> + Send + use<F>
where
    F: Future<Output = ()> + Send + Sync + 'static,
{
    let (known, writer) = reflector::store();
    let noticing = Arc::clone(&context);
    let registries = watcher::watcher(api::<Guarded>(&context.client, scope), watcher::Config::default())
        .default_backoff()
        .modify(outline)
        .inspect(move |event| {
            if let Ok(Event::Delete(_) | Event::InitDone) = event {
                noticing.departures.notify_one();
            }
        })
        .reflect(writer)
        .applied_objects()
        .predicate_filter(predicates::generation.combine(pause::turns), PredicateConfig::default());
    let changes = watches::concerned(&context, scope, &known);
    Controller::for_stream(registries, known)
        .with_config(controller::Config::default().concurrency(CONCURRENCY))
        .reconcile_on(changes)
        .graceful_shutdown_on(shutdown)
        .run(reconcile, retry, context)
        .for_each(|outcome| async move {
            if let Err(controller::Error::QueueError(error)) = outcome {
                warn!(error = &error as &dyn std::error::Error, "watch interrupted; it is resumed");
            }
        })
}

fn key_of(registry: &impl ResourceExt) -> RegistryKey {
    (registry.namespace().unwrap_or_default(), registry.name_any())
}

#[expect(clippy::needless_pass_by_value, reason = "the controller hands them over by value")]
fn retry(registry: Arc<Guarded>, error: &Error, context: Arc<Context>) -> Action {
    let delay = context.backoff.failed(key_of(&*registry));
    error!(
        registry = %registry.name_any(),
        namespace = registry.namespace(),
        error = error as &dyn std::error::Error,
        ?delay,
        "nodes could not be told"
    );
    Action::requeue(delay)
}

async fn reconcile(trigger: Arc<Guarded>, context: Arc<Context>) -> Result<Action, Error> {
    let begun = Instant::now();
    let outcome = match timeout(PATIENCE, read_and_tell(&context, &key_of(&*trigger))).await {
        Ok(outcome) => outcome,
        Err(elapsed) => Err(elapsed.into()),
    };
    context.metrics.reconciled(begun.elapsed(), outcome.as_ref().err().map(Error::reason));
    let action = outcome?;
    context.backoff.forget(&key_of(&*trigger));
    Ok(action)
}

async fn read_and_tell(context: &Context, (namespace, name): &RegistryKey) -> Result<Action, Error> {
    let registries: Api<Guarded> = Api::namespaced(context.client.clone(), namespace);
    match registries.get_opt(name).await? {
        Some(DeserializeGuard(Ok(registry)))
            if !pause::is_paused(&registry) && registry.meta().deletion_timestamp.is_none() =>
        {
            Box::pin(tell(context, &registry)).await
        }
        // What nodes know of one that is paused, or cannot be read, stays. One that is gone leaves a vacancy.
        _ => Ok(Action::await_change()),
    }
}

/// Tells the nodes what they should know of a Registry, and the Registry how far that is.
async fn tell(context: &Context, registry: &Registry) -> Result<Action, Error> {
    let Some(objects) = &context.objects else {
        report::report(context, registry, Report::without_agent()).await?;
        return Ok(Action::await_change());
    };
    let told = if registry.spec.node_trust {
        tell_what_is_known(context, objects, registry).await?
    } else {
        withdraw(context, objects, registry).await?
    };
    report::report(context, registry, told.report).await?;
    Ok(if told.again { Action::requeue(RETRY) } else { Action::await_change() })
}

/// What came of it.
struct Outcome {
    report: Report,
    /// Whether to look again although nothing happens.
    again: bool,
}

async fn withdraw(context: &Context, objects: &Objects, registry: &Registry) -> Result<Outcome, Error> {
    let key = key(&key_of(registry));
    context.told.forget(&key);
    let _turn = context.turn.lock().await;
    publish(&objects.config_maps(&context.client), objects.name(), &key, Listing::default()).await?;
    Ok(Outcome { report: Report::default(), again: false })
}

async fn tell_what_is_known(
    context: &Context,
    objects: &Objects,
    registry: &Registry,
) -> Result<Outcome, Error> {
    let wait = |message: &str| Ok(Outcome { report: Report::pending(message), again: true });
    let observed = Observed::of(&context.client, registry).await?;
    let Some(seen) = observed.seen(registry) else {
        return wait("the Service and the certificate of the registry are not made yet");
    };
    let claims = judge(registry, seen, &context.permits);
    let key = key(&key_of(registry));
    let wanted = Listing { revision: 0, ca: observed.authorities.clone(), entries: claims.entries.clone() };
    let published = {
        let _turn = context.turn.lock().await;
        publish(&objects.config_maps(&context.client), objects.name(), &key, wanted).await
    };
    let published = match published {
        Ok(Some(published)) => published,
        Ok(None) => return wait("the ConfigMap that tells nodes is missing: upgrade the operator's chart"),
        Err(kube::Error::Api(status)) if is_refusal(&status) => {
            return Ok(Outcome { report: Report::refused(&status.message), again: true });
        }
        Err(error) => return Err(error.into()),
    };
    let Some(nodes) = RollCall::take(objects, &context.client).await? else {
        return wait("the DaemonSet of node agents is missing: upgrade the operator's chart");
    };
    let tally = match &published.listing {
        Some(listing) => nodes.tally(&key, listing.revision),
        None => Tally::default(),
    };
    context.told.remember(&key, published.listing.as_ref(), &tally);
    let again = !published.taken.is_empty();
    Ok(Outcome { report: Report::of(&claims, &published.taken, &tally), again })
}
