//! Uploads in all their forms.

use std::io;

use berth_oci::{Algorithm, UploadId};
use berth_registry::repository::{Error, Rules};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::fixture::*;
use crate::for_every_store;

for_every_store!(
    a_blob_is_pushed_at_once,
    a_blob_is_pushed_in_chunks,
    a_blob_is_pushed_with_the_last_request,
    an_empty_blob_is_a_blob,
    an_upload_can_be_finished_by_another_process,
    the_hash_goes_on_from_the_newest_sound_state,
    of_a_little_upload_only_its_bytes_are_kept,
    processes_take_turns_at_an_upload,
    the_keys_of_an_upload_are_those_of_distribution,
    nothing_is_left_of_a_finished_upload,
    a_chunk_must_start_where_the_upload_ends,
    a_chunk_must_have_the_length_of_its_range,
    content_with_another_digest_is_dropped,
    a_digest_of_sha512_is_verified_too,
    the_state_of_an_announced_sha512_is_kept,
    a_body_that_broke_off_can_be_continued,
    a_whole_push_that_broke_off_leaves_nothing,
    a_chunk_is_kept_when_its_caller_goes_away,
    a_blob_that_exists_can_be_pushed_again,
    an_upload_that_is_not_there_is_unknown,
    an_upload_whose_bytes_were_lost_is_unknown_to_whoever_goes_on_with_it,
    an_upload_belongs_to_its_repository,
    a_cancelled_upload_is_gone,
    abandoned_uploads_are_purged,
);

async fn a_blob_is_pushed_at_once(fixture: Fixture) {
    let repository = fixture.repository("app");
    let digest = sha256("content");
    let pushed = repository.uploads().push_whole(&digest, body(["con", "tent"])).await.unwrap();
    assert_eq!((pushed.digest, pushed.size), (digest, 7));
    assert_eq!(collect(repository.blobs().open(&digest, None).await.unwrap().body).await, b"content");
}

async fn a_blob_is_pushed_in_chunks(fixture: Fixture) {
    let repository = fixture.repository("app");
    let uploads = repository.uploads();
    let id = uploads.start().await.unwrap();
    assert_eq!(uploads.status(&id).await.unwrap(), 0);
    assert_eq!(uploads.append(&id, Some("0-2".parse().unwrap()), body(["con"])).await.unwrap(), 3);
    assert_eq!(uploads.append(&id, None, body(["te"])).await.unwrap(), 5);
    assert_eq!(uploads.status(&id).await.unwrap(), 5);
    let range = Some("5-6".parse().unwrap());
    let pushed = uploads.finish(&id, range, body(["nt"]), &sha256("content")).await.unwrap();
    assert_eq!(pushed.size, 7);
    assert!(has_blob(&repository, &sha256("content")).await);
}

async fn a_blob_is_pushed_with_the_last_request(fixture: Fixture) {
    let repository = fixture.repository("app");
    let id = repository.uploads().start().await.unwrap();
    repository.uploads().finish(&id, None, body(["content"]), &sha256("content")).await.unwrap();
    assert!(has_blob(&repository, &sha256("content")).await);
}

async fn an_empty_blob_is_a_blob(fixture: Fixture) {
    let repository = fixture.repository("app");
    let id = repository.uploads().start().await.unwrap();
    repository.uploads().finish(&id, None, body([]), &sha256("")).await.unwrap();
    assert_eq!(repository.blobs().head(&sha256("")).await.unwrap().size, 0);
}

async fn an_upload_can_be_finished_by_another_process(fixture: Fixture) {
    let content = "x".repeat(100_000);
    let id = fixture.repository("app").uploads().start().await.unwrap();
    for part in 0..4 {
        let process = fixture.with_rules(Rules::default());
        let chunk = &content[part * 25_000..][..25_000];
        process.repository(name("app")).uploads().append(&id, None, body([chunk])).await.unwrap();
    }
    let last = fixture.with_rules(Rules::default()).repository(name("app"));
    last.uploads().finish(&id, None, body([]), &sha256(&content)).await.unwrap();
    assert!(has_blob(&last, &sha256(&content)).await);
}

async fn the_hash_goes_on_from_the_newest_sound_state(fixture: Fixture) {
    let repository = fixture.repository("app");
    let id = repository.uploads().start().await.unwrap();
    let first = long("con");
    repository.uploads().append(&id, None, body([&first])).await.unwrap();
    let state = |offset: usize| {
        format!("docker/registry/v2/repositories/app/_uploads/{id}/hashstates/sha256/{offset}")
    };
    assert!(fixture.keys().await.contains(&state(first.len())));

    // A state beyond the end, a damaged one and one that is missing: the rest is hashed from the data.
    let condition = berth_storage::PutCondition::Always;
    for offset in [2, first.len() + 99] {
        fixture
            .store
            .put(&state(offset).parse().unwrap(), "damaged".into(), condition.clone())
            .await
            .unwrap();
    }
    fixture.store.delete(&state(first.len()).parse().unwrap()).await.unwrap();
    let another = fixture.with_rules(Rules::default()).repository(name("app"));
    another.uploads().finish(&id, None, body(["tent"]), &sha256(long("content"))).await.unwrap();
}

async fn of_a_little_upload_only_its_bytes_are_kept(fixture: Fixture) {
    let id = fixture.repository("app").uploads().start().await.unwrap();
    fixture.repository("app").uploads().append(&id, None, body(["con"])).await.unwrap();
    let folder = format!("docker/registry/v2/repositories/app/_uploads/{id}");
    assert_eq!(fixture.keys().await, [format!("{folder}/data"), format!("{folder}/startedat")]);
    let another = fixture.with_rules(Rules::default()).repository(name("app"));
    another.uploads().finish(&id, None, body(["tent"]), &sha256("content")).await.unwrap();
}

/// What one process knows of an upload does not hold when others have gone on with it.
async fn processes_take_turns_at_an_upload(fixture: Fixture) {
    let processes = [0, 1].map(|_| fixture.with_rules(Rules::default()).repository(name("app")));
    let id = processes[0].uploads().start().await.unwrap();
    for (turn, chunk) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
        processes[turn % 2].uploads().append(&id, None, body([chunk])).await.unwrap();
    }
    processes[1].uploads().finish(&id, None, body([]), &sha256("abcde")).await.unwrap();
    assert!(has_blob(&processes[0], &sha256("abcde")).await);
}

async fn the_keys_of_an_upload_are_those_of_distribution(fixture: Fixture) {
    let repository = fixture.repository("a/b");
    let id = repository.uploads().start().await.unwrap();
    repository.uploads().append(&id, None, body([&long("con")])).await.unwrap();
    repository.uploads().append(&id, None, body(["tent"])).await.unwrap();
    let folder = format!("docker/registry/v2/repositories/a/b/_uploads/{id}");
    let state = format!("{folder}/hashstates/sha256/{}", long("content").len());
    let expected = [format!("{folder}/data"), state, format!("{folder}/startedat")];
    assert_eq!(fixture.keys().await, expected);
    let started_at = fixture.store.get(&expected[2].parse().unwrap(), None).await.unwrap();
    let started_at = String::from_utf8(collect(started_at.body).await).unwrap();
    assert!(started_at.ends_with('Z') && started_at.len() == "2006-01-02T15:04:05Z".len(), "{started_at}");
}

async fn nothing_is_left_of_a_finished_upload(fixture: Fixture) {
    let repository = fixture.repository("app");
    let id = repository.uploads().start().await.unwrap();
    repository.uploads().append(&id, None, body(["content"])).await.unwrap();
    repository.uploads().finish(&id, None, body([]), &sha256("content")).await.unwrap();
    let hex = sha256("content").hex();
    let expected = [
        format!("docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]),
        format!("docker/registry/v2/repositories/app/_layers/sha256/{hex}/link"),
    ];
    assert_eq!(fixture.keys().await, expected);
    assert!(matches!(repository.uploads().status(&id).await, Err(Error::UploadUnknown(_))));
}

async fn a_chunk_must_start_where_the_upload_ends(fixture: Fixture) {
    let repository = fixture.repository("app");
    let id = repository.uploads().start().await.unwrap();
    repository.uploads().append(&id, None, body(["con"])).await.unwrap();
    for range in ["0-3", "2-5", "4-7"] {
        let error =
            repository.uploads().append(&id, Some(range.parse().unwrap()), body(["tent"])).await.unwrap_err();
        assert!(matches!(error, Error::OffsetMismatch { expected: 3 }), "{error:?}");
    }
    assert_eq!(repository.uploads().status(&id).await.unwrap(), 3);
}

async fn a_chunk_must_have_the_length_of_its_range(fixture: Fixture) {
    let repository = fixture.repository("app");
    let id = repository.uploads().start().await.unwrap();
    let error =
        repository.uploads().append(&id, Some("0-9".parse().unwrap()), body(["con"])).await.unwrap_err();
    assert!(matches!(error, Error::SizeInvalid { expected: 10, actual: 3 }), "{error:?}");
    let range = Some("3-4".parse().unwrap());
    let error = repository.uploads().append(&id, range, body(["te", "nt"])).await.unwrap_err();
    assert!(matches!(error, Error::SizeInvalid { expected: 2, actual: 2 }), "{error:?}");
    repository.uploads().finish(&id, None, body(["nt"]), &sha256("content")).await.unwrap();
}

async fn content_with_another_digest_is_dropped(fixture: Fixture) {
    let repository = fixture.repository("app");
    let id = repository.uploads().start().await.unwrap();
    let error =
        repository.uploads().finish(&id, None, body(["other"]), &sha256("content")).await.unwrap_err();
    let Error::DigestMismatch { expected, actual } = error else { panic!("{error:?}") };
    assert_eq!((expected, *actual), (sha256("content"), sha256("other")));
    assert!(fixture.keys().await.is_empty());
    repository.uploads().push_whole(&sha256("content"), body(["other"])).await.unwrap_err();
    assert!(fixture.keys().await.is_empty());
}

async fn a_digest_of_sha512_is_verified_too(fixture: Fixture) {
    let repository = fixture.repository("app");
    let digest = sha512("content");
    repository.uploads().push_whole(&digest, body(["content"])).await.unwrap();
    assert!(has_blob(&repository, &digest).await);

    // Nobody has announced it, so that only the state of SHA-256 was kept; here it does not help.
    let digest = sha512("more content");
    let id = repository.uploads().start().await.unwrap();
    repository.uploads().append(&id, None, body(["more "])).await.unwrap();
    repository.uploads().finish(&id, None, body(["content"]), &digest).await.unwrap();
    assert!(has_blob(&repository, &digest).await);
    let error = repository.uploads().push_whole(&digest, body(["other"])).await.unwrap_err();
    assert!(matches!(error, Error::DigestMismatch { .. }), "{error:?}");
}

async fn the_state_of_an_announced_sha512_is_kept(fixture: Fixture) {
    let repository = fixture.repository("app");
    let id = repository.uploads().start_for(Algorithm::Sha512).await.unwrap();
    for chunk in ["one ", "two ", "three"] {
        repository.uploads().append(&id, None, body([chunk])).await.unwrap();
    }
    let folder = format!("docker/registry/v2/repositories/app/_uploads/{id}/hashstates/");
    let states: Vec<_> = fixture.keys().await.into_iter().filter(|key| key.starts_with(&folder)).collect();
    assert_eq!(states, [format!("{folder}sha512/13")]);
    let digest = sha512("one two three");
    repository.uploads().finish(&id, None, body([]), &digest).await.unwrap();
    assert!(has_blob(&repository, &digest).await);

    let id = repository.uploads().start_for(Algorithm::Sha512).await.unwrap();
    repository.uploads().append(&id, None, body(["other"])).await.unwrap();
    repository.uploads().finish(&id, None, body(["wise"]), &sha256("otherwise")).await.unwrap();
}

async fn a_body_that_broke_off_can_be_continued(fixture: Fixture) {
    let repository = fixture.repository("app");
    let id = repository.uploads().start().await.unwrap();
    let broken = || stream::iter([Ok(Bytes::from("te")), Err(io::ErrorKind::ConnectionReset.into())]).boxed();
    repository.uploads().append(&id, None, body(["con"])).await.unwrap();
    let error = repository.uploads().append(&id, None, broken()).await.unwrap_err();
    assert!(matches!(error, Error::BodyInterrupted(_)), "{error:?}");
    assert_eq!(repository.uploads().status(&id).await.unwrap(), 5);
    repository.uploads().finish(&id, None, broken(), &sha256("contentent")).await.unwrap_err();
    assert_eq!(repository.uploads().status(&id).await.unwrap(), 7);
    repository.uploads().finish(&id, None, body(["nt"]), &sha256("contetent")).await.unwrap();
}

async fn a_whole_push_that_broke_off_leaves_nothing(fixture: Fixture) {
    let repository = fixture.repository("app");
    let broken = stream::iter([Ok(Bytes::from("con")), Err(io::ErrorKind::ConnectionReset.into())]).boxed();
    let error = repository.uploads().push_whole(&sha256("content"), broken).await.unwrap_err();
    assert!(matches!(error, Error::BodyInterrupted(_)), "{error:?}");
    assert!(fixture.keys().await.is_empty());
}

async fn a_chunk_is_kept_when_its_caller_goes_away(fixture: Fixture) {
    let repository = fixture.repository("app");
    let id = repository.uploads().start().await.unwrap();
    let (mut sender, receiver) = futures::channel::mpsc::channel(0);
    let (arrived, has_arrived) = futures::channel::oneshot::channel();
    let mut arrived = Some(arrived);
    let receiver = receiver
        .inspect_ok(move |_| arrived.take().into_iter().for_each(|arrived| arrived.send(()).unwrap()));
    let caller = tokio::spawn({
        let repository = repository.clone();
        async move { repository.uploads().append(&id, None, receiver.boxed()).await }
    });
    futures::SinkExt::send(&mut sender, Ok(Bytes::from("con"))).await.unwrap();
    has_arrived.await.unwrap();
    caller.abort();
    drop(sender);
    while repository.uploads().status(&id).await.unwrap() < 3
        || matches!(repository.uploads().append(&id, None, body([])).await, Err(Error::UploadBusy))
    {
        tokio::task::yield_now().await;
    }
    repository.uploads().finish(&id, None, body(["tent"]), &sha256("content")).await.unwrap();
}

async fn a_blob_that_exists_can_be_pushed_again(fixture: Fixture) {
    let repository = fixture.repository("app");
    let digest = push_blob(&repository, "content").await;
    let keys = fixture.keys().await;
    push_blob(&repository, "content").await;
    assert_eq!(fixture.keys().await, keys);
    assert!(has_blob(&repository, &digest).await);
}

async fn an_upload_that_is_not_there_is_unknown(fixture: Fixture) {
    let repository = fixture.repository("app");
    let id = UploadId::random();
    assert!(matches!(repository.uploads().status(&id).await, Err(Error::UploadUnknown(_))));
    assert!(matches!(
        repository.uploads().append(&id, None, body(["x"])).await,
        Err(Error::UploadUnknown(_))
    ));
    let digest = sha256("x");
    assert!(matches!(
        repository.uploads().finish(&id, None, body(["x"]), &digest).await,
        Err(Error::UploadUnknown(_))
    ));
    assert!(matches!(repository.uploads().cancel(&id).await, Err(Error::UploadUnknown(_))));
    assert!(fixture.keys().await.is_empty());
}

/// The storage drops what it could not bring to the disk; the hash of what came before is kept.
async fn an_upload_whose_bytes_were_lost_is_unknown_to_whoever_goes_on_with_it(fixture: Fixture) {
    let repository = fixture.repository("app");
    let uploads = repository.uploads();
    for is_finished in [false, true] {
        let id = uploads.start().await.unwrap();
        uploads.append(&id, None, body([&long("con")])).await.unwrap();
        let data = format!("docker/registry/v2/repositories/app/_uploads/{id}/data");
        fixture.store.abort(&data.parse().unwrap()).await.unwrap();
        assert!(matches!(uploads.status(&id).await, Err(Error::UploadUnknown(_))));
        let unknown = if is_finished {
            uploads.finish(&id, None, body(["tent"]), &sha256(long("content"))).await.map(drop)
        } else {
            uploads.append(&id, None, body(["tent"])).await.map(drop)
        };
        assert!(matches!(unknown, Err(Error::UploadUnknown(_))), "{unknown:?}");
        assert!(matches!(uploads.status(&id).await, Err(Error::UploadUnknown(_))));
    }
}

async fn an_upload_belongs_to_its_repository(fixture: Fixture) {
    let id = fixture.repository("mine").uploads().start().await.unwrap();
    let theirs = fixture.repository("theirs");
    assert!(matches!(theirs.uploads().append(&id, None, body(["x"])).await, Err(Error::UploadUnknown(_))));
}

async fn a_cancelled_upload_is_gone(fixture: Fixture) {
    let repository = fixture.repository("app");
    let id = repository.uploads().start().await.unwrap();
    repository.uploads().append(&id, None, body(["con"])).await.unwrap();
    repository.uploads().cancel(&id).await.unwrap();
    assert!(fixture.keys().await.is_empty());
}

async fn abandoned_uploads_are_purged(fixture: Fixture) {
    let hour = std::time::Duration::from_hours(1);
    let repository = fixture.repository("a/b");
    let id = repository.uploads().start().await.unwrap();
    repository.uploads().append(&id, None, body(["con"])).await.unwrap();
    assert_eq!(fixture.registry.purge_uploads(hour).await.unwrap(), 0);
    assert_eq!(repository.uploads().status(&id).await.unwrap(), 3);
    let later = berth_storage::Clock::new(move || std::time::SystemTime::now() + 2 * hour);
    let registry =
        berth_registry::repository::Registry::with_clock(fixture.store.clone(), Rules::default(), later);
    let abandoned = registry.abandoned_uploads(hour).await.unwrap();
    assert_eq!(abandoned, [(repository.name().clone(), id)]);
    assert_eq!(repository.uploads().status(&id).await.unwrap(), 3, "telling them removes nothing");
    assert_eq!(registry.purge_uploads(hour).await.unwrap(), 1);
    assert!(fixture.keys().await.is_empty());
}
