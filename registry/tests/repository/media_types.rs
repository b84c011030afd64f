//! Manifests that do not say what they are.

use berth_oci::{Digest, MediaType};
use berth_registry::repository::{Repository, Result};

use crate::fixture::*;
use crate::for_every_store;

for_every_store!(
    the_type_that_the_client_gave_is_kept_beside_the_manifest,
    without_its_note_a_manifest_is_what_its_bytes_look_like,
    a_manifest_that_says_what_it_is_needs_no_note,
    the_note_goes_with_the_manifest,
);

const UNKNOWN: &str = "application/vnd.example+json";
const DOCUMENT: &str = r#"{"parts": []}"#;

async fn push(repository: &Repository, declared: &str, document: &str) -> Result<Digest> {
    let declared: MediaType = declared.parse().unwrap();
    let pushed =
        repository.manifests().put(&reference("v1"), Some(&declared), document.to_owned().into()).await?;
    Ok(pushed.digest)
}

async fn media_type(repository: &Repository) -> String {
    repository.manifests().get(&reference("v1")).await.unwrap().media_type.to_string()
}

async fn notes(fixture: &Fixture) -> Vec<String> {
    fixture.keys().await.into_iter().filter(|key| key.contains("/_berth/")).collect()
}

async fn the_type_that_the_client_gave_is_kept_beside_the_manifest(fixture: Fixture) {
    let repository = fixture.repository("team/app");
    let digest = push(&repository, UNKNOWN, DOCUMENT).await.unwrap();
    assert_eq!(media_type(&repository).await, UNKNOWN);
    let folder = "docker/registry/v2/repositories/team/app/_berth/media-types";
    assert_eq!(notes(&fixture).await, [format!("{folder}/sha256/{}", digest.hex())]);
}

async fn without_its_note_a_manifest_is_what_its_bytes_look_like(fixture: Fixture) {
    let repository = fixture.repository("app");
    push(&repository, UNKNOWN, DOCUMENT).await.unwrap();
    for note in notes(&fixture).await {
        let condition = berth_storage::PutCondition::Always;
        fixture.store.put(&note.parse().unwrap(), "damaged".into(), condition).await.unwrap();
        assert_eq!(media_type(&repository).await, MediaType::OCI_IMAGE);
        fixture.store.delete(&note.parse().unwrap()).await.unwrap();
    }
    assert_eq!(media_type(&repository).await, MediaType::OCI_IMAGE);
}

async fn a_manifest_that_says_what_it_is_needs_no_note(fixture: Fixture) {
    let repository = fixture.repository("app");
    push(&repository, UNKNOWN, &format!(r#"{{"mediaType": "{UNKNOWN}"}}"#)).await.unwrap();
    push_image(&repository, "v2", "{}", &[]).await;
    let index = r#"{"schemaVersion": 2, "manifests": []}"#;
    push(&repository, MediaType::OCI_INDEX, index).await.unwrap();
    assert_eq!(media_type(&repository).await, MediaType::OCI_INDEX);
    assert!(notes(&fixture).await.is_empty());
}

async fn the_note_goes_with_the_manifest(fixture: Fixture) {
    let repository = fixture.repository("app");
    let digest = push(&repository, UNKNOWN, DOCUMENT).await.unwrap();
    repository.manifests().delete(&digest.into()).await.unwrap();
    assert!(notes(&fixture).await.is_empty());
}
