//! Copies within the registry: an endpoint of our own.

use axum::{extract::State, http::Method};
use berth_oci::{ErrorCode, Reference, RepositoryName, Tag};

use super::{
    Api,
    authorize::{Push, permit},
    error::{Error, Result},
    extract::{PathWord, Sender},
    location::Locations,
    manifests::tag_of,
    notify::Happened,
    query::Parameters,
    respond::ManifestCreated,
};
use crate::{auth::Action, notifications::Occurrence};

/// `POST /v2/<name>/_berth/copy?from=<name>&reference=<reference>&tag=<tag>`: takes a manifest over with all that it
/// needs, from another repository or from under another tag of this one.
pub(super) async fn create(
    Push(repository): Push,
    State(api): State<Api>,
    Sender(identity): Sender,
    locations: Locations,
    parameters: Parameters,
) -> Result<(Happened, ManifestCreated)> {
    let Order { from, reference, target } = Order::read(&parameters)?;
    let source = match from {
        Some(name) => permit(&api, &identity, &name, &[Action::Pull])?,
        None => repository.clone(),
    };
    let copied = repository.copy(&source, &reference, &target).await?;
    let location = locations.manifest(repository.name(), &copied.digest.into());
    let manifest = repository.manifests().get(&copied.digest.into()).await?;
    let happened = Occurrence::ManifestPushed(manifest, tag_of(&target).cloned());
    let created =
        ManifestCreated { location, digest: copied.digest, subject: copied.subject, tags: Vec::new() };
    Ok((Happened::new(repository, [happened]), created))
}

/// What is to be copied.
#[derive(Debug, PartialEq, Eq)]
struct Order {
    /// Where it is; without a name, in the repository itself.
    from: Option<RepositoryName>,
    reference: Reference,
    /// Under what the copy is found: the given tag, or the same reference.
    target: Reference,
}

impl Order {
    fn read(parameters: &Parameters) -> Result<Self> {
        let reference = parameters.get("reference").ok_or_else(|| {
            let told = "the parameter `reference` is missing: it names the tag or the digest to copy";
            Error::bad_request(ErrorCode::TagInvalid, told)
        })?;
        let reference: Reference =
            reference.parse().map_err(|error| Reference::refuse(error, &Method::GET))?;
        let from = parameters.get("from").map(str::parse::<RepositoryName>).transpose();
        let tag = parameters.get("tag").map(str::parse::<Tag>).transpose();
        let tag = tag.map_err(|error| Error::bad_request(ErrorCode::TagInvalid, error.to_string()))?;
        Ok(Self {
            from: from.map_err(|error| RepositoryName::refuse(error, &Method::GET))?,
            target: tag.map_or_else(|| reference.clone(), Reference::Tag),
            reference,
        })
    }
}
