//! How commands name an image: `REPOSITORY`, `REPOSITORY:TAG` or `REPOSITORY@DIGEST`.

use std::{fmt, str::FromStr};

use anyhow::Context;
use berth_oci::{Reference, RepositoryName};

/// A repository, and which of its images when it is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ImageName {
    pub(super) repository: RepositoryName,
    pub(super) reference: Option<Reference>,
}

impl FromStr for ImageName {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (repository, reference) = match (text.split_once('@'), text.split_once(':')) {
            (Some((name, digest)), _) => {
                // The digest says which image it is; a tag beside it only where it was found.
                let repository = name.split_once(':').map_or(name, |(repository, _)| repository);
                (repository, Some(Reference::Digest(digest.parse()?)))
            }
            (None, Some((repository, tag))) => (repository, Some(Reference::Tag(tag.parse()?))),
            (None, None) => (text, None),
        };
        let repository = repository.parse().with_context(|| {
            format!("{text:?} names no image of this registry: write REPOSITORY:TAG, without a host")
        })?;
        Ok(Self { repository, reference })
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reference {
            None => self.repository.fmt(f),
            Some(Reference::Tag(tag)) => write!(f, "{}:{tag}", self.repository),
            Some(Reference::Digest(digest)) => write!(f, "{}@{digest}", self.repository),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_named_as_everywhere() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for name in ["app", "team/app", "team/app:1.0", &format!("app@{digest}")] {
            assert_eq!(name.parse::<ImageName>().unwrap().to_string(), name);
        }
        let both: ImageName = format!("app:1@{digest}").parse().unwrap();
        assert_eq!(both.to_string(), format!("app@{digest}"));
    }

    #[test]
    fn what_names_no_image_is_refused_with_a_reason() {
        let said = |name: &str| format!("{:#}", name.parse::<ImageName>().unwrap_err());
        assert!(said("localhost:5000/app").contains("tag"), "{}", said("localhost:5000/app"));
        assert!(said("App").contains("write REPOSITORY:TAG"), "{}", said("App"));
        assert!(said("app@latest").contains("digest"), "{}", said("app@latest"));
    }
}
