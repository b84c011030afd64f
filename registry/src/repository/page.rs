//! Long lists in pages (distribution specification, "Listing tags").

use std::pin::pin;

use futures::{Stream, TryStreamExt as _};

use super::Result;

/// Which part of a list is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// At most so many entries; all of them when there is no limit.
    pub limit: Option<usize>,
    /// Only entries that come after this one, which need not exist.
    pub last: Option<String>,
}

impl Page {
    /// The same page, cut to `most` entries if it has a limit.
    pub fn at_most(self, most: usize) -> Self {
        Self { limit: self.limit.map(|limit| limit.min(most)), ..self }
    }
}

/// A part of a list, in lexical order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T> {
    /// The entries.
    pub items: Vec<T>,
    /// `last` of the following page, when there is one.
    pub next: Option<String>,
}

impl<T: ToString> Listing<T> {
    /// The page of a list that is known as a whole, in lexical order.
    pub fn of_all(entries: Vec<T>, page: &Page) -> Self {
        let last = page.last.as_deref().unwrap_or_default();
        let mut items: Vec<T> =
            entries.into_iter().filter(|entry| entry.to_string().as_str() > last).collect();
        let is_cut = page.limit.is_some_and(|limit| items.len() > limit);
        items.truncate(page.limit.unwrap_or(usize::MAX));
        let next = items.last().filter(|_| is_cut).map(T::to_string);
        Self { items, next }
    }

    /// The first `limit` of the entries that follow, of which no more are looked at than needed.
    pub(super) async fn of(entries: impl Stream<Item = Result<T>>, limit: Option<usize>) -> Result<Self> {
        let mut entries = pin!(entries);
        let mut items = Vec::new();
        if limit == Some(0) {
            return Ok(Self { items, next: None });
        }
        while let Some(entry) = entries.try_next().await? {
            if limit == Some(items.len()) {
                let next = items.last().map(T::to_string);
                return Ok(Self { items, next });
            }
            items.push(entry);
        }
        Ok(Self { items, next: None })
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    async fn listing(count: usize, limit: Option<usize>) -> (usize, Option<String>) {
        let listing = Listing::of(stream::iter((0..count).map(Ok)), limit).await.unwrap();
        (listing.items.len(), listing.next)
    }

    #[tokio::test]
    async fn a_page_says_where_the_next_one_starts_only_when_there_is_one() {
        assert_eq!(listing(5, None).await, (5, None));
        assert_eq!(listing(5, Some(2)).await, (2, Some("1".to_owned())));
        assert_eq!(listing(5, Some(5)).await, (5, None));
        assert_eq!(listing(5, Some(9)).await, (5, None));
        assert_eq!(listing(5, Some(0)).await, (0, None));
        assert_eq!(listing(0, Some(1)).await, (0, None));
    }
}
