//! Retention: rules say which tags are kept, and the others go to the trash.
//!
//! A tag that no rule selects is kept; one that rules select is kept if any of them keeps it. Of the tags that a rule
//! selects in a repository, it always keeps the one that was used last, so that no rule empties a repository. Tags of
//! referrers (`sha256-…`) belong to their images, and no rule selects them. The manifests stay for the garbage
//! collection, which deletes untagged ones when it is told to.
//!
//! A tag was last used when it was last pushed or pulled, whichever was later.

mod pulls;
mod rule;
mod verdict;
mod versions;

use std::pin::pin;
use std::sync::Arc;

use berth_oci::{Digest, RepositoryName, Tag};
use futures::TryStreamExt as _;
use jiff::{Timestamp, Unit};
use serde::{Deserialize, Serialize};

pub(super) use self::pulls::Pulls;
pub use self::rule::{InvalidRule, Keep, RetentionRule, VersionLimits};
use self::verdict::{Used, judge};
use super::state::State;
use super::{Error, Precondition, Registry, Repository, Result, Rules, Targets, catalog, layout};

/// How many tags are looked at at once.
const CONCURRENCY: usize = 16;

/// Who deletes, in the notes of the trash.
const ACTOR: &str = "retention";

/// What the rules come to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Retention {
    /// Whether nothing was really deleted.
    pub dry_run: bool,
    /// How many tags are kept in the repositories that rules are for.
    pub kept: u64,
    /// The tags that are deleted, or would be.
    pub deleted: Vec<Outgoing>,
}

/// A tag that no rule keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outgoing {
    /// Where it is.
    pub repository: RepositoryName,
    /// Its name.
    pub tag: Tag,
    /// What it points at.
    pub digest: Digest,
    /// When it was last pushed or pulled, in whole seconds.
    pub last_used: Timestamp,
    /// The rules that select it, and what they keep instead.
    pub reason: String,
}

impl Registry {
    /// Deletes the tags that the configured rules do not keep, or in a dry run tells which they are.
    pub async fn apply_retention(&self, dry_run: bool) -> Result<Retention> {
        retention(&self.state, &self.rules(), dry_run).await
    }

    /// Tells what other rules would delete.
    pub async fn try_retention(&self, rules: Vec<RetentionRule>) -> Result<Retention> {
        retention(&self.state, &Rules { retention: rules.into(), ..Rules::clone(&self.rules()) }, true).await
    }
}

async fn retention(state: &Arc<State>, rules: &Rules, dry_run: bool) -> Result<Retention> {
    let mut deleted = Vec::new();
    let kept = retain(state, rules, dry_run, &mut |outgoing| deleted.push(outgoing)).await?;
    Ok(Retention { dry_run, kept, deleted })
}

/// Who is told of each tag that goes.
type Told<'a> = &'a mut (dyn FnMut(Outgoing) + Send);

/// Deletes the tags that the rules do not keep, or in a dry run tells which they are. Returns how many are kept.
///
/// That rules of retention are configured is the permission to delete.
pub(super) async fn retain(state: &Arc<State>, rules: &Rules, dry_run: bool, tell: Told<'_>) -> Result<u64> {
    let mut kept = 0;
    if rules.retention.is_empty() {
        return Ok(kept);
    }
    if rules.read_only && !dry_run {
        return Err(Error::ReadOnly);
    }
    let mut repositories = pin!(catalog::repositories(state, None));
    while let Some(found) = repositories.try_next().await? {
        if rules.retention.iter().any(|rule| rule.applies_to(&found.name)) {
            let repository = Repository {
                state: Arc::clone(state),
                rules: Arc::new(Rules { delete_enabled: true, ..rules.clone() }),
                name: found.name,
                actor: Some(ACTOR.into()),
            };
            kept += repository.retain(dry_run, tell).await?;
        }
    }
    Ok(kept)
}

impl Repository {
    async fn retain(&self, dry_run: bool, tell: Told<'_>) -> Result<u64> {
        let tags = self.tags_in_use().await?;
        let now = Timestamp::try_from(self.state.clock.now()).unwrap_or_default();
        let outgoing = judge(&self.name, &tags, &self.rules.retention, now);
        let kept = tags.len() - outgoing.len();
        for (used, reason) in outgoing {
            if let Some(digest) = self.dismiss(used, dry_run).await? {
                let (repository, tag) = (self.name.clone(), used.tag.clone());
                let last_used = used.last.round(Unit::Second).unwrap_or(used.last);
                tracing::info!(%repository, %tag, %digest, %reason, dry_run, "no rule keeps a tag");
                tell(Outgoing { repository, tag, digest, last_used, reason: reason.to_string() });
            }
        }
        Ok(kept as u64)
    }

    async fn tags_in_use(&self) -> Result<Vec<Used>> {
        let tags = self.tags();
        let looks = tags.after(None).map_ok(|tag| async move { self.used(&tag).await });
        looks.try_buffered(CONCURRENCY).try_filter_map(|used| async { Ok(used) }).try_collect().await
    }

    /// When the tag was last used; `None` when it is gone.
    async fn used(&self, tag: &Tag) -> Result<Option<Used>> {
        let Some(pushed) = self.state.head(&layout::tag_current(&self.name, tag)).await? else {
            return Ok(None);
        };
        let pulled = self.state.head(&layout::pulled(&self.name, tag)).await?;
        let last = pulled.map_or(pushed.modified, |pulled| pulled.modified.max(pushed.modified));
        Ok(Some(Used { tag: tag.clone(), last: Timestamp::try_from(last).unwrap_or_default() }))
    }

    /// Deletes the tag, or in a dry run does not, and returns what it points at; `None` when it was used or moved
    /// meanwhile.
    async fn dismiss(&self, used: &Used, dry_run: bool) -> Result<Option<Digest>> {
        let target = self.tags().resolve(&used.tag).await?;
        let Some(digest) = target else { return Ok(None) };
        if dry_run {
            return Ok(Some(digest));
        }
        if self.used(&used.tag).await?.as_ref() != Some(used) {
            return Ok(None);
        }
        let unmoved =
            Precondition { if_match: Some(Targets::OneOf(vec![digest])), ..Precondition::default() };
        match self.manifests().delete_if(&used.tag.clone().into(), &unmoved).await {
            Err(Error::PreconditionFailed { .. } | Error::ManifestUnknown(_)) => Ok(None),
            deleted => deleted.map(|_| Some(digest)),
        }
    }
}
