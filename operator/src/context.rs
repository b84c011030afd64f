//! What every reconciliation has at hand.

use std::sync::Arc;

use kube::{Client, runtime::events::Recorder};

use crate::{
    apis::ServedApis,
    apply::Fingerprints,
    backoff::{Backoff, RegistryKey},
    metrics::Metrics,
    registry::{Scope, build::Settings, events::reporter, loaded::Waiting},
    token_issuer::Published,
};

/// The client, the settings that all Registries share, and what is remembered from one reconciliation to the next.
pub struct Context {
    /// The connection to the API server.
    pub client: Client,
    /// What all Registries have in common.
    pub settings: Settings,
    /// Where it looks for Registries and RegistryAccesses.
    pub scopes: Vec<Scope>,
    /// Writes Events.
    pub recorder: Recorder,
    /// Failures in a row.
    pub backoff: Backoff,
    /// Which APIs there are.
    pub apis: ServedApis,
    /// What was applied last.
    pub fingerprints: Fingerprints,
    /// Whose replicas have yet to load what was written.
    pub waiting: Waiting,
    /// Who signs the tokens of ServiceAccounts.
    pub token_issuer: Published,
    /// Counts what is done.
    pub metrics: Arc<Metrics>,
}

impl Context {
    /// A context that remembers nothing yet.
    pub fn new(client: Client, scopes: Vec<Scope>, settings: Settings, metrics: Arc<Metrics>) -> Self {
        Self {
            recorder: Recorder::new(client.clone(), reporter()),
            client,
            scopes,
            settings,
            backoff: Backoff::default(),
            apis: ServedApis::default(),
            fingerprints: Fingerprints::default(),
            waiting: Waiting::default(),
            token_issuer: Published::default(),
            metrics,
        }
    }

    /// Forgets a Registry that is gone.
    pub fn forget(&self, registry: &RegistryKey) {
        self.backoff.forget(registry);
        self.fingerprints.forget(registry);
        self.waiting.forget(registry);
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Context").field("settings", &self.settings).finish_non_exhaustive()
    }
}
