//! Layers that all writers share, and the manifests that name them.

use berth_tests::digest::sha256;
use fastrand::Rng;
use serde_json::{Value, json};

pub(crate) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// How many different layers there are: so few that writers meet, and so many that most are garbage at any time.
pub(crate) const LAYERS: usize = 240;

/// How many repositories there are.
const REPOSITORIES: usize = 4;

/// Any of the repositories.
pub(crate) fn repository(random: &mut Rng) -> String {
    format!("team/app{}", random.usize(..REPOSITORIES))
}

/// All repositories.
pub(crate) fn repositories() -> impl Iterator<Item = String> {
    (0..REPOSITORIES).map(|number| format!("team/app{number}"))
}

/// The bytes of a layer: from a few to some ten thousand.
pub(crate) fn layer(number: usize) -> Vec<u8> {
    let line = format!("layer {number}\n");
    line.repeat(1 + (number % 40).pow(2) * 4).into_bytes()
}

/// A manifest that no other writer pushes.
pub(crate) fn image(name: &str, layers: &[usize]) -> Vec<u8> {
    let descriptor = |kind: &str, number: usize| {
        let bytes = layer(number);
        json!({"mediaType": kind, "digest": sha256(&bytes), "size": bytes.len()})
    };
    let layers: Vec<Value> =
        layers.iter().map(|number| descriptor("application/vnd.oci.image.layer.v1.tar", *number)).collect();
    json!({
        "schemaVersion": 2, "mediaType": IMAGE, "layers": layers,
        "config": descriptor("application/vnd.oci.image.config.v1+json", 0),
        "annotations": {"name": name},
    })
    .to_string()
    .into_bytes()
}

/// An index of these manifests.
pub(crate) fn index(name: &str, manifests: &[Vec<u8>]) -> Vec<u8> {
    let descriptor =
        |bytes: &Vec<u8>| json!({"mediaType": IMAGE, "digest": sha256(bytes), "size": bytes.len()});
    json!({
        "schemaVersion": 2, "mediaType": INDEX, "annotations": {"name": name},
        "manifests": manifests.iter().map(descriptor).collect::<Vec<_>>(),
    })
    .to_string()
    .into_bytes()
}
