//! What every client's test begins with: a running registry and an image to push.

use anyhow::Result;
use berth_tests::image::{Image, Recipe};
use berth_tests::registry_server::{PASSWORD, RegistryServer, USER};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The credentials as most clients take them.
pub(crate) fn credentials() -> String {
    format!("{USER}:{PASSWORD}")
}

/// A registry, an image in both forms, and a folder for the client's own files.
pub(crate) struct Fixture {
    pub(crate) server: RegistryServer,
    pub(crate) image: Image,
    folder: TempDir,
}

impl Fixture {
    pub(crate) fn new() -> Result<Self> {
        Self::over(RegistryServer::start()?)
    }

    /// With a registry that is configured in another way.
    pub(crate) fn over(server: RegistryServer) -> Result<Self> {
        let folder = TempDir::new()?;
        let image =
            Image::pack(&Recipe::new().text("hello", "hello from the image").starts(&["/hello"], &[]))?;
        image.write_oci_layout(&folder.path().join("layout"), "1")?;
        image.write_docker_archive(&folder.path().join("image.tar"), "localhost/app:1")?;
        Ok(Self { server, image, folder })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `oci:FOLDER:1`, as skopeo and its relatives name the packed image.
    pub(crate) fn layout(&self) -> String {
        format!("oci:{}:1", self.path("layout").display())
    }

    pub(crate) fn archive(&self) -> PathBuf {
        self.path("image.tar")
    }

    /// A reference in the registry, `localhost:PORT/NAME`.
    pub(crate) fn reference(&self, name: &str) -> String {
        format!("{}/{name}", self.server.host())
    }
}

/// `--NAME=VALUE` for a path.
pub(crate) fn option(name: &str, value: &Path) -> String {
    format!("--{name}={}", value.display())
}
