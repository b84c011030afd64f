//! What an image is made of, and tags at a glance.

use berth_oci::MediaType;
use berth_registry::repository::{Error, Page, Role};

use crate::fixture::*;
use crate::for_every_store;

for_every_store!(
    an_image_leads_to_its_config_and_its_layers,
    what_images_of_an_index_share_is_named_once,
    a_manifest_without_an_image_is_not_found,
    tags_are_summed_up_in_lexical_order,
);

async fn an_image_leads_to_its_config_and_its_layers(fixture: Fixture) {
    let repository = fixture.repository("app");
    let image = push_image(&repository, "v1", "{}", &["one", "three"]).await;
    let contents = repository.manifests().contents(&reference("v1")).await.unwrap();
    let parts: Vec<_> = contents.parts.iter().map(|part| (part.role, part.descriptor.digest)).collect();
    let expected = [(Role::Config, "{}"), (Role::Layer, "one"), (Role::Layer, "three")];
    assert_eq!(parts, expected.map(|(role, content)| (role, sha256(content))));
    assert_eq!(contents.size(), image.to_string().len() as u64 + 2 + 3 + 5);
}

async fn what_images_of_an_index_share_is_named_once(fixture: Fixture) {
    let repository = fixture.repository("app");
    let first = push_image(&repository, "first", "{}", &["base", "one"]).await;
    let second = push_image(&repository, "second", "{}", &["base", "two"]).await;
    push_manifest(&repository, "both", &index(&[&first, &second])).await.unwrap();
    let contents = repository.manifests().contents(&reference("both")).await.unwrap();
    let digests: Vec<_> = contents.parts.iter().map(|part| part.descriptor.digest).collect();
    let shared = ["{}", "base", "one", "two"].map(sha256);
    assert_eq!(digests[..2], [digest_of(&first), digest_of(&second)]);
    assert_eq!(digests[2..], shared);
}

async fn a_manifest_without_an_image_is_not_found(fixture: Fixture) {
    let found = fixture.repository("app").manifests().contents(&reference("v1")).await;
    assert!(matches!(found, Err(Error::ManifestUnknown(_))), "{found:?}");
}

async fn tags_are_summed_up_in_lexical_order(fixture: Fixture) {
    let repository = fixture.repository("app");
    let image = push_image(&repository, "v2", "{}", &["layer"]).await;
    push_manifest(&repository, "v1", &index(&[&image])).await.unwrap();
    let [first, second] = &repository.tags().summaries(&Page::default()).await.unwrap().items[..] else {
        panic!()
    };
    assert_eq!((first.tag.as_str(), second.tag.as_str()), ("v1", "v2"));
    assert_eq!((first.media_type.as_str(), first.artifact_type.as_deref()), (MediaType::OCI_INDEX, None));
    assert_eq!(second.digest, digest_of(&image));
    assert_eq!(second.size, image.to_string().len() as u64 + 7);
    assert!(first.size > second.size);
}
