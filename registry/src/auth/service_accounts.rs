//! The user `serviceaccount`, whose password is a token of a Kubernetes ServiceAccount.
//!
//! Every ServiceAccount comes by this one name, often from one address. So a token is verified first, which costs one
//! signature and no bcrypt: who shows a good one waits for nobody. Only one that is not good counts, and waits as a wrong
//! password does.

use std::{net::IpAddr, sync::Arc, time::SystemTime};

use tokio::time::{Instant, sleep_until};

use super::{
    InvalidToken, Refusal,
    keyed_hash::KeyedHash,
    throttle::{Source, Throttle},
    token::{ServiceAccount, ServiceAccountTokens},
};
use crate::{
    config,
    reloading::{LoadError, Refresh},
};

/// The name that all ServiceAccounts log in by.
pub const SERVICE_ACCOUNT: &str = "serviceaccount";

/// Checks tokens that come as passwords.
#[derive(Debug)]
pub(super) struct ServiceAccounts {
    tokens: ServiceAccountTokens,
    hash: KeyedHash,
    throttle: Throttle,
}

impl ServiceAccounts {
    /// Opens the file of the keys.
    pub(super) fn open(config: config::ServiceAccounts) -> Result<Self, LoadError> {
        let tokens = ServiceAccountTokens::open(config)?;
        Ok(Self { tokens, hash: KeyedHash::new(), throttle: Throttle::default() })
    }

    /// The file of the keys.
    pub(super) fn file(&self) -> Arc<dyn Refresh> {
        Arc::clone(self.tokens.file()) as _
    }

    /// From now on, tokens have to be for one of these.
    pub(super) fn set_audiences(&self, audiences: &[String]) {
        self.tokens.set_audiences(audiences);
    }

    /// Whoever shows this token, if it is good at the moment.
    pub(super) fn verify(&self, token: &str) -> Result<Arc<ServiceAccount>, InvalidToken> {
        self.tokens.verify(token, SystemTime::now())
    }

    /// Whoever shows this token as a password; a client at this address that has shown too many others waits.
    pub(super) async fn authenticate(
        &self,
        token: &str,
        address: Option<IpAddr>,
    ) -> Result<Arc<ServiceAccount>, Refusal> {
        if let Ok(account) = self.verify(token) {
            return Ok(account);
        }
        let source = Source::user(&self.hash, SERVICE_ACCOUNT, address);
        let begin = self.throttle.begin(source, Instant::now());
        sleep_until(begin.map_err(|retry_after| Refusal::TooManyAttempts { retry_after })?).await;
        Err(Refusal::Wrong)
    }
}
