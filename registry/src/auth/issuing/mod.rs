//! Our own tokens (`tokens.enabled`): who has shown a password gets a signed token for a while, and may get the next one by a
//! refresh token. They carry everything that is needed to verify them, so that any server of a registry takes what another
//! has given.
//!
//! A token names the password that its user has shown, by a hash of its line in the password file. When the line changes or
//! goes, the tokens that were given for it are worth nothing any more, on each server as soon as it has read the file. And the
//! access rules are asked again for every request: a token never allows more than they do.

mod key_ring;
mod scope;
mod signing_keys;

use std::{
    error::Error,
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use berth_storage::ObjectStore;
use serde_json::{Value, json};

pub use scope::ScopeTooLong;

use self::signing_keys::SigningKeys;
use super::{
    Identity,
    token::{Access, Algorithm, Bearer, InvalidToken, Verifier},
};
use crate::{
    config::OwnTokens,
    reloading::{LoadError, Refresh, Reloading},
};

/// Who makes our own tokens.
const ISSUER: &str = "berth";
/// How often the keys in the storage are looked at.
const LOOK_EVERY: Duration = Duration::from_mins(1);
/// How often while there are none.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Gives tokens and verifies them.
#[derive(Debug)]
pub(super) struct TokenService {
    config: OwnTokens,
    keys: Keys,
    access: Verifier,
    refresh: Verifier,
}

/// Where the keys are.
#[derive(Debug)]
enum Keys {
    File(Arc<Reloading<SigningKeys>>),
    Storage(RwLock<Arc<SigningKeys>>),
}

/// What a client gets.
#[derive(Clone)]
pub struct Issued {
    /// The token. It is not to be logged.
    pub token: String,
    /// For how long it is good.
    pub lifetime: Duration,
    /// Since when.
    pub since: SystemTime,
    /// What gets the next one.
    pub refresh_token: Option<String>,
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Tokens open as much as passwords.
        f.debug_struct("Issued").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

/// Whom a token is for.
#[derive(Clone, Debug)]
pub struct Holder {
    /// Nobody in particular, or a user.
    pub identity: Identity,
    /// The name of the password that the user has shown.
    pub(super) password: Option<String>,
    /// Until when it is good what was shown, if that has an end. Then there is no refresh token.
    pub(super) until: Option<SystemTime>,
}

impl TokenService {
    pub(super) fn open(config: OwnTokens) -> Result<Self, LoadError> {
        let keys = match &config.key {
            Some(path) => Keys::File(Arc::new(Reloading::open(
                "the key of tokens (tokens.key)",
                vec![path.clone()],
                |contents| SigningKeys::read(&contents[0]).map_err(Box::<dyn Error + Send + Sync>::from),
            )?)),
            None => Keys::Storage(RwLock::default()),
        };
        let verifier = |service: &str| Verifier::new(ISSUER, service, &[Algorithm::EdDsa]);
        let (access, refresh) = (verifier(&config.service), verifier(&for_refreshing(&config.service)));
        Ok(Self { config, keys, access, refresh })
    }

    /// For which service its tokens are.
    pub(super) fn service(&self) -> &str {
        &self.config.service
    }

    /// The file of the keys, if they are in one.
    pub(super) fn files(&self) -> Option<Arc<dyn Refresh>> {
        match &self.keys {
            Keys::File(file) => Some(Arc::clone(file) as _),
            Keys::Storage(_) => None,
        }
    }

    /// Looks at the keys in the storage, if they are there.
    pub(super) async fn look(&self, store: &dyn ObjectStore) -> berth_storage::Result<()> {
        if let Keys::Storage(known) = &self.keys {
            let lifetime = self.config.lifetime.max(self.config.refresh_lifetime);
            let keys = Arc::new(key_ring::keys(store, SystemTime::now(), lifetime).await?);
            *known.write().unwrap_or_else(PoisonError::into_inner) = keys;
        }
        Ok(())
    }

    /// Follows the keys in the storage for as long as the future is polled. While it does not answer, they stay.
    pub(super) async fn follow(&self, store: &dyn ObjectStore) {
        loop {
            let pause = if self.has_keys() { LOOK_EVERY } else { LOOK_AGAIN };
            tokio::time::sleep(pause).await;
            if let Err(error) = self.look(store).await {
                tracing::warn!(error = &error as &dyn Error, "the keys of tokens cannot be looked at");
            }
        }
    }

    fn has_keys(&self) -> bool {
        self.keys().to_sign_with(SystemTime::now()).is_some()
    }

    fn keys(&self) -> Arc<SigningKeys> {
        match &self.keys {
            Keys::File(file) => file.current(),
            Keys::Storage(known) => Arc::clone(&known.read().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    /// Whoever shows this token.
    pub(super) fn verify(&self, token: &str) -> Result<Arc<Bearer>, InvalidToken> {
        self.access.verify(token, self.keys().trusted(), SystemTime::now())
    }

    /// Whoever shows this refresh token.
    pub(super) fn verify_refresh(&self, token: &str) -> Result<Arc<Bearer>, InvalidToken> {
        self.refresh.verify(token, self.keys().trusted(), SystemTime::now())
    }

    /// A token with these rights, and perhaps a refresh token; `None` while there is no key.
    pub(super) fn issue(&self, holder: &Holder, access: &[Access], offline: bool) -> Option<Issued> {
        let since = SystemTime::now();
        let rest = holder.until.map(|until| until.duration_since(since).unwrap_or(Duration::ZERO));
        let lifetime = rest.unwrap_or(Duration::MAX).min(self.config.lifetime);
        let mut claims = claims(holder, &self.config.service, since, lifetime)?;
        claims["access"] = json!(access);
        let token = self.sign(&claims, since)?;
        let is_known = holder.identity.user().is_some() && holder.until.is_none();
        let refresh = offline && is_known && !self.config.refresh_lifetime.is_zero();
        let refresh_token = if refresh {
            let service = for_refreshing(&self.config.service);
            Some(self.sign(&self::claims(holder, &service, since, self.config.refresh_lifetime)?, since)?)
        } else {
            None
        };
        Some(Issued { token, lifetime, since, refresh_token })
    }

    fn sign(&self, claims: &Value, now: SystemTime) -> Option<String> {
        let keys = self.keys();
        let key = keys.to_sign_with(now)?;
        let encode = |document: &Value| URL_SAFE_NO_PAD.encode(document.to_string());
        let header = json!({ "typ": "JWT", "alg": "EdDSA", "kid": key.id });
        let message = format!("{}.{}", encode(&header), encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(key.pair.sign(message.as_bytes()));
        Some(format!("{message}.{signature}"))
    }
}

/// The audience of refresh tokens, which open nothing but the endpoint of tokens.
fn for_refreshing(service: &str) -> String {
    format!("{service}/token")
}

fn claims(holder: &Holder, service: &str, since: SystemTime, lifetime: Duration) -> Option<Value> {
    let now = since.duration_since(UNIX_EPOCH).ok()?.as_secs();
    Some(json!({
        "iss": ISSUER, "sub": holder.identity.user().unwrap_or_default(), "aud": service, "iat": now, "nbf": now, "exp": now + lifetime.as_secs(),
        "jti": uuid::Uuid::new_v4().simple().to_string(), "password": holder.password,
    }))
}

/// What is granted of what was asked for.
pub(super) fn granted(asked: Vec<Access>, may: impl Fn(&Access, &str) -> Vec<String>) -> Vec<Access> {
    let grant = |access: Access| {
        let mut actions: Vec<String> =
            access.actions.iter().flat_map(|action| may(&access, action)).collect();
        actions.sort_unstable();
        actions.dedup();
        (!actions.is_empty()).then_some(Access { actions, ..access })
    };
    asked.into_iter().filter_map(grant).collect()
}

/// What was asked for.
pub(super) fn asked<'a>(scopes: impl IntoIterator<Item = &'a str>) -> Result<Vec<Access>, ScopeTooLong> {
    scope::parse(scopes)
}
