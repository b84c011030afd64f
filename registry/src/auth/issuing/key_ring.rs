//! The signing keys in the storage, which all servers of a registry share: `docker/registry/v2/_berth/token-keys`.
//!
//! Of several servers that find none, or only old ones, one writes a new key and the others take it over: each write is on
//! the condition that nobody else has written. An old key stays until the last token that it may have signed has expired.
//! Whoever deletes the object takes all tokens back; within a minute, every server has forgotten its keys.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use berth_storage::{Error, Key, ObjectStore, PutCondition, Result};
use futures::TryStreamExt;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

use super::signing_keys::{SigningKey, SigningKeys};

/// How often a new key is made.
pub(super) const ROTATION: Duration = Duration::from_hours(30 * 24);

/// How often it is tried again when another server was faster.
const ATTEMPTS: usize = 5;

/// The object in the storage.
#[derive(Default, Deserialize, Serialize)]
struct KeyRing {
    keys: Vec<Entry>,
}

/// A key as it is kept. It cannot be printed.
#[derive(Clone, Deserialize, Serialize)]
struct Entry {
    /// In seconds since 1970.
    made: u64,
    seed: String,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").field("keys", &self.keys.len()).finish()
    }
}

fn key() -> Key {
    ["docker", "registry", "v2", "_berth", "token-keys"]
        .into_iter()
        .fold(Key::default(), |key, word| key.join(word))
}

/// The keys of the registry, with a new one among them if it was time; `lifetime` is that of the longest token.
pub(super) async fn keys(
    store: &dyn ObjectStore,
    now: SystemTime,
    lifetime: Duration,
) -> Result<SigningKeys> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let (ring, condition) = read(store).await?;
        let Some(renewed) = ring.renewed(now, lifetime) else { return Ok(ring.signing_keys()) };
        // A document of texts and numbers can always be written.
        let content = serde_json::to_vec(&renewed).unwrap_or_default();
        match store.put(&key(), content.into(), condition).await {
            Ok(()) => return Ok(renewed.signing_keys()),
            Err(Error::AlreadyExists(_) | Error::VersionMismatch(_)) if attempt < ATTEMPTS => {}
            Err(error) => return Err(error),
        }
    }
}

/// The ring, and on which condition it may be replaced.
async fn read(store: &dyn ObjectStore) -> Result<(KeyRing, PutCondition)> {
    match store.get(&key(), None).await {
        Ok(object) => {
            let condition = object.meta.version.map_or(PutCondition::Always, PutCondition::IfVersion);
            let content = object.body.map_ok(|chunk| chunk.to_vec()).try_concat().await;
            let content = content.map_err(|source| Error::Unavailable { key: key(), source })?;
            // One that cannot be read holds no key.
            Ok((serde_json::from_slice(&content).unwrap_or_default(), condition))
        }
        Err(Error::NotFound(_)) => Ok((KeyRing::default(), PutCondition::IfAbsent)),
        Err(error) => Err(error),
    }
}

impl KeyRing {
    /// The ring with a new key in front and without those whose tokens have all expired; `None` while the newest is young.
    fn renewed(&self, now: SystemTime, lifetime: Duration) -> Option<Self> {
        let age = |entry: &Entry| now.duration_since(time(entry.made)).unwrap_or_default();
        if self.keys.iter().any(|entry| age(entry) < ROTATION) {
            return None;
        }
        let mut seed = [0; 32];
        SystemRandom::new().fill(&mut seed).ok()?;
        let made = now.duration_since(UNIX_EPOCH).ok()?.as_secs();
        let kept = self.keys.iter().filter(|entry| age(entry) < ROTATION * 2 + lifetime).cloned();
        Some(Self { keys: [Entry { made, seed: STANDARD.encode(seed) }].into_iter().chain(kept).collect() })
    }

    fn signing_keys(&self) -> SigningKeys {
        let key =
            |entry: &Entry| SigningKey::from_seed(&STANDARD.decode(&entry.seed).ok()?, time(entry.made));
        SigningKeys::new(self.keys.iter().filter_map(key).collect())
    }
}

fn time(seconds: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use berth_storage::Memory;

    use super::*;

    const LIFETIME: Duration = Duration::from_hours(24);

    fn start() -> SystemTime {
        time(1_800_000_000)
    }

    async fn id(store: &Memory, now: SystemTime) -> String {
        keys(store, now, LIFETIME).await.unwrap().to_sign_with(now).unwrap().id.clone()
    }

    #[tokio::test]
    async fn servers_that_start_at_once_share_one_key() {
        let store = Memory::new();
        let all = futures::future::join_all((0..5).map(|_| id(&store, start()))).await;
        assert!(all.iter().all(|id| *id == all[0]), "{all:?}");
    }

    #[tokio::test]
    async fn keys_are_renewed_and_old_ones_verify_until_their_last_token_has_expired() {
        let store = Memory::new();
        let first = id(&store, start()).await;
        assert_eq!(id(&store, start() + ROTATION / 2).await, first);
        // The new one is not used before all servers know it.
        assert_eq!(id(&store, start() + ROTATION).await, first);
        let later = start() + ROTATION + super::super::signing_keys::GRACE;
        assert_ne!(id(&store, later).await, first);
        let count = async |now| {
            keys(&store, now, LIFETIME).await.unwrap();
            read(&store).await.unwrap().0.keys.len()
        };
        assert_eq!(count(later).await, 2);
        assert_eq!(count(start() + ROTATION * 4).await, 1);
    }

    #[tokio::test]
    async fn a_deleted_ring_is_replaced() {
        let store = Memory::new();
        let first = id(&store, start()).await;
        store.delete(&key()).await.unwrap();
        assert_ne!(id(&store, start()).await, first);
    }
}
