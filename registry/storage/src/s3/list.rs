//! Lists of objects, page by page.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::stream::{self, BoxStream, StreamExt as _};
use object_store::ListResult;
use object_store::list::{PaginatedListOptions, PaginatedListStore as _};

use super::bucket::{self, Bucket};
use super::error;
use crate::{Key, ObjectMeta, Result};

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Query {
    /// What the names start with.
    pub(super) prefix: String,
    /// After which name it goes on.
    pub(super) start_after: Option<String>,
    /// Whether what is below the next component is told as that component alone.
    pub(super) by_component: bool,
    /// How many names at most; the server's own limit without it.
    pub(super) at_most: Option<usize>,
    /// Where the page before this one ended, in the server's words.
    pub(super) page_token: Option<String>,
}

impl Bucket {
    /// A page of names, and the token of the next page if there is one.
    pub(super) async fn page(&self, key: &Key, query: Query) -> Result<(ListResult, Option<String>)> {
        let options = PaginatedListOptions {
            offset: query.start_after,
            delimiter: query.by_component.then(|| "/".into()),
            max_keys: query.at_most,
            page_token: query.page_token,
            ..PaginatedListOptions::default()
        };
        let prefix = Some(query.prefix.as_str()).filter(|prefix| !prefix.is_empty());
        let page = self.client.list_paginated(prefix, options).await;
        let page = page.map_err(|failure| error::explain(key, failure))?;
        Ok((page.result, page.page_token))
    }
}

/// All objects below `prefix` after `start_after`.
pub(super) fn list(
    bucket: Arc<Bucket>,
    prefix: Key,
    start_after: Option<Key>,
) -> BoxStream<'static, Result<ObjectMeta>> {
    let pages = Pages { bucket, prefix, start_after, token: None, ahead: VecDeque::new(), is_last: false };
    stream::try_unfold(pages, |mut pages| async move { Ok(pages.next().await?.map(|meta| (meta, pages))) })
        .boxed()
}

struct Pages {
    bucket: Arc<Bucket>,
    prefix: Key,
    start_after: Option<Key>,
    token: Option<String>,
    ahead: VecDeque<ObjectMeta>,
    is_last: bool,
}

impl Pages {
    async fn next(&mut self) -> Result<Option<ObjectMeta>> {
        while self.ahead.is_empty() && !self.is_last {
            self.read().await?;
        }
        Ok(self.ahead.pop_front())
    }

    async fn read(&mut self) -> Result<()> {
        let start_after = self.start_after.as_ref().map(|key| self.bucket.path(key)).transpose()?;
        let query = Query {
            prefix: self.bucket.prefix(&self.prefix)?,
            start_after: start_after.map(String::from),
            page_token: self.token.take(),
            ..Query::default()
        };
        let (page, token) = self.bucket.page(&self.prefix, query).await?;
        let found = page
            .objects
            .iter()
            .filter_map(|found| Some(bucket::meta(self.bucket.key(&found.location)?, found)));
        // The marker that a console writes for the folder itself is no object below it.
        let below =
            found.filter(|meta| meta.key.strip_prefix(&self.prefix).is_some_and(|name| !name.is_empty()));
        self.ahead.extend(below);
        self.is_last = token.is_none();
        self.token = token;
        Ok(())
    }
}
