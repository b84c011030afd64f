//! Where the images of an archive go: by the names that the archive gives them, or that it is told.

use std::collections::BTreeSet;

use berth_oci::{Digest, Manifest, RepositoryName, Tag};

use super::image_name::ImageName;
use super::image_set::{ArchivedImage, ImageSet, blob_entry};
use super::source::Archive;
use super::{Error, Result};

/// What overrules the names in an archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// The repository of all images.
    pub repository: Option<RepositoryName>,
    /// The tag of the only image.
    pub tag: Option<Tag>,
}

/// Each image with each place that it goes to.
pub(super) fn places<'a>(
    set: &'a ImageSet,
    archive: &Archive,
    options: &ImportOptions,
) -> Result<Vec<(&'a ArchivedImage, ImageName)>> {
    let naming = Naming::new(set, options);
    let (mut places, mut images) = (Vec::new(), 0);
    for image in &set.images {
        let names = if let Some(subject) = naming.subject_of_untagged(archive, image)? {
            naming.beside(&subject, image).into_iter().collect()
        } else {
            images += 1;
            naming.names(image)
        };
        if names.is_empty() {
            return Err(Error::NoRepository(image.digest));
        }
        places.extend(names.into_iter().map(|name| (image, name)));
    }
    if options.tag.is_some() && images != 1 {
        return Err(Error::SeveralImages(images));
    }
    Ok(places)
}

struct Naming<'a> {
    set: &'a ImageSet,
    options: &'a ImportOptions,
    /// The repository of what has none.
    default: Option<&'a RepositoryName>,
}

impl<'a> Naming<'a> {
    fn new(set: &'a ImageSet, options: &'a ImportOptions) -> Self {
        let named = set.images.iter().flat_map(|image| &image.names).map(|name| &name.repository);
        let named: BTreeSet<_> = named.collect();
        let only = named.first().copied().filter(|_| named.len() == 1);
        Self { set, options, default: options.repository.as_ref().or(only) }
    }

    /// The names of an image, as they are after the options.
    fn names(&self, image: &ArchivedImage) -> Vec<ImageName> {
        let mut names = image.names.clone();
        if names.is_empty() {
            let repository = self.default.cloned();
            names.extend(repository.map(|repository| ImageName { repository, tag: image.tag.clone() }));
        }
        for name in &mut names {
            name.repository = self.options.repository.as_ref().unwrap_or(&name.repository).clone();
            name.tag = self.options.tag.as_ref().or(name.tag.as_ref()).cloned();
        }
        names.dedup();
        names
    }

    /// The subject of what has no tag, such as a signature.
    fn subject_of_untagged(&self, archive: &Archive, image: &ArchivedImage) -> Result<Option<Digest>> {
        let bytes = self.set.manifest(archive, &image.digest)?;
        let bytes = bytes.ok_or_else(|| Error::Missing(blob_entry(&image.digest)))?;
        let manifest = Manifest::parse(&bytes, None).ok();
        let subject = manifest.and_then(|manifest| manifest.subject().map(|subject| subject.digest));
        let has_tag = image.tag.is_some() || image.names.iter().any(|name| name.tag.is_some());
        Ok(subject.filter(|_| !has_tag))
    }

    /// The place of a referrer: the one that it has a name for, or else that of its subject.
    fn beside(&self, subject: &Digest, referrer: &ArchivedImage) -> Option<ImageName> {
        let subject = self.set.images.iter().find(|image| image.digest == *subject);
        let named = referrer.names.iter().chain(subject.iter().flat_map(|image| &image.names)).next();
        let named = named.map(|name| name.repository.clone());
        let repository = self.options.repository.clone().or(named).or_else(|| self.default.cloned());
        repository.map(|repository| ImageName { repository, tag: None })
    }
}
