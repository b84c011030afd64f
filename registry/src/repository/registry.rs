//! The whole registry, and the way into one repository.

use std::future::ready;
use std::pin::pin;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use berth_oci::{RepositoryName, UploadId};
use berth_storage::{Clock, ObjectStore};
use futures::TryStreamExt as _;

use super::detached::detached;
use super::liveness::Liveness;
use super::manifests::Remembered;
use super::quarantine::Quarantine;
use super::retention::Pulls;
use super::room::Guard;
use super::state::State;
use super::tag_locks::TagLocks;
use super::uploads::FreshHashes;
use super::{
    Blobs, Error, GarbageCollection, LayerUrls, Listing, Manifests, Mirrored, Page, Rebuilt, Referrers,
    RequiredContent, Reserve, Result, RetentionRule, Room, Tags, Trash, Uploads, catalog, layout, uploads,
};

/// What the configuration allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Whether manifests, tags and blobs may be deleted.
    pub delete_enabled: bool,
    /// Whether every change is refused.
    pub read_only: bool,
    /// The largest manifest that may be pushed, in bytes.
    pub max_manifest_size: u64,
    /// What a manifest names must be there when it is pushed.
    pub required_content: RequiredContent,
    /// Which URLs the layers of a manifest may name.
    pub layer_urls: LayerUrls,
    /// How much of the storage is kept free of pushes.
    pub reserve: Reserve,
    /// For how long what was deleted can be brought back; none deletes at once.
    pub trash_window: Duration,
    /// Which tags are kept, when the garbage is collected or somebody asks for it; all of them when there is no rule.
    pub retention: Arc<[RetentionRule]>,
    /// Which repositories hold what was pulled through from other registries.
    pub mirrored: Mirrored,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            delete_enabled: false,
            read_only: false,
            max_manifest_size: 4 * 1024 * 1024,
            required_content: RequiredContent::default(),
            layer_urls: LayerUrls::default(),
            reserve: Reserve::default(),
            trash_window: Duration::ZERO,
            retention: Arc::default(),
            mirrored: Mirrored::default(),
        }
    }
}

/// All repositories of one object store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Registry {
    pub(super) state: Arc<State>,
    garbage_collection: GarbageCollection,
}

/// One repository, which need not exist yet. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Repository {
    pub(super) state: Arc<State>,
    pub(super) rules: Arc<Rules>,
    pub(super) name: RepositoryName,
    /// Who acts, as far as that is known.
    pub(super) actor: Option<Arc<str>>,
}

impl Registry {
    /// The registry whose state is in `store`.
    pub fn new(store: Arc<dyn ObjectStore>, rules: Rules) -> Self {
        Self::with_clock(store, rules, Clock::default())
    }

    /// The registry whose state is in `store` and whose notion of age comes from `clock`.
    pub fn with_clock(store: Arc<dyn ObjectStore>, rules: Rules, clock: Clock) -> Self {
        let quarantine = Quarantine::new(Arc::clone(&store), clock.clone());
        let state = Arc::new(State {
            rules: RwLock::new(Arc::new(rules)),
            store,
            clock,
            liveness: Liveness::default(),
            quarantine,
            remembered: Remembered::default(),
            fresh_hashes: FreshHashes::default(),
            tag_locks: TagLocks::default(),
            guard: Guard::default(),
            pulls: Pulls::default(),
            read_only: AtomicBool::default(),
        });
        Self { garbage_collection: GarbageCollection::new(Arc::clone(&state)), state }
    }

    /// The repository of that name, whether it exists or not.
    pub fn repository(&self, name: RepositoryName) -> Repository {
        Repository { state: Arc::clone(&self.state), rules: self.rules(), name, actor: None }
    }

    /// What is allowed now.
    pub(super) fn rules(&self) -> Arc<Rules> {
        self.state.rules()
    }

    /// Allows something else from now on. Requests that have begun end under the rules that they began with.
    pub fn set_rules(&self, rules: Rules) {
        *self.state.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }

    /// The repositories that have a manifest and are `visible`, in lexical order.
    pub async fn catalog(
        &self,
        page: &Page,
        visible: impl Fn(&RepositoryName) -> bool,
    ) -> Result<Listing<RepositoryName>> {
        let repositories = catalog::repositories(&self.state, page.last.clone());
        let names = repositories.try_filter_map(|found| ready(Ok(found.has_manifests.then_some(found.name))));
        let names = names.try_filter(|name| ready(visible(name)));
        Listing::of(names, page.limit).await
    }

    /// Whether the storage answers.
    pub async fn check(&self) -> Result<()> {
        // That nothing was pushed yet is an answer, too.
        self.state.head(&layout::root()).await.map(drop)
    }

    /// How much room the storage has, and what of it is kept free of pushes; `None` when it has no bound of its own.
    pub async fn room(&self) -> Result<Option<Room>> {
        self.state.room(self.rules().reserve).await
    }

    /// The garbage collection of this registry.
    pub fn garbage_collection(&self) -> &GarbageCollection {
        &self.garbage_collection
    }

    /// Makes the indexes of referrers of all repositories fit their manifests, even if nobody waits for it.
    pub async fn rebuild_referrers(&self) -> Result<Rebuilt> {
        let registry = self.clone();
        detached(async move {
            let mut rebuilt = Rebuilt::default();
            let mut repositories = pin!(catalog::repositories(&registry.state, None));
            while let Some(found) = repositories.try_next().await? {
                rebuilt += registry.repository(found.name).referrers().rebuild().await?;
            }
            tracing::info!(rebuilt.added, rebuilt.removed, "the indexes of referrers were rebuilt");
            Ok(rebuilt)
        })
        .await
    }

    /// The uploads that nobody has continued for `older_than`.
    pub async fn abandoned_uploads(&self, older_than: Duration) -> Result<Vec<(RepositoryName, UploadId)>> {
        let mut abandoned = Vec::new();
        let repositories = catalog::repositories(&self.state, None);
        let mut uploading = pin!(repositories.try_filter(|found| ready(found.has_uploads)));
        while let Some(found) = uploading.try_next().await? {
            let ids = uploads::abandoned(&self.state, &found.name, older_than).await?;
            abandoned.extend(ids.into_iter().map(|id| (found.name.clone(), id)));
        }
        Ok(abandoned)
    }

    /// Removes these uploads, and what interrupted work has left where nobody sees it; returns how many there were.
    pub async fn purge_uploads(&self, older_than: Duration) -> Result<u64> {
        let before = self.state.clock.now().checked_sub(older_than);
        let before = before.unwrap_or(SystemTime::UNIX_EPOCH);
        let mut purged = self.state.store.remove_leftovers(&layout::root(), before).await?;
        for (name, id) in self.abandoned_uploads(older_than).await? {
            purged += u64::from(uploads::remove_abandoned(&self.state, &name, &id).await?);
        }
        Ok(purged)
    }
}

impl Repository {
    /// The same repository; what is done with it is noted as done by `actor`.
    pub fn on_behalf_of(self, actor: &str) -> Self {
        Self { actor: Some(actor.into()), ..self }
    }

    /// The name of the repository.
    pub fn name(&self) -> &RepositoryName {
        &self.name
    }

    /// Its blobs.
    pub fn blobs(&self) -> Blobs<'_> {
        Blobs(self)
    }

    /// Its uploads in progress.
    pub fn uploads(&self) -> Uploads<'_> {
        Uploads(self)
    }

    /// Its manifests.
    pub fn manifests(&self) -> Manifests<'_> {
        Manifests(self)
    }

    /// Its tags.
    pub fn tags(&self) -> Tags<'_> {
        Tags(self)
    }

    /// What was deleted from it and can be brought back.
    pub fn trash(&self) -> Trash<'_> {
        Trash(self)
    }

    /// What refers to its manifests.
    pub fn referrers(&self) -> Referrers<'_> {
        Referrers(self)
    }

    /// Whether it holds what was pulled through from another registry.
    pub(super) fn is_mirrored(&self) -> bool {
        self.rules.mirrored.contains(&self.name)
    }

    /// Refuses what changes the repository in read-only mode.
    pub(super) fn check_writable(&self) -> Result<()> {
        if self.rules.read_only { Err(Error::ReadOnly) } else { Ok(()) }
    }

    /// Refuses what adds content in read-only mode, and while the room in the storage is low.
    pub async fn check_room(&self) -> Result<()> {
        self.check_writable()?;
        self.state.require_room(self.rules.reserve).await
    }

    /// Refuses what takes something out of the repository unless that is allowed.
    pub(super) fn check_deletable(&self) -> Result<()> {
        self.check_writable()?;
        if self.rules.delete_enabled { Ok(()) } else { Err(Error::DeleteDisabled) }
    }
}
