//! Objects that are found by what their keys start with.

use berth_storage::{Key, Names, Wanted};
use futures::TryStreamExt as _;

use crate::{Store, body, for_every_store, key};

for_every_store!(
    everything_below_a_prefix_is_listed_in_byte_order,
    a_prefix_ends_at_a_component,
    a_list_goes_on_after_any_key,
    objects_of_one_name_and_depth_are_listed_and_no_others,
    children_are_the_distinct_next_components,
    children_go_on_after_any_name,
    nothing_is_below_what_is_absent,
    an_upload_in_progress_is_listed,
    names_are_told_at_once_as_they_are_one_by_one,
);

/// In byte order: `-` and `.` come before `/`.
const SORTED: [&str; 8] = ["a-b/x", "a.b", "a/b", "a/b.c", "a/b0", "a/c/d", "a0", "b"];

async fn filled(store: &Store) {
    // A key is either an object or the start of others.
    for name in SORTED.iter().rev() {
        store.put(name, name).await;
    }
}

async fn list(store: &Store, prefix: &str, start_after: Option<&str>) -> Vec<String> {
    let start_after = start_after.map(key);
    let listed: Vec<_> = store.store.list(&key(prefix), start_after.as_ref()).try_collect().await.unwrap();
    listed.into_iter().map(|meta| meta.key.to_string()).collect()
}

async fn children(store: &Store, prefix: &str, start_after: Option<&str>) -> Vec<String> {
    store.store.children(&key(prefix), start_after).try_collect().await.unwrap()
}

async fn everything_below_a_prefix_is_listed_in_byte_order(store: Store) {
    filled(&store).await;
    assert_eq!(list(&store, "", None).await, SORTED);
    assert_eq!(list(&store, "a", None).await, ["a/b", "a/b.c", "a/b0", "a/c/d"]);
    let listed: Vec<_> = store.store.list(&Key::default(), None).try_collect().await.unwrap();
    for meta in listed {
        assert_eq!(meta, store.store.head(&meta.key).await.unwrap());
    }
}

async fn a_prefix_ends_at_a_component(store: Store) {
    filled(&store).await;
    assert!(list(&store, "a/b", None).await.is_empty());
    assert_eq!(list(&store, "a/c", None).await, ["a/c/d"]);
}

async fn a_list_goes_on_after_any_key(store: Store) {
    filled(&store).await;
    for (index, last) in SORTED.iter().enumerate() {
        assert_eq!(list(&store, "", Some(last)).await, SORTED[index + 1..], "after {last}");
    }
    assert_eq!(list(&store, "", Some("a")).await, SORTED);
    assert_eq!(list(&store, "", Some("a/bb")).await, ["a/c/d", "a0", "b"]);
    assert_eq!(list(&store, "a", Some("a/c/c")).await, ["a/c/d"]);
}

async fn objects_of_one_name_and_depth_are_listed_and_no_others(store: Store) {
    for name in ["a-b/1/x", "a/1/x", "a/1/y", "a/2/x/x", "a/3/y", "a/x", "b/1/x", "x"] {
        store.put(name, name).await;
    }
    for (prefix, depth, expected) in [
        ("", 3, &["a-b/1/x", "a/1/x", "b/1/x"][..]),
        ("a", 2, &["a/1/x"]),
        ("a", 1, &["a/x"]),
        ("a/1", 1, &["a/1/x"]),
        ("a", 3, &["a/2/x/x"]),
        ("absent", 2, &[]),
    ] {
        let found: Vec<_> = store.store.list_named(&key(prefix), depth, "x").try_collect().await.unwrap();
        let keys: Vec<_> = found.iter().map(|object| object.key.to_string()).collect();
        assert_eq!(keys, expected, "{depth} below {prefix}");
        for object in found {
            assert_eq!(object, store.store.head(&object.key).await.unwrap());
        }
    }
}

async fn children_are_the_distinct_next_components(store: Store) {
    filled(&store).await;
    assert_eq!(children(&store, "", None).await, ["a", "a-b", "a.b", "a0", "b"]);
    assert_eq!(children(&store, "a", None).await, ["b", "b.c", "b0", "c"]);
}

async fn children_go_on_after_any_name(store: Store) {
    filled(&store).await;
    assert_eq!(children(&store, "", Some("a-b")).await, ["a.b", "a0", "b"]);
    assert_eq!(children(&store, "", Some("aa")).await, ["b"]);
    assert!(children(&store, "", Some("b")).await.is_empty());
}

async fn nothing_is_below_what_is_absent(store: Store) {
    assert!(list(&store, "", None).await.is_empty());
    assert!(children(&store, "", None).await.is_empty());
    filled(&store).await;
    assert!(list(&store, "no/such", None).await.is_empty());
    assert!(children(&store, "no/such", None).await.is_empty());
    assert!(children(&store, "b", None).await.is_empty());
}

async fn an_upload_in_progress_is_listed(store: Store) {
    store.store.append(&key("uploads/1/data"), 0, body(&["abc"]), None).await.unwrap();
    let listed = list(&store, "uploads", None).await;
    assert!(!listed.is_empty() && listed.iter().all(|name| name.starts_with("uploads/1/data")), "{listed:?}");
    assert_eq!(children(&store, "uploads", None).await, ["1"]);
}

async fn names(store: &Store, prefix: &str, wanted: Wanted<'_>) -> Option<Names> {
    store.store.names(&key(prefix), wanted).await.unwrap()
}

async fn names_are_told_at_once_as_they_are_one_by_one(store: Store) {
    for tag in ["1", "1-a", "1.0", "10", "2"] {
        store.put(&format!("tags/{tag}/index/x"), tag).await;
        store.put(&format!("tags/{tag}/current/link"), tag).await;
    }
    store.store.delete(&key("tags/1-a/current/link")).await.unwrap();
    for after in [None, Some("1"), Some("1-b"), Some("3")] {
        let all: Names = children(&store, "tags", after).await.into_iter().collect();
        let leading: Names = all.iter().filter(|tag| *tag != "1-a").collect();
        for at_most in [None, Some(0), Some(1), Some(3), Some(9)] {
            let wanted = Wanted { after, at_most, leading_to: None };
            let Some(found) = names(&store, "tags", wanted).await else { return };
            let most = at_most.unwrap_or(usize::MAX);
            assert_eq!(found, all.slice(0..most), "{wanted:?}");
            let wanted = Wanted { leading_to: Some("current/link"), ..wanted };
            assert_eq!(names(&store, "tags", wanted).await.unwrap(), leading.slice(0..most), "{wanted:?}");
        }
    }
    assert!(names(&store, "absent", Wanted::default()).await.unwrap().is_empty());
}
