//! The distinct next components below a prefix, in byte order, without looking at what is below them.
//!
//! S3 lists `1-alpine` and `1.2` before `1`, because what it sorts is `1-alpine/`, `1.2/` and `1/`. So a name is held
//! back while a shorter one may still come that belongs before it. A page or two is read ahead for that; where a
//! very long list does not end the doubt, the bucket is asked for the shorter name itself.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use futures::stream::{self, BoxStream, StreamExt as _};

use super::bucket::Bucket;
use super::list::Query;
use crate::{Key, Result};

/// How many pages are read ahead before the bucket is asked for single names.
const PAGES_AHEAD: usize = 4;

/// The components that follow `prefix`, after `start_after`.
pub(super) fn children(
    bucket: Arc<Bucket>,
    prefix: Key,
    start_after: Option<String>,
) -> BoxStream<'static, Result<String>> {
    let walk = Walk {
        bucket,
        prefix,
        last: start_after.clone().unwrap_or_default(),
        start_after,
        waiting: BTreeMap::new(),
        pages: Pages::default(),
    };
    stream::try_unfold(walk, |mut walk| async move { Ok(walk.next().await?.map(|name| (name, walk))) })
        .boxed()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    /// It is there.
    Present,
    /// It would be told before one that is there, if it comes.
    Possible,
}

struct Walk {
    bucket: Arc<Bucket>,
    prefix: Key,
    start_after: Option<String>,
    /// The last name that was told, or after which the walk begins.
    last: String,
    waiting: BTreeMap<String, Name>,
    pages: Pages,
}

/// How far the bucket's own list has been read.
#[derive(Default)]
struct Pages {
    token: Option<String>,
    /// How many were read since a name was told.
    ahead: usize,
    /// The last name that was read, as the bucket sorts it.
    reached: String,
    are_over: bool,
}

impl Walk {
    async fn next(&mut self) -> Result<Option<String>> {
        loop {
            let first = self.waiting.first_key_value().map(|(name, state)| (name.clone(), *state));
            match first {
                None if self.pages.are_over => return Ok(None),
                None => self.read().await?,
                Some((name, Name::Present)) => {
                    self.waiting.remove(&name);
                    self.pages.ahead = 0;
                    self.last.clone_from(&name);
                    return Ok(Some(name));
                }
                Some((name, Name::Possible)) => self.decide(name).await?,
            }
        }
    }

    /// Finds out whether `name` is there.
    async fn decide(&mut self, name: String) -> Result<()> {
        if self.pages.are_over || self.pages.reached > format!("{name}/") {
            self.waiting.remove(&name);
        } else if self.pages.ahead < PAGES_AHEAD {
            self.read().await?;
        } else if self.is_there(&name).await? {
            self.waiting.insert(name, Name::Present);
        } else {
            self.waiting.remove(&name);
        }
        Ok(())
    }

    async fn is_there(&self, name: &str) -> Result<bool> {
        let prefix = self.bucket.prefix(&self.prefix.join(name))?;
        let (page, _) =
            self.bucket.page(&self.prefix, Query { prefix, at_most: Some(1), ..Query::default() }).await?;
        Ok(!page.objects.is_empty())
    }

    async fn read(&mut self) -> Result<()> {
        let prefix = self.bucket.prefix(&self.prefix)?;
        let query = Query {
            start_after: self.start_after.as_ref().map(|name| format!("{prefix}{name}")),
            prefix,
            by_component: true,
            page_token: self.pages.token.take(),
            ..Query::default()
        };
        let (page, token) = self.bucket.page(&self.prefix, query).await?;
        let folders = page.common_prefixes.iter().map(|path| (path, "/"));
        let objects = page.objects.iter().map(|found| (&found.location, ""));
        let names: VecDeque<_> = folders
            .chain(objects)
            .filter_map(|(path, end)| Some((self.bucket.key(path)?, end)))
            .filter_map(|(key, end)| Some((key.strip_prefix(&self.prefix)?.to_owned(), end)))
            .collect();
        for (name, end) in names {
            self.pages.reached = std::mem::take(&mut self.pages.reached).max(format!("{name}{end}"));
            self.add(name);
        }
        self.pages.ahead += 1;
        self.pages.are_over = token.is_none();
        self.pages.token = token;
        Ok(())
    }

    fn add(&mut self, name: String) {
        if name <= self.last {
            return;
        }
        for (at, _) in name.match_indices(|c: char| c < '/').filter(|(at, _)| *at > 0) {
            let shorter = &name[..at];
            if *shorter > *self.last && !self.waiting.contains_key(shorter) {
                self.waiting.insert(shorter.to_owned(), Name::Possible);
            }
        }
        self.waiting.insert(name, Name::Present);
    }
}
