//! What an endpoint does not want to know.

use super::{
    fixture::{endpoint, pull, push, start, store},
    receiver::Receiver,
};

#[tokio::test]
async fn ignored_actions_and_media_types_are_not_told() {
    let (pushes, no_layers) = (Receiver::start().await, Receiver::start().await);
    let mut endpoints = [endpoint("pushes", &pushes.url()), endpoint("no-layers", &no_layers.url())];
    endpoints[0].ignored_actions = vec!["pull".to_owned(), "delete".to_owned()];
    endpoints[1].ignored_media_types = vec!["application/octet-stream".to_owned()];
    let notifications = start(&store(), &endpoints);
    pull(&notifications, "layer", "application/octet-stream").await;
    pull(&notifications, "manifest", "application/vnd.oci.image.manifest.v1+json").await;
    push(&notifications, "pushed").await;

    let mut told = no_layers.repositories(2).await;
    told.sort();
    assert_eq!(told, ["manifest", "pushed"]);
    assert_eq!(pushes.repositories(1).await, ["pushed"]);
}
