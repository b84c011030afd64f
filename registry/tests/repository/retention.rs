//! Rules that say which tags are kept.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use berth_registry::repository::{
    Error, Keep, Options, Page, Registry, Retention, RetentionRule, Rules, RunState,
};
use berth_storage::{Clock, Key, Memory, ObjectStore};
use futures::TryStreamExt as _;

use crate::fixture::*;

/// A registry whose time goes on when it is told to.
struct Timeline {
    now: Arc<Mutex<SystemTime>>,
    store: Arc<dyn ObjectStore>,
    registry: Registry,
}

impl Timeline {
    fn with(rules: Vec<RetentionRule>) -> Self {
        let now = Arc::new(Mutex::new(SystemTime::now()));
        let time = Arc::clone(&now);
        let clock = Clock::new(move || *time.lock().unwrap());
        let store: Arc<dyn ObjectStore> = Arc::new(Memory::with_clock(clock.clone()));
        let day = Duration::from_hours(24);
        let rules = Rules { retention: rules.into(), trash_window: day, ..Rules::default() };
        Self { registry: Registry::with_clock(Arc::clone(&store), rules, clock), store, now }
    }

    fn pass(&self, hours: u64) {
        *self.now.lock().unwrap() += Duration::from_hours(hours);
    }

    /// Pushes the tags, one an hour.
    async fn push(&self, repository: &str, tags: &[&str]) {
        for tag in tags {
            push_image(&self.registry.repository(name(repository)), tag, "{}", &[tag]).await;
            self.pass(1);
        }
    }

    async fn pull(&self, repository: &str, tag: &str) {
        self.registry.repository(name(repository)).note_pull(&tag.parse().unwrap());
        let key = format!("docker/registry/v2/repositories/{repository}/_berth/pulls/{tag}");
        let key = key.split('/').fold(Key::default(), |key, part| key.join(part));
        while self.store.head(&key).await.is_err() {
            tokio::task::yield_now().await;
        }
    }

    async fn keys_of_pulls(&self) -> Vec<String> {
        let listed: Vec<_> = self.store.list(&Key::default(), None).try_collect().await.unwrap();
        let keys = listed.into_iter().map(|meta| meta.key.to_string());
        keys.filter(|key| key.contains("/pulls/")).collect()
    }

    async fn tags(&self, repository: &str) -> Vec<String> {
        let tags = self.registry.repository(name(repository)).tags().list(&Page::default()).await.unwrap();
        tags.items.iter().map(ToString::to_string).collect()
    }
}

fn rule(repositories: &str, keep: Keep) -> RetentionRule {
    RetentionRule::new(&[repositories.to_owned()], &[], keep).unwrap()
}

fn last(number: usize) -> Keep {
    Keep { last: Some(number), ..Keep::default() }
}

fn gone(retention: &Retention) -> Vec<String> {
    let gone = retention.deleted.iter().map(|outgoing| format!("{}:{}", outgoing.repository, outgoing.tag));
    gone.collect()
}

#[tokio::test]
async fn what_no_rule_keeps_goes_to_the_trash() {
    let timeline = Timeline::with(vec![rule("team/*", last(2))]);
    timeline.push("team/app", &["v1", "v2", "v3"]).await;
    timeline.push("other", &["v1", "v2", "v3"]).await;
    let told = timeline.registry.apply_retention(true).await.unwrap();
    assert_eq!((gone(&told), told.kept), (vec!["team/app:v1".to_owned()], 2));
    assert_eq!(told.deleted[0].reason, "rule 1 keeps the last 2");
    assert_eq!(timeline.tags("team/app").await, ["v1", "v2", "v3"]);

    let done = timeline.registry.apply_retention(false).await.unwrap();
    assert_eq!(gone(&done), gone(&told));
    assert_eq!(timeline.tags("team/app").await, ["v2", "v3"]);
    assert_eq!(timeline.tags("other").await.len(), 3);
    let repository = timeline.registry.repository(name("team/app"));
    let trash = repository.trash().list().await.unwrap();
    assert_eq!(trash[0].deleted_by.as_deref(), Some("retention"));
    repository.trash().restore(Some(&reference("v1")), false).await.unwrap();
    assert!(has_manifest(&repository, "v1").await);
}

#[tokio::test]
async fn a_pull_counts_as_a_push_does() {
    let timeline = Timeline::with(vec![rule("**", last(1))]);
    timeline.push("app", &["v1", "v2"]).await;
    timeline.pull("app", "v1").await;
    let told = timeline.registry.apply_retention(true).await.unwrap();
    assert_eq!(gone(&told), ["app:v2"]);
}

#[tokio::test]
async fn pulls_are_noted_only_where_a_rule_asks_for_them() {
    let timeline = Timeline::with(vec![rule("team/*", last(1))]);
    timeline.push("other", &["v1"]).await;
    timeline.push("team/app", &["v1"]).await;
    timeline.registry.repository(name("other")).note_pull(&"v1".parse().unwrap());
    timeline.pull("team/app", "v1").await;
    assert_eq!(timeline.keys_of_pulls().await.len(), 1);
}

#[tokio::test]
async fn other_rules_can_be_tried() {
    let timeline = Timeline::with(Vec::new());
    timeline.push("app", &["v1", "v2"]).await;
    assert_eq!(timeline.registry.apply_retention(false).await.unwrap(), Retention::default());
    let newer = Keep { newer_than_seconds: Some(90 * 60), ..Keep::default() };
    let told = timeline.registry.try_retention(vec![rule("**", newer)]).await.unwrap();
    assert_eq!(gone(&told), ["app:v1"]);
    assert_eq!(timeline.tags("app").await.len(), 2);
}

#[tokio::test]
async fn a_collection_applies_the_rules_first() {
    let timeline = Timeline::with(vec![rule("**", last(1))]);
    timeline.push("app", &["v1", "v2"]).await;
    for (dry_run, left) in [(true, 2), (false, 1)] {
        let options = Options { dry_run, ..Options::default() };
        let run = timeline.registry.garbage_collection().run_to_end(options).await.unwrap();
        assert_eq!((run.state, run.tags_deleted), (RunState::Succeeded, 1), "{run:?}");
        assert_eq!(timeline.tags("app").await.len(), left);
    }
    assert!(has_blob(&timeline.registry.repository(name("app")), &sha256("v1")).await);
}

#[tokio::test]
async fn a_registry_that_is_read_only_keeps_its_tags() {
    let timeline = Timeline::with(vec![rule("**", last(1))]);
    timeline.push("app", &["v1", "v2"]).await;
    timeline.registry.switch_read_only(None).await.unwrap();
    let refused = timeline.registry.apply_retention(false).await;
    assert!(matches!(refused, Err(Error::ReadOnly)), "{refused:?}");
    let run = timeline.registry.garbage_collection().run_to_end(Options::default()).await.unwrap();
    assert_eq!(run.state, RunState::Succeeded, "{run:?}");
    assert_eq!(timeline.tags("app").await.len(), 2);
}
