//! Manifests: the view of their bytes that a registry needs (image specification, manifest.md and
//! image-index.md).
//!
//! The bytes themselves are kept and served untouched; this is only what they say. Whether what they refer to
//! exists is left to the repository.

use std::collections::BTreeMap;
use std::str::{self, FromStr};

use serde::de::{Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::{Descriptor, Digest, MediaType};

/// What a manifest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    media_type: MediaType,
    content: Content,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    // Go writes an empty slice that was never filled as `null`, hence the options.
    layers: Option<Vec<Descriptor>>,
    blobs: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
    annotations: Option<BTreeMap<String, String>>,
    fs_layers: Option<Vec<FsLayer>>,
}

/// A layer of a manifest of schema 1, which has no descriptors.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FsLayer {
    blob_sum: Digest,
}

/// What tells the kind of a manifest, whatever its kind.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    // Documents of other kinds may count their versions in another way.
    schema_version: Option<Value>,
    #[serde(default, deserialize_with = "empty_as_none")]
    media_type: Option<MediaType>,
    config: Option<IgnoredAny>,
    layers: Option<IgnoredAny>,
    manifests: Option<IgnoredAny>,
    signatures: Option<IgnoredAny>,
}

/// Why bytes are not a manifest that a registry could keep.
#[derive(Debug, thiserror::Error)]
pub enum InvalidManifest {
    /// Not JSON, or a field of another shape than the specification's.
    #[error("the manifest is not a valid document: {0}")]
    Json(#[from] serde_json::Error),
    /// The bytes say another media type than the request.
    #[error("Content-Type is {declared} but the manifest's mediaType is {actual}: send both alike")]
    MediaTypeMismatch {
        /// What the `Content-Type` header says.
        declared: MediaType,
        /// What the bytes say, or what follows from them.
        actual: MediaType,
    },
    /// `schemaVersion` is not 2.
    #[error("the manifest's schemaVersion must be 2")]
    SchemaVersion,
    /// An image without a config.
    #[error("the image manifest has no config")]
    NoConfig,
    /// An index without its list.
    #[error("the index has no list of manifests")]
    NoManifests,
    /// A document that is an image to one reader and an index to another.
    #[error("the manifest has the fields of both an image and an index: config or layers, and manifests")]
    Ambiguous,
}

impl Manifest {
    /// Reads what `bytes` say. `declared` is the media type that the client gave, if it gave one.
    ///
    /// A manifest of a media type that nobody here knows is accepted, and only its subject is looked at.
    /// When the bytes do not say what they are, the client's word decides, unless it is a type that says
    /// nothing, such as `application/json`.
    pub fn parse(bytes: &[u8], declared: Option<&MediaType>) -> Result<Self, InvalidManifest> {
        let envelope: Envelope = serde_json::from_slice(bytes)?;
        let media_type = envelope.agreed_media_type(declared.filter(|declared| !declared.is_generic()))?;
        let content = if is_known(&media_type) {
            envelope.check(&media_type)?;
            serde_json::from_slice(bytes)?
        } else {
            Content { subject: subject_of_unknown(bytes), ..Content::default() }
        };
        let manifest = Self { media_type, content };
        manifest.check()?;
        Ok(manifest)
    }

    /// The media type alone, as [`parse`](Self::parse) would find it when the client gave none; `None` when
    /// the bytes are not a JSON object of that shape.
    pub fn media_type_of(bytes: &[u8]) -> Option<MediaType> {
        serde_json::from_slice::<Envelope>(bytes).ok().map(|envelope| envelope.media_type())
    }

    /// The media type that the bytes themselves name.
    pub fn named_media_type(bytes: &[u8]) -> Option<MediaType> {
        serde_json::from_slice::<Envelope>(bytes).ok()?.media_type
    }

    /// The kind of the manifest: its own `mediaType`, or what follows from its fields when it has none.
    pub fn media_type(&self) -> &MediaType {
        &self.media_type
    }

    /// The kind of artifact: the manifest's own, or else the media type of its config.
    pub fn artifact_type(&self) -> Option<&str> {
        let own = self.content.artifact_type.as_deref().filter(|own| !own.is_empty());
        own.or_else(|| self.content.config.as_ref().map(|config| config.media_type.as_str()))
    }

    /// The manifest that this one refers to as its subject, such as the image that a signature signs.
    pub fn subject(&self) -> Option<&Descriptor> {
        self.content.subject.as_ref()
    }

    /// The config of an image.
    pub fn config(&self) -> Option<&Descriptor> {
        self.content.config.as_ref()
    }

    /// The layers of an image, or the blobs of an artifact.
    pub fn layers(&self) -> impl Iterator<Item = &Descriptor> {
        self.content.layers.iter().chain(&self.content.blobs).flatten()
    }

    /// The manifests of an index.
    pub fn manifests(&self) -> &[Descriptor] {
        self.content.manifests.as_deref().unwrap_or_default()
    }

    /// Free metadata.
    pub fn annotations(&self) -> Option<&BTreeMap<String, String>> {
        self.content.annotations.as_ref()
    }

    /// Everything that the manifest needs besides itself: config, layers, and the manifests of an index; not
    /// the subject.
    pub fn references(&self) -> impl Iterator<Item = Digest> {
        let described = self.config().into_iter().chain(self.layers()).chain(self.manifests());
        let fs_layers = self.content.fs_layers.iter().flatten().map(|layer| layer.blob_sum);
        described.map(|descriptor| descriptor.digest).chain(fs_layers)
    }

    /// Whether the media type is one that nobody here knows, so that [`references`](Self::references) says
    /// nothing.
    pub fn is_opaque(&self) -> bool {
        !is_known(&self.media_type)
    }

    fn check(&self) -> Result<(), InvalidManifest> {
        if self.media_type.is_image() && self.config().is_none() {
            return Err(InvalidManifest::NoConfig);
        }
        if self.media_type.is_index() && self.content.manifests.is_none() {
            return Err(InvalidManifest::NoManifests);
        }
        Ok(())
    }
}

fn is_known(media_type: &MediaType) -> bool {
    media_type.is_image()
        || media_type.is_index()
        || media_type.is_schema1()
        || media_type.essence() == MediaType::OCI_ARTIFACT
}

impl Envelope {
    /// The type on which the bytes and the client agree.
    fn agreed_media_type(&self, declared: Option<&MediaType>) -> Result<MediaType, InvalidManifest> {
        let actual = self.media_type();
        match declared {
            None => Ok(actual),
            Some(declared) if declared.essence() == actual.essence() => Ok(actual),
            Some(declared) if self.media_type.is_none() && !is_known(declared) => {
                Ok(declared.without_parameters())
            }
            Some(declared) => Err(InvalidManifest::MediaTypeMismatch { declared: declared.clone(), actual }),
        }
    }

    fn schema_version(&self) -> Option<u64> {
        self.schema_version.as_ref().and_then(Value::as_u64)
    }

    /// Distribution's rule for documents that do not name their type.
    fn media_type(&self) -> MediaType {
        if let Some(own) = &self.media_type {
            return own.clone();
        }
        MediaType::from_constant(match (self.schema_version(), &self.manifests) {
            (Some(1), _) if self.signatures.is_some() => MediaType::DOCKER_SCHEMA1_SIGNED,
            (Some(1), _) => MediaType::DOCKER_SCHEMA1,
            (_, Some(_)) => MediaType::OCI_INDEX,
            (_, None) => MediaType::OCI_IMAGE,
        })
    }

    fn check(&self, media_type: &MediaType) -> Result<(), InvalidManifest> {
        let is_index = media_type.is_index() || self.manifests.is_some();
        let is_image = media_type.is_image() || self.config.is_some() || self.layers.is_some();
        if media_type.is_schema1() || media_type.essence() == MediaType::OCI_ARTIFACT {
            Ok(())
        } else if self.schema_version() != Some(2) {
            Err(InvalidManifest::SchemaVersion)
        } else if is_index && is_image {
            Err(InvalidManifest::Ambiguous)
        } else {
            Ok(())
        }
    }
}

/// Go programs write a type that they do not give as an empty text.
fn empty_as_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<MediaType>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty());
    text.map(MediaType::try_from).transpose().map_err(D::Error::custom)
}

fn subject_of_unknown(bytes: &[u8]) -> Option<Descriptor> {
    #[derive(Deserialize)]
    struct WithSubject {
        subject: Option<Descriptor>,
    }
    serde_json::from_slice::<WithSubject>(bytes).ok()?.subject
}

/// Every digest that stands somewhere in `bytes`.
///
/// What a document of an unknown kind needs cannot be known; whoever deletes content keeps all that it
/// mentions.
pub fn mentioned_digests(bytes: &[u8]) -> Vec<Digest> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b':';
    bytes
        .split(|byte| !is_part(byte))
        .filter_map(|word| Digest::from_str(str::from_utf8(word).ok()?).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn digest(digit: char) -> Digest {
        format!("sha256:{}", digit.to_string().repeat(64)).parse().unwrap()
    }

    fn descriptor(digit: char, media_type: &str) -> Value {
        json!({"mediaType": media_type, "digest": digest(digit), "size": 1})
    }

    fn image() -> Value {
        json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_IMAGE,
            "config": descriptor('c', "application/vnd.oci.image.config.v1+json"),
            "layers": [descriptor('1', "application/vnd.oci.image.layer.v1.tar+gzip")],
        })
    }

    fn parse(document: &Value) -> Result<Manifest, InvalidManifest> {
        Manifest::parse(document.to_string().as_bytes(), None)
    }

    fn without(mut document: Value, field: &str) -> Value {
        document.as_object_mut().unwrap().remove(field);
        document
    }

    fn with(mut document: Value, field: &str, value: Value) -> Value {
        document[field] = value;
        document
    }

    #[test]
    fn an_image_needs_its_config_and_its_layers() {
        let manifest = parse(&image()).unwrap();
        assert_eq!(manifest.media_type().as_str(), MediaType::OCI_IMAGE);
        assert_eq!(manifest.references().collect::<Vec<_>>(), [digest('c'), digest('1')]);
    }

    #[test]
    fn a_missing_media_type_is_inferred() {
        assert_eq!(
            parse(&without(image(), "mediaType")).unwrap().media_type().as_str(),
            MediaType::OCI_IMAGE
        );
        let index = json!({"schemaVersion": 2, "manifests": [descriptor('a', MediaType::OCI_IMAGE)]});
        assert_eq!(parse(&index).unwrap().media_type().as_str(), MediaType::OCI_INDEX);
        let schema1 = json!({"schemaVersion": 1, "fsLayers": [{"blobSum": digest('b')}], "signatures": []});
        let schema1 = parse(&schema1).unwrap();
        assert!(schema1.media_type().is_schema1());
        assert_eq!(schema1.references().collect::<Vec<_>>(), [digest('b')]);
    }

    #[test]
    fn the_content_type_must_be_the_manifests() {
        let docker: MediaType = MediaType::DOCKER_IMAGE.parse().unwrap();
        let error = Manifest::parse(image().to_string().as_bytes(), Some(&docker)).unwrap_err();
        assert!(matches!(error, InvalidManifest::MediaTypeMismatch { .. }));
        let parameters: MediaType = format!("{}; charset=utf-8", MediaType::OCI_IMAGE).parse().unwrap();
        assert!(Manifest::parse(image().to_string().as_bytes(), Some(&parameters)).is_ok());
    }

    #[test]
    fn a_type_that_says_nothing_counts_as_none() {
        let bytes = image().to_string();
        for text in ["application/json", "application/x-www-form-urlencoded"] {
            let manifest = Manifest::parse(bytes.as_bytes(), Some(&text.parse().unwrap())).unwrap();
            assert_eq!(manifest.media_type().as_str(), MediaType::OCI_IMAGE, "{text}");
        }
        assert_eq!(
            parse(&with(image(), "mediaType", json!(""))).unwrap().media_type().as_str(),
            MediaType::OCI_IMAGE
        );
    }

    #[test]
    fn a_document_that_does_not_say_what_it_is_is_what_the_client_says() {
        let document = json!({"schemaVersion": "1.0", "layers": "elsewhere"}).to_string();
        let declared = "application/vnd.example+json; charset=utf-8".parse().unwrap();
        let manifest = Manifest::parse(document.as_bytes(), Some(&declared)).unwrap();
        assert_eq!(manifest.media_type().as_str(), "application/vnd.example+json");
        assert!(manifest.is_opaque());
        assert_eq!(Manifest::named_media_type(document.as_bytes()), None);
        let named = with(image(), "mediaType", json!("application/vnd.other+json")).to_string();
        assert!(Manifest::parse(named.as_bytes(), Some(&declared)).is_err());
    }

    #[test]
    fn the_artifact_type_falls_back_to_the_type_of_the_config() {
        assert_eq!(
            parse(&image()).unwrap().artifact_type(),
            Some("application/vnd.oci.image.config.v1+json")
        );
        let artifact = with(image(), "artifactType", json!("application/vnd.example"));
        assert_eq!(parse(&artifact).unwrap().artifact_type(), Some("application/vnd.example"));
    }

    #[test]
    fn an_image_without_layers_is_an_image() {
        for layers in [json!([]), Value::Null] {
            assert_eq!(parse(&with(image(), "layers", layers)).unwrap().layers().count(), 0);
        }
    }

    #[test]
    fn documents_that_are_no_manifests_are_refused() {
        let index = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": []});
        for document in [
            json!({}),
            json!([]),
            json!("x"),
            json!({"schemaVersion": 2}),
            with(image(), "schemaVersion", json!(3)),
            without(image(), "schemaVersion"),
            without(image(), "config"),
            with(image(), "layers", json!([{"digest": "sha256:0"}])),
            with(image(), "manifests", json!([])),
            with(image(), "annotations", json!({"key": 1})),
            with(index.clone(), "layers", json!([])),
            without(index, "manifests"),
        ] {
            assert!(parse(&document).is_err(), "{document}");
        }
        assert!(Manifest::parse(b"", None).is_err());
    }

    #[test]
    fn a_manifest_of_an_unknown_kind_is_taken_as_it_is() {
        let document = json!({
            "mediaType": "application/vnd.example.manifest+json",
            "layers": "elsewhere",
            "subject": descriptor('5', MediaType::OCI_IMAGE),
            "parts": [digest('7')],
        });
        let manifest = parse(&document).unwrap();
        assert!(manifest.is_opaque());
        assert_eq!(manifest.subject().unwrap().digest, digest('5'));
        assert_eq!(manifest.references().count(), 0);
        assert_eq!(mentioned_digests(document.to_string().as_bytes()).len(), 2);
    }
}
