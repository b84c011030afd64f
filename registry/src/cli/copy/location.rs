//! How a registry or a storage is named.

use std::{fmt, path::Path, str::FromStr};

use anyhow::{Context, bail};
use hyper::Uri;

use crate::cli::image_name::ImageName;

/// A registry, with or without one of its repositories or images, or a storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Location {
    Registry {
        url: Uri,
        image: Option<ImageName>,
    },
    /// A configuration file, which names a storage.
    Config(String),
    /// The folder of a registry.
    Folder(String),
}

impl FromStr for Location {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        for (prefix, scheme) in [("https://", "https"), ("docker://", "https"), ("http://", "http")] {
            if let Some(name) = text.strip_prefix(prefix) {
                return registry(scheme, name);
            }
        }
        if let Some((scheme, _)) = text.split_once("://") {
            bail!("{scheme}:// is not known here: write https://, docker:// or http://");
        }
        let path = Path::new(text);
        if path.is_file() {
            return Ok(Self::Config(text.to_owned()));
        }
        if path.is_dir() || path.is_absolute() || text.starts_with("./") || text.starts_with("../") {
            return Ok(Self::Folder(text.to_owned()));
        }
        match text.split_once('/') {
            // As Docker tells a host from a name.
            Some((host, _)) if host == "localhost" || host.contains(['.', ':']) => registry("https", text),
            _ => bail!(
                "{text} is no file and no folder: write https://HOST/REPOSITORY, or the configuration file or the folder \
                 of a registry"
            ),
        }
    }
}

fn registry(scheme: &str, name: &str) -> anyhow::Result<Location> {
    let (host, image) = name.split_once('/').unwrap_or((name, ""));
    if host.contains('@') {
        bail!("a password in an address is seen by everybody: name a file that holds it");
    }
    let port = host.rsplit_once(':').map(|(_, port)| port).filter(|_| !host.ends_with(']'));
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        bail!("{host} is no host: its port is no number");
    }
    let url = Uri::builder().scheme(scheme).authority(host).path_and_query("/").build();
    let url = url.with_context(|| format!("{host} is no host"))?;
    let image = (!image.is_empty()).then(|| image.parse()).transpose()?;
    Ok(Location::Registry { url, image })
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry { url, image: None } => write!(f, "{}", url.to_string().trim_end_matches('/')),
            Self::Registry { url, image: Some(image) } => write!(f, "{url}{image}"),
            Self::Config(path) | Self::Folder(path) => f.write_str(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        text.parse::<Location>().map_or_else(|error| format!("{error:#}"), |location| location.to_string())
    }

    #[test]
    fn registries_are_named_as_elsewhere() {
        for (text, expected) in [
            ("https://hub.example.com", "https://hub.example.com"),
            ("docker://docker.io/library/alpine:3", "https://docker.io/library/alpine:3"),
            ("http://localhost:5000/app", "http://localhost:5000/app"),
            ("ghcr.io/team/app:1", "https://ghcr.io/team/app:1"),
            ("localhost/app", "https://localhost/app"),
        ] {
            assert_eq!(read(text), expected);
        }
    }

    #[test]
    fn storages_are_named_by_file_or_folder() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        assert_eq!(path.parse::<Location>().unwrap(), Location::Config(path.to_owned()));
        // One that data is copied to need not be there yet.
        assert_eq!("/srv/new".parse::<Location>().unwrap(), Location::Folder("/srv/new".to_owned()));
    }

    #[test]
    fn what_is_neither_is_refused_with_a_reason() {
        assert!(read("app:1").contains("write https://HOST/REPOSITORY"), "{}", read("app:1"));
        assert!(read("oci:folder/x").contains("is no host"), "{}", read("oci:folder/x"));
        assert!(read("s3://bucket").contains("s3:// is not known"), "{}", read("s3://bucket"));
        let refused = read("https://ann:geheim@hub.example.com/app");
        assert!(refused.contains("password") && !refused.contains("geheim"), "{refused}");
    }
}
