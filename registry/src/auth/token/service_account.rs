//! Tokens of Kubernetes' ServiceAccounts (`serviceaccounts`): an API server says in a signed token which ServiceAccount its
//! bearer is, and for whom the token is meant.
//!
//! They are verified by the keys that the API server publishes, without asking it. So a token is good until it expires, also
//! when the Pod that it was made for is gone; one of Kubernetes' old kind, which never expires, is not good at all.

use std::{
    error::Error,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use serde::Deserialize;

use super::{Algorithm, InvalidToken, claims::Claims, signed, trusted_keys::TrustedKeys, verified::Verified};
use crate::{
    config,
    reloading::{LoadError, Reloading},
};

/// What the names of ServiceAccounts begin with. No name in a password file does, since none has a colon in it.
const PREFIX: &str = "system:serviceaccount:";

/// Whether a user is a ServiceAccount.
pub(in crate::auth) fn is_service_account(user: &str) -> bool {
    user.starts_with(PREFIX)
}

/// Whoever shows a token of a ServiceAccount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::auth) struct ServiceAccount {
    /// `system:serviceaccount:NAMESPACE:NAME`.
    pub(in crate::auth) user: Arc<str>,
    /// Until when the token is good.
    pub(in crate::auth) end: SystemTime,
}

/// By whom and for whom the tokens have to be, and the keys that verify them.
#[derive(Debug)]
pub(in crate::auth) struct ServiceAccountTokens {
    issuer: String,
    audiences: RwLock<Vec<String>>,
    keys: Arc<Reloading<TrustedKeys>>,
    verified: Verified<ServiceAccount>,
}

impl ServiceAccountTokens {
    /// Opens the file of the keys.
    pub(in crate::auth) fn open(config: config::ServiceAccounts) -> Result<Self, LoadError> {
        let keys = Reloading::open(
            "the keys of ServiceAccounts (serviceaccounts.keys)",
            vec![config.keys.clone()],
            |contents| {
                TrustedKeys::read(None, Some(&contents[0])).map_err(Box::<dyn Error + Send + Sync>::from)
            },
        )?;
        let config::ServiceAccounts { issuer, audiences, .. } = config;
        let audiences = RwLock::new(audiences);
        Ok(Self { issuer, audiences, keys: Arc::new(keys), verified: Verified::default() })
    }

    /// From now on, tokens have to be for one of these.
    pub(in crate::auth) fn set_audiences(&self, audiences: &[String]) {
        let mut current = self.audiences.write().unwrap_or_else(PoisonError::into_inner);
        if *current != audiences {
            audiences.clone_into(&mut current);
            self.verified.forget();
        }
    }

    /// The file of the keys.
    pub(in crate::auth) fn file(&self) -> &Arc<Reloading<TrustedKeys>> {
        &self.keys
    }

    /// Whoever shows this token, if it is good at the moment.
    pub(in crate::auth) fn verify(
        &self,
        token: &str,
        now: SystemTime,
    ) -> Result<Arc<ServiceAccount>, InvalidToken> {
        let keys = self.keys.current();
        if let Some(known) = self.verified.get(token, &keys, now) {
            return Ok(known);
        }
        let jwt = signed(token, &keys, &Algorithm::ALL, now)?;
        let claims: Claims = jwt.claims()?;
        // Held until the token is remembered, so that none is that was for an earlier audience.
        let audiences = self.audiences.read().unwrap_or_else(PoisonError::into_inner);
        let end = claims.check(&self.issuer, &audiences, now)?;
        if now >= end {
            // Nobody needs the minute that clocks may differ: Kubernetes replaces a token long before its end.
            return Err(InvalidToken::Expired);
        }
        let bound: Bound = jwt.claims()?;
        let user = bound.user(claims.sub.as_deref()).ok_or(InvalidToken::Subject)?;
        let account = Arc::new(ServiceAccount { user, end });
        let rest = end.duration_since(now).unwrap_or(Duration::ZERO);
        self.verified.remember(token, keys, now, rest, &account);
        Ok(account)
    }
}

/// What Kubernetes says besides the registered claims.
#[derive(Debug, Deserialize)]
struct Bound {
    #[serde(rename = "kubernetes.io")]
    kubernetes: Option<Kubernetes>,
}

#[derive(Debug, Deserialize)]
struct Kubernetes {
    namespace: String,
    serviceaccount: Named,
}

#[derive(Debug, Deserialize)]
struct Named {
    name: String,
}

impl Bound {
    /// The subject, if it is the ServiceAccount that the other claims name.
    fn user(self, subject: Option<&str>) -> Option<Arc<str>> {
        let Kubernetes { namespace, serviceaccount: Named { name } } = self.kubernetes?;
        let (first, second) = subject?.strip_prefix(PREFIX)?.split_once(':')?;
        let is_one = |name: &str| !name.is_empty() && !name.contains(':');
        (first == namespace && second == name && is_one(&namespace) && is_one(&name))
            .then(|| subject.unwrap_or_default().into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn user(subject: &str, kubernetes: &Value) -> Option<String> {
        let bound: Bound = serde_json::from_value(json!({ "kubernetes.io": kubernetes })).ok()?;
        bound.user(Some(subject)).map(|user| user.to_string())
    }

    fn of(namespace: &str, name: &str) -> Value {
        json!({ "namespace": namespace, "serviceaccount": { "name": name, "uid": "4f6c" }, "pod": { "name": "x" } })
    }

    #[test]
    fn the_subject_is_the_user_when_all_claims_agree() {
        let subject = "system:serviceaccount:team:ci.robot";
        assert_eq!(user(subject, &of("team", "ci.robot")).as_deref(), Some(subject));
        for other in [of("other", "ci.robot"), of("team", "ci"), of("team", ""), json!(null), json!({})] {
            assert_eq!(user(subject, &other), None, "{other}");
        }
    }

    #[test]
    fn a_subject_of_another_form_is_no_service_account() {
        for subject in ["admin", "system:serviceaccount:team", "system:node:team:ci", "team:ci", ""] {
            assert_eq!(user(subject, &of("team", "ci")), None, "{subject}");
        }
        // Colons would let one name mean two ServiceAccounts.
        assert_eq!(user("system:serviceaccount:a:b:c", &of("a", "b:c")), None);
        assert_eq!(user("system:serviceaccount::b", &of("", "b")), None);
        assert!(serde_json::from_value::<Bound>(json!({})).unwrap().user(None).is_none());
    }
}
