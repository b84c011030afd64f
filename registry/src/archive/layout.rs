//! The OCI image layout (image specification, image-layout.md): `index.json`, and content under its digest.

use berth_oci::{Descriptor, Tag};
use serde::{Deserialize, Serialize};

use super::image_name::ImageName;
use super::image_set::{ArchivedImage, ImageSet};
use super::source::Archive;
use super::{Error, Result};

pub(super) const INDEX: &str = "index.json";
pub(super) const MARKER: &str = "oci-layout";

/// The name of an image in its archive: a tag, or a whole name.
pub(super) const REFERENCE_NAME: &str = "org.opencontainers.image.ref.name";

/// The whole name of an image, as containerd and Docker write it.
pub(super) const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// What `oci-layout` says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Marker {
    pub(super) image_layout_version: String,
}

/// What `index.json` says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Index {
    pub(super) schema_version: u64,
    pub(super) media_type: Option<String>,
    pub(super) manifests: Vec<Descriptor>,
}

/// The images of an OCI layout; `None` when the archive is none.
pub(super) fn read(archive: &Archive) -> Result<Option<ImageSet>> {
    let Some(index) = archive.document::<Index>(INDEX)? else { return Ok(None) };
    match archive.document::<Marker>(MARKER)? {
        None => return Err(Error::Missing(MARKER.to_owned())),
        Some(marker) if !marker.image_layout_version.starts_with("1.") => {
            let reason = format!("version {} of the layout is not known", marker.image_layout_version);
            return Err(Error::invalid(MARKER, reason));
        }
        Some(_) => {}
    }
    let mut set = ImageSet::default();
    for descriptor in &index.manifests {
        let image = image_of(descriptor);
        // An image with several names is listed with each of them.
        match set.images.iter_mut().find(|known| known.digest == image.digest) {
            Some(known) => {
                known.names.extend(image.names);
                known.tag = known.tag.take().or(image.tag);
            }
            None => set.images.push(image),
        }
    }
    Ok(Some(set))
}

fn image_of(descriptor: &Descriptor) -> ArchivedImage {
    let annotation = |key: &str| descriptor.annotations.as_ref().and_then(|all| all.get(key));
    let reference = annotation(REFERENCE_NAME);
    let tag: Option<Tag> = reference.and_then(|name| name.parse().ok());
    // What could be a tag alone is one; the repository then stands elsewhere, if at all.
    let whole = reference.filter(|_| tag.is_none()).or_else(|| annotation(CONTAINERD_NAME));
    ArchivedImage {
        digest: descriptor.digest,
        media_type: descriptor.media_type.clone(),
        names: whole.and_then(|name| ImageName::parse(name)).into_iter().collect(),
        tag,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn image(annotations: &serde_json::Value) -> ArchivedImage {
        let descriptor = json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": format!("sha256:{}", "a".repeat(64)),
            "size": 1,
            "annotations": annotations,
        });
        image_of(&serde_json::from_value(descriptor).unwrap())
    }

    #[test]
    fn a_whole_name_and_a_tag_alone_are_told_apart() {
        let whole = image(&json!({ REFERENCE_NAME: "team/app:1" }));
        assert_eq!((whole.names, whole.tag), (vec![ImageName::parse("team/app:1").unwrap()], None));
        let tag = image(&json!({ REFERENCE_NAME: "1.0" }));
        assert_eq!((tag.names, tag.tag), (vec![], Some("1.0".parse().unwrap())));
        let docker = image(&json!({ REFERENCE_NAME: "1", CONTAINERD_NAME: "docker.io/library/app:1" }));
        assert_eq!(docker.names, [ImageName::parse("app:1").unwrap()]);
        assert_eq!(image(&json!({})).names, []);
    }
}
