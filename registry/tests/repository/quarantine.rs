//! The quarantine: what rests in it, who rescues from it, and how several processes agree.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use berth_oci::Digest;
use berth_registry::repository::{Error, NotStarted, Options, Registry, Rules, Run, RunState};
use berth_storage::{Clock, Key, Memory, ObjectStore, PutCondition};
use serde_json::json;

use crate::fixture::*;

const DAY: Duration = Duration::from_hours(24);

/// A storage and processes that see it, at a time that the test sets.
struct Site {
    store: Arc<dyn ObjectStore>,
    clock: Clock,
    time: Arc<Mutex<SystemTime>>,
}

impl Site {
    fn new() -> Self {
        let time = Arc::new(Mutex::new(SystemTime::now()));
        let shown = Arc::clone(&time);
        let clock = Clock::new(move || *shown.lock().unwrap());
        Self { store: Arc::new(Memory::with_clock(clock.clone())), clock, time }
    }

    fn process(&self) -> Registry {
        let rules = Rules { delete_enabled: true, ..Rules::default() };
        Registry::with_clock(Arc::clone(&self.store), rules, self.clock.clone())
    }

    fn wait(&self, duration: Duration) {
        *self.time.lock().unwrap() += duration;
    }

    async fn collect(&self) -> Run {
        self.collect_with(Options { delete_untagged: true, ..Options::default() }).await
    }

    async fn collect_with(&self, options: Options) -> Run {
        let run = self.process().garbage_collection().run_to_end(options).await.unwrap();
        assert_eq!(run.state, RunState::Succeeded, "{run:?}");
        run
    }

    async fn put(&self, key: &str, document: &serde_json::Value) {
        let key: Key = format!("docker/registry/v2/_berth/garbage-collection/{key}").parse().unwrap();
        self.store.put(&key, document.to_string().into(), PutCondition::Always).await.unwrap();
    }
}

#[tokio::test]
async fn garbage_is_deleted_by_the_run_after_the_one_that_found_it() {
    let site = Site::new();
    let repository = site.process().repository(name("app"));
    let orphan = push_blob(&repository, "orphan").await;
    site.wait(2 * DAY);
    let found = site.collect().await;
    assert_eq!((found.quarantined, found.bytes_quarantined, found.blobs_deleted), (1, 6, 0));
    assert!(has_blob(&repository, &orphan).await);
    site.wait(DAY);
    let deleted = site.collect().await;
    assert_eq!((deleted.quarantined, deleted.blobs_deleted, deleted.bytes_freed), (0, 1, 6));
    assert!(!has_blob(&repository, &orphan).await);
}

#[tokio::test]
async fn nothing_is_deleted_before_it_has_rested_however_often_a_run_is_started() {
    let site = Site::new();
    push_blob(&site.process().repository(name("app")), "orphan").await;
    site.wait(2 * DAY);
    site.collect().await;
    for _ in 0..5 {
        site.wait(Duration::from_hours(3));
        let run = site.collect().await;
        assert_eq!((run.blobs_deleted, run.rested_at.is_some()), (0, true));
    }
    site.wait(Duration::from_hours(3));
    assert_eq!(site.collect().await.blobs_deleted, 1);
}

#[tokio::test]
async fn what_a_client_of_another_process_was_told_to_exist_is_rescued() {
    let site = Site::new();
    let pushed = site.process();
    let one = pushed.repository(name("one"));
    let digests =
        [push_blob(&one, "head").await, push_blob(&one, "mount").await, push_blob(&one, "push").await];
    let forgotten = push_blob(&one, "forgotten").await;
    site.wait(2 * DAY);
    assert_eq!(site.collect().await.quarantined, 4);
    let told = site.process();
    told.repository(name("one")).blobs().head(&digests[0]).await.unwrap();
    let other = told.repository(name("other"));
    assert!(other.blobs().mount(&digests[1], &name("one")).await.unwrap().is_some());
    push_blob(&other, "push").await;
    assert_eq!(told.garbage_collection().rescues(), 3);
    site.wait(DAY);
    let run = site.collect().await;
    assert_eq!((run.blobs_deleted, run.rescued), (1, 3));
    assert!(!has_blob(&one, &forgotten).await);
    for digest in &digests {
        assert!(has_blob(&one, digest).await);
    }
    let mut deleted = 0;
    for _ in 0..3 {
        site.wait(DAY);
        deleted += site.collect().await.blobs_deleted;
    }
    assert_eq!(deleted, 3, "nobody has come to need them");
}

#[tokio::test]
async fn what_was_rescued_is_spared_however_many_others_were() {
    let site = Site::new();
    let repository = site.process().repository(name("app"));
    let layers = ["1", "2", "3", "4"];
    for layer in layers {
        push_blob(&repository, layer).await;
    }
    let [told, forgotten] = [push_blob(&repository, "told").await, push_blob(&repository, "forgotten").await];
    site.wait(2 * DAY);
    assert_eq!(site.collect().await.quarantined, 6);
    let other = site.process().repository(name("app"));
    push_image(&other, "v1", "1", &layers[1..]).await;
    other.blobs().head(&told).await.unwrap();
    site.wait(DAY);
    // More marks than digests that are about to go.
    let run = site.collect().await;
    assert_eq!((run.blobs_deleted, run.rescued), (1, 5));
    assert!(has_blob(&repository, &told).await && !has_blob(&repository, &forgotten).await);
}

#[tokio::test]
async fn a_blob_that_a_client_is_to_read_elsewhere_is_rescued() {
    let site = Site::new();
    let repository = site.process().repository(name("app"));
    let digest = push_blob(&repository, "orphan").await;
    site.wait(2 * DAY);
    assert_eq!(site.collect().await.quarantined, 1);
    let told = site.process();
    let asked = told.repository(name("app"));
    // Memory has no such URLs; who would have been given one may rely on the blob in any case.
    assert!(asked.blobs().presign(&digest, Duration::from_mins(20)).await.unwrap().is_none());
    assert_eq!(told.garbage_collection().rescues(), 1);
    site.wait(DAY);
    assert_eq!(site.collect().await.blobs_deleted, 0);
    assert!(has_blob(&repository, &digest).await);
}

#[tokio::test]
async fn a_manifest_that_is_pushed_meanwhile_takes_its_blobs_out_of_quarantine() {
    let site = Site::new();
    let repository = site.process().repository(name("app"));
    let image = push_image(&repository, "v1", "{}", &["layer"]).await;
    repository.manifests().delete(&reference(&digest_of(&image).to_string())).await.unwrap();
    site.wait(2 * DAY);
    assert_eq!(site.collect().await.quarantined, 3);
    push_manifest(&site.process().repository(name("app")), "v1", &image).await.unwrap();
    site.wait(2 * DAY);
    assert_eq!(site.collect().await.blobs_deleted, 0);
    assert!(has_manifest(&repository, "v1").await && has_blob(&repository, &sha256("layer")).await);
}

#[tokio::test]
async fn an_untagged_manifest_that_somebody_asks_for_stays_with_everything_that_it_needs() {
    let site = Site::new();
    let repository = site.process().repository(name("app"));
    let image = push_image(&repository, "v1", "{}", &["layer"]).await;
    repository.manifests().delete(&reference("v1")).await.unwrap();
    site.wait(2 * DAY);
    assert_eq!(site.collect().await.quarantined, 3);
    let digest = digest_of(&image).to_string();
    site.process().repository(name("app")).manifests().head(&reference(&digest)).await.unwrap();
    site.wait(DAY);
    let run = site.collect().await;
    assert_eq!((run.manifests_deleted, run.blobs_deleted), (0, 0));
    assert!(has_manifest(&repository, &digest).await && has_blob(&repository, &sha256("layer")).await);
    assert_eq!(site.collect().await.quarantined, 3, "nobody has come to need it");
    site.wait(DAY);
    let run = site.collect().await;
    assert_eq!((run.manifests_deleted, run.blobs_deleted), (1, 3));
}

#[tokio::test]
async fn what_a_manifest_needs_is_not_deleted_before_the_manifest_has_rested() {
    let site = Site::new();
    let repository = site.process().repository(name("app"));
    push_blob(&repository, "layer").await;
    site.wait(2 * DAY);
    assert_eq!(site.collect().await.quarantined, 1);
    // Another registry on the same storage knows of no quarantine.
    let image = image("{}", &["layer"]);
    push_blob(&repository, "{}").await;
    let (digest, text) = (digest_of(&image), image.to_string());
    let hex = digest.hex();
    for (key, content) in [
        (format!("blobs/sha256/{}/{hex}/data", &hex[..2]), text),
        (format!("repositories/app/_manifests/revisions/sha256/{hex}/link"), digest.to_string()),
    ] {
        let key: Key = format!("docker/registry/v2/{key}").parse().unwrap();
        site.store.put(&key, content.into(), PutCondition::Always).await.unwrap();
    }
    site.wait(2 * DAY);
    let run = site.collect().await;
    assert_eq!((run.blobs_deleted, run.manifests_deleted), (0, 0));
    assert!(has_manifest(&repository, &digest.to_string()).await);
    assert!(has_blob(&repository, &sha256("layer")).await);
}

#[tokio::test]
async fn a_run_is_refused_while_another_process_does_one() {
    let site = Site::new();
    let (holder, until) = ("hub-0/1", jiff::Timestamp::try_from(site.clock.now() + DAY).unwrap());
    site.put("lease", &json!({"name": holder, "until": until})).await;
    let (one, options) = (site.process(), Options::default());
    let refused = one.garbage_collection().start(options.clone()).await.unwrap_err();
    assert_eq!(refused.to_string(), "a garbage collection is running already: hub-0/1 does it");
    let NotStarted::AlreadyRunning(run) = refused else { panic!("{refused:?}") };
    assert_eq!((run.state, run.replica.as_deref()), (RunState::Running, Some(holder)));
    assert_eq!(one.garbage_collection().current().await.unwrap().state, RunState::Idle);
    // A dry run changes nothing, and disturbs nobody.
    let dry = Options { dry_run: true, ..options.clone() };
    assert_eq!(one.garbage_collection().run_to_end(dry).await.unwrap().state, RunState::Succeeded);
    site.wait(DAY);
    assert_eq!(one.garbage_collection().run_to_end(options).await.unwrap().state, RunState::Succeeded);
}

#[tokio::test]
async fn every_process_tells_of_the_last_run_and_of_one_that_was_broken_off() {
    let site = Site::new();
    push_blob(&site.process().repository(name("app")), "orphan").await;
    site.wait(2 * DAY);
    let done = site.collect().await;
    let told = site.process().garbage_collection().current().await.unwrap();
    assert_eq!(told, done);
    assert!(told.replica.is_some());
    let broken = json!({"state": "running", "replica": "hub-0/1", "startedAt": "2100-01-01T00:00:00Z"});
    site.put("report", &broken).await;
    let told = site.process().garbage_collection().current().await.unwrap();
    assert_eq!((told.state, told.replica.as_deref()), (RunState::Failed, Some("hub-0/1")));
}

#[tokio::test]
async fn a_process_tells_how_its_own_run_has_ended_although_others_were_not_told() {
    let site = Site::new();
    let process = site.process();
    let done = process.garbage_collection().run_to_end(Options::default()).await.unwrap();
    let started_at = done.started_at.unwrap().to_string();
    site.put("report", &json!({"state": "running", "replica": done.replica, "startedAt": started_at})).await;
    assert_eq!(process.garbage_collection().current().await.unwrap(), done);
}

#[tokio::test]
async fn whoever_relies_on_what_is_being_deleted_waits_and_is_told_the_truth() {
    let site = Site::new();
    let process = site.process();
    let repository = process.repository(name("app"));
    let digest = push_blob(&repository, "orphan").await;
    site.wait(2 * DAY);
    site.collect().await;
    let announce = async |digests: &[Digest], until: SystemTime| {
        let until = jiff::Timestamp::try_from(until).unwrap();
        site.put("deleting", &json!({"digests": digests, "until": until})).await;
    };
    announce(&[digest], site.clock.now() + Duration::from_secs(20)).await;
    let asking = site.process().repository(name("app"));
    let mut asked = tokio::spawn(async move { asking.blobs().head(&digest).await });
    let early = tokio::time::timeout(Duration::from_millis(200), &mut asked).await;
    assert!(early.is_err(), "it is not known yet whether the blob stays: {early:?}");
    let hex = digest.hex();
    let data = format!("docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]);
    site.store.delete(&data.parse().unwrap()).await.unwrap();
    site.store
        .delete(&"docker/registry/v2/_berth/garbage-collection/deleting".parse().unwrap())
        .await
        .unwrap();
    assert!(matches!(asked.await.unwrap(), Err(Error::BlobUnknown(_))));
}

#[tokio::test]
async fn a_collector_that_died_while_it_deleted_holds_nobody_up_for_long() {
    let site = Site::new();
    let repository = site.process().repository(name("app"));
    let digest = push_blob(&repository, "orphan").await;
    site.wait(2 * DAY);
    site.collect().await;
    let until = jiff::Timestamp::try_from(site.clock.now()).unwrap();
    site.put("deleting", &json!({"digests": [digest], "until": until})).await;
    site.wait(Duration::from_mins(1));
    site.process().repository(name("app")).blobs().head(&digest).await.unwrap();
    site.wait(DAY);
    assert_eq!(site.collect().await.blobs_deleted, 0, "it was rescued");
    assert!(has_blob(&repository, &digest).await);
}

#[tokio::test]
async fn nothing_but_the_last_list_and_report_is_left_in_the_storage() {
    let site = Site::new();
    let process = site.process();
    let repository = process.repository(name("app"));
    let digest = push_blob(&repository, "orphan").await;
    site.wait(2 * DAY);
    site.collect().await;
    process.repository(name("app")).blobs().head(&digest).await.unwrap();
    for _ in 0..2 {
        site.wait(DAY);
        site.collect().await;
    }
    let left: Vec<_> = futures::TryStreamExt::try_collect(site.store.list(&Key::default(), None))
        .await
        .map(|left: Vec<berth_storage::ObjectMeta>| {
            left.into_iter().map(|meta| meta.key.to_string()).collect()
        })
        .unwrap();
    let folder = "docker/registry/v2/_berth/garbage-collection";
    assert_eq!(left, [format!("{folder}/quarantine"), format!("{folder}/report")]);
}
