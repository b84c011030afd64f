//! The servers that are measured: which they are, and how each is started on the same files.

mod certificate;
mod nginx;
mod registry;
mod running;

pub(crate) use certificate::{Certificate, htpasswd};
pub(crate) use registry::configuration;
pub(crate) use running::{BUCKET_ROOT, Running};

use berth_tests::programs::{built, packaged};
use std::path::{Path, PathBuf};

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    /// This repository's.
    Berth,
    /// Debian's `docker-registry`, version 2.
    Original,
    /// Version 3 of the same.
    Distribution,
    /// nginx with sendfile.
    Nginx,
    /// The S3 server that registries keep their images in, asked directly.
    Bucket,
}

/// The registries.
pub(crate) const REGISTRIES: [Server; 3] = [Server::Berth, Server::Original, Server::Distribution];

/// The registries and what they are held against.
pub(crate) const ALL: [Server; 4] = [Server::Nginx, Server::Berth, Server::Original, Server::Distribution];

impl Server {
    /// Its name in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Berth => "berth",
            Self::Original => "docker-registry",
            Self::Distribution => "distribution",
            Self::Nginx => "nginx",
            Self::Bucket => "raw S3",
        }
    }

    fn program(self, berth: &Path) -> anyhow::Result<PathBuf> {
        match self {
            Self::Berth => Ok(berth.to_owned()),
            Self::Original => packaged("docker-registry"),
            Self::Distribution => built("distribution"),
            Self::Nginx => packaged("nginx"),
            Self::Bucket => built("minio"),
        }
    }
}

/// What a server is to serve, and to whom.
#[derive(Debug, Clone)]
pub(crate) struct Setup<'a> {
    /// Our program.
    pub(crate) berth: &'a Path,
    /// An existing folder for configurations and logs.
    pub(crate) folder: &'a Path,
    /// The root of the storage.
    pub(crate) data: &'a Path,
    /// The line of the storage in the configuration, if it is not that folder.
    pub(crate) bucket: Option<String>,
    /// Only to those who know the password.
    pub(crate) has_users: bool,
    /// Over TLS.
    pub(crate) certificate: Option<&'a Certificate>,
}

/// Something that can be asked for: where registries have it, and which file of the storage it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// The path of the API.
    pub(crate) api: String,
    /// The path of the file below the storage.
    pub(crate) file: String,
}
