//! What an archive will hold: documents that are made for it, and content of the registry.

use std::collections::{BTreeMap, HashSet};

use berth_oci::{Descriptor, Digest, Manifest, MediaType, Platform, Reference, RepositoryName};
use bytes::Bytes;

use super::base::{BASE, Base, Omissions};
use super::docker::{self, Item};
use super::image_name::ImageName;
use super::image_set::blob_entry;
use super::layout::{self, CONTAINERD_NAME, Index, Marker, REFERENCE_NAME};
use super::{Error, Result};
use crate::repository::{Contents, Error as RepositoryError, Page, Part, Repository, Role, StoredManifest};

/// The format of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// An OCI image layout, with all platforms and all referrers.
    Oci,
    /// What `docker save` writes: images of this platform, and an OCI image layout of the same.
    Docker(Platform),
}

/// An image to export.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Where it is.
    pub repository: Repository,
    /// Which it is.
    pub reference: Reference,
}

/// An archive that is ready to be written.
#[derive(Debug)]
pub struct Plan {
    pub(super) documents: Vec<(&'static str, Bytes)>,
    /// Content, and a repository that has it.
    pub(super) content: BTreeMap<Digest, Repository>,
    size: u64,
}

impl Plan {
    /// The length of the content, in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }
}

/// Finds everything that belongs into the archive, and makes sure that it is there.
///
/// A child of an index that the repository does not have is left out, as it is when the index is pulled.
pub async fn plan(wanted: &[Wanted], format: &Format) -> Result<Plan> {
    let mut draft = Draft::default();
    for image in wanted {
        match format {
            Format::Oci => draft.add_with_referrers(image).await?,
            Format::Docker(platform) => draft.add_for_docker(image, platform).await?,
        }
    }
    draft.finish()
}

/// Finds everything that belongs into an archive and that a site which has taken in the earlier one does not have.
pub async fn plan_since(wanted: &[Wanted], base: Base) -> Result<Plan> {
    let mut draft = Draft { base: Some(base), ..Draft::default() };
    for image in wanted {
        draft.add_with_referrers(image).await?;
    }
    draft.finish()
}

#[derive(Default)]
struct Draft {
    /// What the site has.
    base: Option<Base>,
    omitted: BTreeMap<Digest, RepositoryName>,
    images: Vec<Descriptor>,
    /// Images for Docker by their digests.
    items: BTreeMap<Digest, Item>,
    content: BTreeMap<Digest, Repository>,
    size: u64,
    /// Whose referrers were looked for.
    seen: HashSet<(String, Digest)>,
}

impl Draft {
    async fn add_with_referrers(&mut self, image: &Wanted) -> Result<()> {
        let Wanted { repository, reference } = image;
        let name = ImageName::written(repository.name(), reference);
        let contents = contents(repository, reference).await?;
        let mut ahead = self.add(repository, &name, &contents).await?;
        self.images.push(descriptor(&contents.manifest, name));
        while let Some(subject) = ahead.pop() {
            if !self.seen.insert((repository.name().to_string(), subject)) {
                continue;
            }
            for referrer in referrers(repository, &subject).await? {
                let reference = Reference::Digest(referrer.digest);
                let contents = self::contents(repository, &reference).await?;
                let name = ImageName::written(repository.name(), &reference);
                ahead.extend(self.add(repository, &name, &contents).await?);
                // The name says to which repository it belongs.
                self.images.push(descriptor(&contents.manifest, name));
            }
        }
        Ok(())
    }

    /// Adds an image with its parts, and returns its manifests.
    async fn add(&mut self, repository: &Repository, name: &str, contents: &Contents) -> Result<Vec<Digest>> {
        let mut manifests = vec![contents.manifest.digest];
        self.add_content(repository, contents.manifest.digest, contents.manifest.bytes.len() as u64);
        for part in &contents.parts {
            let digest = part.descriptor.digest;
            let found = size_of(repository, name, part).await?;
            if let Some(size) = found {
                if part.role == Role::Manifest || !self.omit(&digest) {
                    self.add_content(repository, digest, size);
                }
                manifests.extend((part.role == Role::Manifest).then_some(digest));
            } else if part.role != Role::Manifest && !part.descriptor.may_be_elsewhere() {
                return Err(Error::Unstored { name: name.to_owned(), part: digest });
            }
        }
        Ok(manifests)
    }

    /// Leaves a blob out if the site has it. Returns whether it does.
    fn omit(&mut self, blob: &Digest) -> bool {
        let home = self.base.as_ref().and_then(|base| base.blobs.get(blob)).cloned();
        home.is_some_and(|home| {
            self.omitted.insert(*blob, home);
            true
        })
    }

    fn add_content(&mut self, repository: &Repository, digest: Digest, size: u64) {
        if self.content.insert(digest, repository.clone()).is_none() {
            self.size += size;
        }
    }

    async fn add_for_docker(&mut self, image: &Wanted, platform: &Platform) -> Result<()> {
        let Wanted { repository, reference } = image;
        let name = ImageName::written(repository.name(), reference);
        let contents = contents(repository, &for_platform(image, &name, platform).await?).await?;
        let manifest = Manifest::parse(&contents.manifest.bytes, None).ok();
        let config =
            manifest.as_ref().and_then(Manifest::config).filter(|config| is_config(&config.media_type));
        let (Some(manifest), Some(config)) = (&manifest, config) else {
            return Err(Error::NotForDocker(name));
        };
        self.add(repository, &name, &contents).await?;
        if let Some(absent) = manifest.layers().find(|layer| !self.content.contains_key(&layer.digest)) {
            return Err(Error::Unstored { name, part: absent.digest });
        }
        let item = self.items.entry(contents.manifest.digest).or_insert_with(|| Item {
            config: blob_entry(&config.digest),
            repo_tags: Some(Vec::new()),
            layers: Some(manifest.layers().map(|layer| blob_entry(&layer.digest)).collect()),
        });
        let mut descriptor = descriptor(&contents.manifest, name.clone());
        if let Reference::Tag(tag) = reference {
            item.repo_tags.get_or_insert_default().push(name);
            let whole = ImageName { repository: repository.name().clone(), tag: Some(tag.clone()) };
            let annotations = descriptor.annotations.get_or_insert_default();
            annotations.insert(CONTAINERD_NAME.to_owned(), whole.canonical());
        }
        self.images.push(descriptor);
        Ok(())
    }

    fn finish(self) -> Result<Plan> {
        let index = Index {
            schema_version: 2,
            media_type: Some(MediaType::OCI_INDEX.to_owned()),
            manifests: self.images,
        };
        let marker = Marker { image_layout_version: "1.0.0".to_owned() };
        let mut documents = vec![(layout::MARKER, document(&marker)?), (layout::INDEX, document(&index)?)];
        if let Some(base) = self.base {
            documents.push((BASE, document(&Omissions { base: base.index, blobs: self.omitted })?));
        }
        if !self.items.is_empty() {
            documents.push((docker::MANIFEST, document(&self.items.into_values().collect::<Vec<_>>())?));
        }
        Ok(Plan { documents, content: self.content, size: self.size })
    }
}

/// The image itself, or the one of an index that runs on the platform.
async fn for_platform(image: &Wanted, name: &str, platform: &Platform) -> Result<Reference> {
    let stored = manifest(&image.repository, &image.reference).await?;
    if !stored.media_type.is_index() {
        return Ok(Reference::Digest(stored.digest));
    }
    let children = Manifest::parse(&stored.bytes, None).map(|index| index.manifests().to_vec());
    let children = children.map_err(|error| Error::invalid(name, error))?;
    let fits = |child: &&Descriptor| child.platform.as_ref().is_some_and(|it| runs_on(it, platform));
    match children.iter().find(fits) {
        Some(child) => Ok(Reference::Digest(child.digest)),
        None => Err(Error::NoPlatform {
            name: name.to_owned(),
            wanted: written(platform),
            available: available(&children),
        }),
    }
}

fn runs_on(child: &Platform, wanted: &Platform) -> bool {
    child.os == wanted.os
        && child.architecture == wanted.architecture
        && (wanted.variant.is_none() || child.variant == wanted.variant)
}

fn available(children: &[Descriptor]) -> String {
    let platforms = children.iter().filter_map(|child| child.platform.as_ref()).map(written);
    // Attestations are listed like images that run nowhere.
    let names: Vec<_> = platforms.filter(|name| name != "unknown/unknown").collect();
    if names.is_empty() { "no platform by name".to_owned() } else { names.join(", ") }
}

fn written(platform: &Platform) -> String {
    let variant = platform.variant.as_ref().map(|variant| format!("/{variant}")).unwrap_or_default();
    format!("{}/{}{variant}", platform.os, platform.architecture)
}

fn is_config(media_type: &MediaType) -> bool {
    matches!(media_type.essence(), docker::CONFIG_TYPE | "application/vnd.oci.image.config.v1+json")
}

async fn manifest(repository: &Repository, reference: &Reference) -> Result<StoredManifest> {
    repository.manifests().get(reference).await.map_err(|error| failed(repository, reference, error))
}

async fn contents(repository: &Repository, reference: &Reference) -> Result<Contents> {
    repository.manifests().contents(reference).await.map_err(|error| failed(repository, reference, error))
}

async fn referrers(repository: &Repository, subject: &Digest) -> Result<Vec<Descriptor>> {
    let (mut all, mut page) = (Vec::new(), Page::default());
    loop {
        let listing = repository.referrers().list(subject, None, &page).await;
        let listing = listing.map_err(|error| failed(repository, &Reference::Digest(*subject), error))?;
        all.extend(listing.items);
        match listing.next {
            None => return Ok(all),
            last => page.last = last,
        }
    }
}

/// How long a part is, which a garbage collection spares from now on for as long as its quarantine takes; `None` when it
/// is missing.
async fn size_of(repository: &Repository, name: &str, part: &Part) -> Result<Option<u64>> {
    match repository.blobs().head(&part.descriptor.digest).await {
        Ok(blob) => Ok(Some(blob.size)),
        Err(RepositoryError::BlobUnknown(_)) => Ok(None),
        Err(source) => Err(Error::Repository { name: name.to_owned(), source }),
    }
}

fn failed(repository: &Repository, reference: &Reference, source: RepositoryError) -> Error {
    Error::Repository { name: ImageName::written(repository.name(), reference), source }
}

/// How the archive lists a manifest under a name.
fn descriptor(manifest: &StoredManifest, name: String) -> Descriptor {
    Descriptor {
        media_type: manifest.media_type.clone(),
        digest: manifest.digest,
        size: manifest.bytes.len() as u64,
        urls: None,
        artifact_type: None,
        annotations: Some(BTreeMap::from([(REFERENCE_NAME.to_owned(), name)])),
        platform: None,
    }
}

fn document(content: &impl serde::Serialize) -> Result<Bytes> {
    serde_json::to_vec(content).map(Bytes::from).map_err(|error| Error::Write(error.into()))
}
