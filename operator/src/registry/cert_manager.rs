//! cert-manager: whether the cluster has it, and when to look again at what was asked of it.
//!
//! Its objects are not watched, because its API may come and go. What it stores is a Secret, and those are watched.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use berth_crds::Reason;
use kube::Client;

use super::validate::Validated;

/// The API by which certificates are requested.
const API: &str = "cert-manager.io/v1";

/// How long an answer of the API server holds. That it serves the API matters less than that it does so now.
const SERVED_FOR: Duration = Duration::from_mins(5);
const MISSING_FOR: Duration = Duration::from_secs(15);

/// How often a certificate that does not come is looked at, and how often one that came.
const IMPATIENCE: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_mins(10);

/// What is known about the API.
#[derive(Debug, Default)]
pub struct CertManager(Mutex<Option<(Instant, bool)>>);

impl CertManager {
    /// Whether the API server serves the API, or did so a short while ago.
    pub async fn is_served(&self, client: &Client) -> Result<bool, kube::Error> {
        if let Some(known) = self.known(Instant::now()) {
            return Ok(known);
        }
        let served = match client.list_api_group_resources(API).await {
            Ok(list) => list.resources.iter().any(|resource| resource.name == "certificates"),
            Err(kube::Error::Api(status)) if matches!(status.code, 403 | 404) => false,
            Err(error) => return Err(error),
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), served));
        Ok(served)
    }

    fn known(&self, now: Instant) -> Option<bool> {
        let (since, served) = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        let lasts = if served { SERVED_FOR } else { MISSING_FOR };
        (now.duration_since(since) < lasts).then_some(served)
    }
}

/// How long a Registry whose certificate comes from cert-manager may go without a look.
pub fn next_look(validated: &Validated) -> Duration {
    if validated.spec.tls.issuer_ref.is_none() {
        return Duration::MAX;
    }
    match validated.tls.finding.reason {
        Reason::CertificatePending | Reason::IssuerApiNotFound => IMPATIENCE,
        _ => PATIENCE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_holds_for_a_while_and_that_it_is_missing_for_less() {
        let asked = Instant::now();
        let api = |served| CertManager(Mutex::new(Some((asked, served))));
        assert_eq!(CertManager::default().known(asked), None);
        assert_eq!(api(true).known(asked + MISSING_FOR), Some(true));
        assert_eq!(api(true).known(asked + SERVED_FOR), None);
        assert_eq!(api(false).known(asked + MISSING_FOR / 2), Some(false));
        assert_eq!(api(false).known(asked + MISSING_FOR), None);
    }
}
