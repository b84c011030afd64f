//! The room that pushes leave free.

use berth_registry::repository::{Error, Registry, Reserve, Rules};

use crate::fixture::*;

fn keep_free(registry: &Registry, reserve: Reserve) {
    registry.set_rules(Rules { delete_enabled: true, reserve, ..Rules::default() });
}

#[tokio::test]
async fn the_guard_lets_go_as_soon_as_there_is_room() {
    let fixture = Fixture::filesystem();
    push_image(&fixture.repository("app"), "v1", "{}", &[]).await;
    keep_free(&fixture.registry, Reserve::Bytes(u64::MAX));
    let room = fixture.registry.room().await.unwrap().unwrap();
    assert!(room.is_low() && room.free < room.size, "{room:?}");
    let refused = fixture.repository("app").uploads().start().await;
    assert!(matches!(refused, Err(Error::LowSpace { reserve: u64::MAX, .. })), "{refused:?}");
    assert!(has_manifest(&fixture.repository("app"), "v1").await);
    keep_free(&fixture.registry, Reserve::Bytes(0));
    fixture.repository("app").uploads().start().await.unwrap();
}

#[tokio::test]
async fn an_upload_that_is_refused_on_its_way_leaves_nothing() {
    let fixture = Fixture::filesystem();
    let repository = fixture.repository("app");
    let upload = repository.uploads().start().await.unwrap();
    repository.uploads().append(&upload, None, body(["begun "])).await.unwrap();
    keep_free(&fixture.registry, Reserve::Bytes(u64::MAX));
    let (refusing, digest) = (fixture.repository("app"), sha256("begun and ended"));
    let refused = refusing.uploads().finish(&upload, None, body(["and ended"]), &digest).await;
    assert!(matches!(refused, Err(Error::LowSpace { .. })), "{refused:?}");
    assert_eq!(fixture.keys().await, [""; 0]);
}

#[tokio::test]
async fn a_storage_without_a_bound_is_never_full() {
    let fixture = Fixture::memory();
    keep_free(&fixture.registry, Reserve::Percent(99));
    assert_eq!(fixture.registry.room().await.unwrap(), None);
    push_image(&fixture.repository("app"), "v1", "{}", &[]).await;
}
