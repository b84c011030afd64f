//! Events: what an endpoint is told, field by field as Distribution writes it.

use berth_oci::{Descriptor, Digest, MediaType, RepositoryName, Tag};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Something that was done to the content of the registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Unique; an event that is delivered twice has the same one.
    pub id: String,
    /// When it happened.
    pub timestamp: Timestamp,
    /// What was done.
    pub action: Action,
    /// What it was done to.
    pub target: Target,
    /// The request that did it.
    pub request: RequestRecord,
    /// Who sent that request.
    pub actor: ActorRecord,
    /// The server that answered it.
    pub source: SourceRecord,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Content was asked for and is there; the method tells whether its bytes were sent.
    Pull,
    /// Content was taken in.
    Push,
    /// A blob of another repository was made visible.
    Mount,
    /// A manifest, a tag, a blob or a repository was deleted.
    Delete,
}

impl Action {
    /// The word that stands in an event and in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Mount => "mount",
            Self::Delete => "delete",
        }
    }
}

/// What an event is about. A deletion names no more than was deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// The kind of the content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    /// The address of the content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The length of the content in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The same as `size`, under its old name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
    /// The repository that it happened in.
    pub repository: RepositoryName,
    /// The repository that a blob was mounted from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_repository: Option<RepositoryName>,
    /// Where the content can be pulled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The tag that the request named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<Tag>,
    /// What a manifest refers to, when the configuration asks for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<Descriptor>,
}

impl Target {
    /// The repository itself.
    pub fn repository(repository: RepositoryName) -> Self {
        Self {
            media_type: None,
            digest: None,
            size: None,
            length: None,
            repository,
            from_repository: None,
            url: None,
            tag: None,
            references: Vec::new(),
        }
    }

    /// Some content of the repository.
    pub fn content(repository: RepositoryName, media_type: MediaType, digest: Digest, size: u64) -> Self {
        Self {
            media_type: Some(media_type),
            digest: Some(digest),
            size: Some(size),
            length: Some(size),
            ..Self::repository(repository)
        }
    }
}

/// The request that an event comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// Its id, which the log knows as well.
    pub id: String,
    /// The client's address, as the outermost proxy tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addr: Option<String>,
    /// The name that the client called the server by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The HTTP method.
    pub method: String,
    /// The client's name for itself.
    #[serde(rename = "useragent")]
    pub user_agent: String,
}

/// Who sent a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActorRecord {
    /// The user; `None` when nobody was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// The server that an event comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRecord {
    /// Its host name and port.
    pub addr: String,
    /// A name of the process, new with each start.
    #[serde(rename = "instanceID")]
    pub instance_id: String,
}
