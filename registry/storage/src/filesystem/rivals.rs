//! Two processes and an operator who change the same tags in every way: each list tells what is there at that moment.

use std::collections::BTreeSet;
use std::fs;

use bytes::Bytes;
use tempfile::TempDir;

use super::Filesystem;
use crate::{Key, Names, ObjectStore as _, PutCondition, Wanted};

/// More than are looked up each time.
const TAGS: usize = 500;

const ROUNDS: usize = 24;

struct Rivals {
    root: TempDir,
    stores: [Filesystem; 2],
    /// The tags that have a link.
    tags: BTreeSet<String>,
    random: u64,
}

fn key(path: &str) -> Key {
    format!("tags/{path}").parse().unwrap()
}

impl Rivals {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let stores = [Filesystem::new(root.path()), Filesystem::new(root.path())];
        let tags: BTreeSet<_> = (0..TAGS).map(|number| format!("{number:03}")).collect();
        for tag in &tags {
            let current = root.path().join("tags").join(tag).join("current");
            fs::create_dir_all(&current).unwrap();
            fs::write(current.join("link"), "x").unwrap();
        }
        Self { root, stores, tags, random: 0x2545_F491 }
    }

    /// The same numbers in every run.
    fn below(&mut self, end: usize) -> usize {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.random >> 33).unwrap() % end
    }

    fn tag(&mut self) -> String {
        format!("{:03}", self.below(TAGS))
    }

    async fn put(&mut self, path: &str) {
        let store = self.below(2);
        self.stores[store].put(&key(path), Bytes::from_static(b"x"), PutCondition::Always).await.unwrap();
    }

    async fn delete(&mut self, path: &str) {
        let store = self.below(2);
        self.stores[store].delete(&key(path)).await.unwrap();
    }

    async fn push(&mut self, tag: &str) {
        self.put(&format!("{tag}/index/x")).await;
        self.put(&format!("{tag}/current/link")).await;
        self.tags.insert(tag.to_owned());
    }

    async fn change(&mut self) {
        let tag = self.tag();
        match self.below(6) {
            0 | 1 => self.push(&tag).await,
            // A push that was interrupted, or goes on later.
            2 => self.put(&format!("{tag}/index/x")).await,
            3 => {
                self.delete(&format!("{tag}/current/link")).await;
                self.delete(&format!("{tag}/index/x")).await;
                self.tags.remove(&tag);
            }
            // A deletion that was interrupted.
            4 => {
                self.delete(&format!("{tag}/current/link")).await;
                self.tags.remove(&tag);
            }
            _ => {
                let _is_absent = fs::remove_dir_all(self.root.path().join("tags").join(&tag));
                self.tags.remove(&tag);
            }
        }
    }

    /// Lists until both processes remember what they list.
    async fn settle(&self) {
        let path = self.root.path().join("tags");
        for store in &self.stores {
            while store.listed.known(&"tags".parse().unwrap(), &path).is_none() {
                Self::names(store, Wanted::default()).await;
            }
        }
    }

    async fn names(store: &Filesystem, wanted: Wanted<'_>) -> Names {
        store.names(&"tags".parse().unwrap(), wanted).await.unwrap().unwrap()
    }

    async fn check(&mut self) {
        let (after, at_most) = (self.tag(), self.below(TAGS));
        let all = Wanted { leading_to: Some("current/link"), ..Wanted::default() };
        let page = Wanted { after: Some(&after), at_most: Some(at_most), ..all };
        let expected: Names = self.tags.iter().collect();
        for store in &self.stores {
            assert_eq!(Self::names(store, all).await, expected);
            assert_eq!(Self::names(store, page).await, expected.after(Some(&after)).slice(0..at_most));
        }
    }
}

#[tokio::test]
async fn whatever_others_change_every_list_tells_what_is_there() {
    let mut rivals = Rivals::new();
    for round in 0..ROUNDS {
        if round % 6 == 0 {
            rivals.settle().await;
        }
        rivals.check().await;
        for _ in 0..rivals.below(5) {
            rivals.change().await;
        }
        rivals.check().await;
    }
}
