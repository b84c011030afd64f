//! Objects that are put, read and deleted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use berth_storage::{Error, PutCondition};
use bytes::Bytes;
use futures::future::join_all;

use crate::{Store, body, collect, download, for_every_store, key};

for_every_store!(
    an_object_is_read_as_it_was_put,
    an_empty_object_is_an_object,
    head_knows_size_and_age,
    a_range_is_cut_to_the_objects_end,
    a_large_object_is_read_whole_and_in_parts,
    what_is_absent_is_not_found,
    a_folder_is_not_an_object,
    put_replaces,
    exactly_one_of_several_creators_succeeds,
    a_version_is_told_alike_and_changes_with_every_put,
    only_the_version_that_was_read_is_replaced,
    no_increment_is_lost_among_several_writers,
    a_body_stays_readable_when_its_object_goes,
    readers_see_a_whole_object_or_none,
    an_object_that_is_put_again_is_as_young_as_that,
    a_deleted_object_is_gone_and_deleting_it_again_is_success,
    deleting_one_object_leaves_its_neighbours,
    each_object_is_deleted_for_as_long_as_that_is_permitted,
    objects_that_are_put_together_are_all_there_whatever_was_before,
    everything_below_a_prefix_is_deleted_at_once,
    puts_and_deletions_side_by_side_do_not_disturb_each_other,
    the_room_that_is_left_is_not_more_than_there_is,
    a_presigned_url_serves_the_object_and_no_other,
);

async fn an_object_is_read_as_it_was_put(store: Store) {
    store.put("a/b/c", "content").await;
    assert_eq!(store.read("a/b/c").await, b"content");
}

async fn an_empty_object_is_an_object(store: Store) {
    store.put("empty", "").await;
    assert_eq!(store.store.head(&key("empty")).await.unwrap().size, 0);
    assert_eq!(store.read("empty").await, b"");
}

async fn head_knows_size_and_age(store: Store) {
    store.put("a", "12345").await;
    let meta = store.store.head(&key("a")).await.unwrap();
    assert_eq!((meta.key, meta.size), (key("a"), 5));
    let now = SystemTime::now();
    assert!(meta.modified > now - Duration::from_mins(1) && meta.modified < now + Duration::from_mins(1));
}

async fn a_range_is_cut_to_the_objects_end(store: Store) {
    store.put("a", "0123456789").await;
    for (range, expected) in
        [(0..10, "0123456789"), (2..5, "234"), (8..99, "89"), (10..12, ""), (50..60, ""), (3..3, "")]
    {
        let object = store.store.get(&key("a"), Some(range.clone())).await.unwrap();
        assert_eq!(object.meta.size, 10);
        assert_eq!(collect(object.body).await, expected.as_bytes(), "{range:?}");
    }
}

async fn a_large_object_is_read_whole_and_in_parts(store: Store) {
    let content: Vec<u8> = (0..3_000_001_u32).map(|index| (index % 251) as u8).collect();
    store.store.put(&key("large"), content.clone().into(), PutCondition::Always).await.unwrap();
    assert!(store.read("large").await == content);
    let part = store.store.get(&key("large"), Some(1_000_000..2_500_000)).await.unwrap();
    assert!(collect(part.body).await == content[1_000_000..2_500_000]);
}

async fn what_is_absent_is_not_found(store: Store) {
    let absent = key("no/such/object");
    assert!(store.store.head(&absent).await.unwrap_err().is_not_found());
    assert!(store.store.get(&absent, None).await.unwrap_err().is_not_found());
}

async fn a_folder_is_not_an_object(store: Store) {
    store.put("a/b", "content").await;
    assert!(store.store.head(&key("a")).await.unwrap_err().is_not_found());
    assert!(store.store.get(&key("a"), None).await.unwrap_err().is_not_found());
    assert!(store.store.head(&key("a/b/c")).await.unwrap_err().is_not_found());
    store.store.delete(&key("a")).await.unwrap();
    assert_eq!(store.read("a/b").await, b"content");
}

async fn put_replaces(store: Store) {
    store.put("a", "a long first content").await;
    store.put("a", "second").await;
    assert_eq!(store.read("a").await, b"second");
    assert_eq!(store.names().await, ["a"]);
}

async fn exactly_one_of_several_creators_succeeds(store: Store) {
    let key = key("a/lease");
    let creators =
        (0..8_u8).map(|creator| store.store.put(&key, Bytes::from(vec![creator]), PutCondition::IfAbsent));
    let outcomes = join_all(creators).await;
    let winners: Vec<_> =
        (0_u8..).zip(&outcomes).filter(|(_, outcome)| outcome.is_ok()).map(|(n, _)| n).collect();
    assert_eq!(winners.len(), 1);
    assert!(
        outcomes
            .iter()
            .filter_map(|outcome| outcome.as_ref().err())
            .all(|e| matches!(e, Error::AlreadyExists(_)))
    );
    assert_eq!(store.read("a/lease").await, winners);
    assert_eq!(store.names().await, ["a/lease"]);
}

async fn a_version_is_told_alike_and_changes_with_every_put(store: Store) {
    store.put("a", "1").await;
    let first = store.version("a").await;
    assert_eq!(store.store.get(&key("a"), None).await.unwrap().meta.version, Some(first.clone()));
    store.put("a", "2").await;
    assert_ne!(store.version("a").await, first);
}

async fn only_the_version_that_was_read_is_replaced(store: Store) {
    store.put("a", "1").await;
    let first = store.version("a").await;
    let replace = async |version, body| {
        store.store.put(&key("a"), Bytes::from_static(body), PutCondition::IfVersion(version)).await
    };
    replace(first.clone(), b"2").await.unwrap();
    let late = replace(first.clone(), b"3").await.unwrap_err();
    assert!(matches!(late, Error::VersionMismatch(_)), "{late:?}");
    assert_eq!(store.read("a").await, b"2");
    store.store.delete(&key("a")).await.unwrap();
    let gone = replace(first, b"4").await.unwrap_err();
    assert!(matches!(gone, Error::VersionMismatch(_)), "{gone:?}");
    assert!(store.names().await.is_empty());
}

async fn no_increment_is_lost_among_several_writers(store: Store) {
    store.put("a", "0").await;
    let increment = async |_| {
        loop {
            let object = store.store.get(&key("a"), None).await.unwrap();
            let version = object.meta.version.unwrap();
            let number: u32 = String::from_utf8(collect(object.body).await).unwrap().parse().unwrap();
            let next = Bytes::from((number + 1).to_string());
            match store.store.put(&key("a"), next, PutCondition::IfVersion(version)).await {
                Err(Error::VersionMismatch(_)) => {}
                put => return put.unwrap(),
            }
        }
    };
    join_all((0..20).map(increment)).await;
    assert_eq!(store.read("a").await, b"20");
}

async fn a_body_stays_readable_when_its_object_goes(store: Store) {
    let content = "x".repeat(2_000_000);
    store.put("a", &content).await;
    let deleted = store.store.get(&key("a"), None).await.unwrap();
    store.store.delete(&key("a")).await.unwrap();
    assert!(collect(deleted.body).await == content.as_bytes());
    store.put("a", &content).await;
    let replaced = store.store.get(&key("a"), None).await.unwrap();
    store.put("a", "other").await;
    assert!(collect(replaced.body).await == content.as_bytes());
}

async fn readers_see_a_whole_object_or_none(store: Store) {
    let contents = ["a".repeat(700_000), "b".repeat(700_000)];
    let write = async {
        for round in 0..20 {
            store.put("a", &contents[round % 2]).await;
        }
    };
    let read = async {
        for _ in 0..40 {
            if let Ok(object) = store.store.get(&key("a"), None).await {
                let seen = collect(object.body).await;
                assert!(contents.iter().any(|content| content.as_bytes() == seen));
            }
        }
    };
    tokio::join!(write, read);
}

async fn an_object_that_is_put_again_is_as_young_as_that(store: Store) {
    store.put("a", "content").await;
    let before = store.store.head(&key("a")).await.unwrap().modified;
    // Stores date objects in steps.
    while store.store.head(&key("a")).await.unwrap().modified <= before {
        store.put("a", "content").await;
    }
}

async fn a_deleted_object_is_gone_and_deleting_it_again_is_success(store: Store) {
    store.put("a/b", "content").await;
    store.store.delete(&key("a/b")).await.unwrap();
    assert!(store.store.head(&key("a/b")).await.unwrap_err().is_not_found());
    store.store.delete(&key("a/b")).await.unwrap();
    store.store.delete(&key("never/was")).await.unwrap();
    assert!(store.names().await.is_empty());
}

async fn each_object_is_deleted_for_as_long_as_that_is_permitted(store: Store) {
    for name in ["a/1", "a/3", "a/4"] {
        store.put(name, "content").await;
    }
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let is_permitted = Arc::new(move || counter.fetch_add(1, Ordering::Relaxed) < 3);
    let keys = ["a/1", "a/2", "a/3", "a/4"].map(key).to_vec();
    assert_eq!(store.store.delete_each(keys, is_permitted).await.unwrap(), 3);
    assert_eq!(store.names().await, ["a/4"]);
    assert_eq!(store.store.delete_each(Vec::new(), Arc::new(|| true)).await.unwrap(), 0);
}

async fn deleting_one_object_leaves_its_neighbours(store: Store) {
    store.put("a/b/c", "1").await;
    store.put("a/d", "2").await;
    store.store.delete(&key("a/b/c")).await.unwrap();
    assert_eq!(store.names().await, ["a/d"]);
}

async fn objects_that_are_put_together_are_all_there_whatever_was_before(store: Store) {
    store.put("a/b", "as it will be").await;
    store.put("c", "another").await;
    let objects = [("a/b", "as it will be"), ("c", "replaced"), ("d/e/f", "new")];
    let all = objects.map(|(name, content)| (key(name), Bytes::from(content)));
    store.store.put_all(all.to_vec()).await.unwrap();
    for (name, content) in objects {
        assert_eq!(store.read(name).await, content.as_bytes());
    }
    store.store.put_all(Vec::new()).await.unwrap();
    assert_eq!(store.names().await, ["a/b", "c", "d/e/f"]);
}

async fn everything_below_a_prefix_is_deleted_at_once(store: Store) {
    for name in ["a/b/c", "a/b/d/e", "a/bc", "a/f"] {
        store.put(name, "content").await;
    }
    store.store.delete_all(&key("a/b")).await.unwrap();
    store.store.delete_all(&key("a/b")).await.unwrap();
    assert_eq!(store.names().await, ["a/bc", "a/f"]);
}

async fn puts_and_deletions_side_by_side_do_not_disturb_each_other(store: Store) {
    let churn = async {
        for _ in 0..50 {
            store.put("a/b/c/passing", "1").await;
            store.store.delete(&key("a/b/c/passing")).await.unwrap();
        }
    };
    let puts = async {
        for number in 0..50 {
            let name = format!("a/b/c/{number}/kept");
            store.put(&name, "2").await;
            let size = store
                .store
                .append(&key(&format!("a/b/c/{number}/upload")), 0, body(&["3"]), None)
                .await
                .unwrap();
            assert_eq!(size, 1);
            store.store.delete(&key(&name)).await.unwrap();
            store.store.abort(&key(&format!("a/b/c/{number}/upload"))).await.unwrap();
        }
    };
    tokio::join!(churn, puts);
    assert!(store.names().await.is_empty());
}

async fn the_room_that_is_left_is_not_more_than_there_is(store: Store) {
    if let Some(space) = store.store.space().await.unwrap() {
        assert!(0 < space.size && space.free <= space.size, "{space:?}");
    }
}

async fn a_presigned_url_serves_the_object_and_no_other(store: Store) {
    store.put("a", "0123456789").await;
    store.put("b", "another one").await;
    let url = async |name| store.store.presigned_url(&key(name), Duration::from_mins(5)).await.unwrap();
    let (Some(of_a), Some(of_nothing)) = (url("a").await, url("absent").await) else { return };
    assert_eq!(download(of_a.reveal(), &[]), (200, b"0123456789".to_vec()));
    assert_eq!(download(of_a.reveal(), &["--range", "2-4"]), (206, b"234".to_vec()));
    assert_eq!(download(of_nothing.reveal(), &[]).0, 404);
    assert_eq!(download(&of_a.reveal().replacen("/a?", "/b?", 1), &[]).0, 403);
}
