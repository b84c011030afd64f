//! Two registries over one folder, and somebody who removes what is in it: both list what is there, whatever each has seen.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use berth_registry::repository::{Error, Page, Registry, Rules};
use berth_storage::Filesystem;
use serde_json::Value;
use tempfile::TempDir;

use crate::fixture::*;

const REPOSITORIES: [&str; 5] = ["a", "a-b", "a-b/c", "a/b", "b"];
const ROUNDS: usize = 40;

/// A tag of the first repository is one of so many, a whole list of which is more than is looked up each time.
const TAGS: usize = 300;

struct Site {
    root: TempDir,
    registries: [Registry; 2],
    image: Value,
    /// The repositories that have manifests, and their tags.
    model: BTreeMap<&'static str, BTreeSet<String>>,
    random: u64,
}

impl Site {
    async fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let rules = Rules { delete_enabled: true, ..Rules::default() };
        let registry = || Registry::new(Arc::new(Filesystem::new(root.path())), rules.clone());
        let registries = [registry(), registry()];
        let image = push_image(&registries[0].repository(name("a")), "t000", "{}", &[]).await;
        let mut site = Self { registries, root, image, model: BTreeMap::new(), random: 0x9e37_79b9 };
        let (link, tags) = (site.tag("a", "t000").join("current/link"), site.tags_of("a"));
        for tag in (0..TAGS).map(|number| format!("t{number:03}")) {
            fs::create_dir_all(tags.join(&tag).join("current")).unwrap();
            let _is_there = fs::copy(&link, tags.join(&tag).join("current/link"));
            site.model.entry("a").or_default().insert(tag);
        }
        site
    }

    fn tags_of(&self, repository: &str) -> PathBuf {
        self.root.path().join("docker/registry/v2/repositories").join(repository).join("_manifests/tags")
    }

    fn tag(&self, repository: &str, tag: &str) -> PathBuf {
        self.tags_of(repository).join(tag)
    }

    /// The same numbers in every run.
    fn below(&mut self, end: usize) -> usize {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.random >> 33).unwrap() % end
    }

    async fn change(&mut self) {
        let repository = REPOSITORIES[self.below(REPOSITORIES.len())];
        let tag = format!("t{:03}", self.below(TAGS));
        let registry = self.below(2);
        let there = self.registries[registry].repository(name(repository));
        match self.below(8) {
            0..4 => {
                push_blob(&there, "{}").await;
                push_manifest(&there, &tag, &self.image).await.unwrap();
                self.model.entry(repository).or_default().insert(tag);
            }
            4 | 5 => {
                let deleted = there.manifests().delete(&reference(&tag)).await;
                let was_there = self.model.get_mut(repository).is_some_and(|tags| tags.remove(&tag));
                assert_eq!(deleted.is_ok(), was_there, "{deleted:?}");
            }
            6 => {
                let _is_absent = fs::remove_dir_all(self.tag(repository, &tag));
                self.model.get_mut(repository).map(|tags| tags.remove(&tag));
            }
            _ if repository == "a" => {}
            _ => {
                let deleted = there.delete().await;
                assert_eq!(deleted.is_ok(), self.model.remove(repository).is_some(), "{deleted:?}");
            }
        }
    }

    /// Both registries tell the repositories and the tags that there are, all at once and by pages.
    async fn check(&mut self) {
        let (most, last) = (1 + self.below(3), REPOSITORIES[self.below(REPOSITORIES.len())]);
        for registry in &self.registries {
            let all = registry.catalog(&Page::default(), |_| true).await.unwrap();
            let names: Vec<_> = all.items.iter().map(|name| name.as_str()).collect();
            assert!(names.iter().eq(self.model.keys()), "{names:?}");
            let page = Page { limit: Some(most), last: Some(last.to_owned()) };
            let listed = registry.catalog(&page, |_| true).await.unwrap();
            let expected = self.model.keys().filter(|name| **name > last).take(most);
            assert!(listed.items.iter().map(|name| name.as_str()).eq(expected.copied()), "{listed:?}");
            for repository in REPOSITORIES {
                let expected = self.model.get(repository);
                let page = Page { limit: Some(most * 20), last: Some("t100".to_owned()) };
                for page in [Page::default(), page] {
                    let listed = registry.repository(name(repository)).tags().list(&page).await;
                    let Some(expected) = expected else {
                        assert!(matches!(listed, Err(Error::NameUnknown(_))), "{listed:?}");
                        continue;
                    };
                    let after = |tag: &&String| page.last.as_ref().is_none_or(|last| *tag > last);
                    let expected = expected.iter().filter(after).take(page.limit.unwrap_or(usize::MAX));
                    let listed = listed.unwrap();
                    assert!(listed.items.iter().map(ToString::to_string).eq(expected.cloned()), "{listed:?}");
                }
            }
        }
    }

    /// Waits until no folder has changed so lately that nobody may remember it.
    fn settle(&self) {
        while youngest(self.root.path()).elapsed().unwrap_or_default() < Duration::from_millis(1100) {
            std::thread::yield_now();
        }
    }
}

/// When a folder was last changed.
fn youngest(folder: &Path) -> SystemTime {
    let below = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let below =
        below.filter(|entry| entry.file_type().unwrap().is_dir()).map(|entry| youngest(&entry.path()));
    below.chain([folder.metadata().unwrap().modified().unwrap()]).max().unwrap()
}

#[tokio::test]
async fn what_one_registry_changes_the_other_lists_and_nothing_else() {
    let mut site = Site::new().await;
    for round in 0..ROUNDS {
        if round % 10 == 0 {
            site.settle();
        }
        site.check().await;
        for _ in 0..site.below(3) {
            site.change().await;
        }
        site.check().await;
    }
}
