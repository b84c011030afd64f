//! The two images that Berth ships, packed from a release build.

use super::{Image, Recipe};
use crate::workspace::{self, Profile};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// The user and group that both programs run as.
const NONROOT: u64 = 65532;

/// What the registry's image reads when it is told nothing else.
const DEFAULT_CONFIG: &str = "/etc/distribution/config.yml";

/// Where a product's files went.
#[derive(Debug)]
pub struct Written {
    /// The image's local name, for example `localhost/berth-registry:dev`.
    pub name: String,
    /// The manifest's digest.
    pub digest: String,
    /// What a pull transfers, in bytes.
    pub compressed_size: usize,
    /// An OCI image layout, a folder.
    pub oci_layout: PathBuf,
    /// A tar for `docker load` and `ctr images import`.
    pub docker_archive: PathBuf,
}

/// Builds both programs for release and packs them into `folder`, as `localhost/berth-operator:TAG` and
/// `localhost/berth-registry:TAG`, in that order.
pub fn build(folder: &Path, tag: &str) -> Result<Vec<Written>> {
    let programs = workspace::build(&["berth-registry", "berth-operator"], Profile::Release)?;
    [("berth-operator", operator(&programs)), ("berth-registry", registry(&programs, &authorities()?))]
        .into_iter()
        .map(|(name, recipe)| write(&Image::pack(&recipe)?, folder, name, tag))
        .collect()
}

fn write(image: &Image, folder: &Path, name: &str, tag: &str) -> Result<Written> {
    let written = Written {
        name: format!("localhost/{name}:{tag}"),
        digest: image.digest(),
        compressed_size: image.compressed_size(),
        oci_layout: folder.join(name),
        docker_archive: folder.join(format!("{name}.tar")),
    };
    image.write_oci_layout(&written.oci_layout, tag)?;
    image.write_docker_archive(&written.docker_archive, &written.name)?;
    Ok(written)
}

/// The registry server, with the paths, port and volume that users of `registry:2` and `registry:3` know.
fn registry(programs: &Path, authorities: &str) -> Recipe {
    let config = workspace::root().join("registry/image/config.yml");
    base("registry", "The container registry server of Berth")
        // It asks other registries, and buckets, whose certificates public authorities have signed.
        .text("etc/ssl/certs/ca-certificates.crt", authorities)
        .program("bin/registry", programs.join("registry"))
        .symlink("bin/htpasswd", "registry")
        .file("etc/docker/registry/config.yml", &config)
        // The path of version 3: a file or a folder that is mounted at either place is what counts.
        .symlink("etc/distribution/config.yml", "/etc/docker/registry/config.yml")
        .env("REGISTRY_CONFIGURATION_PATH", DEFAULT_CONFIG)
        .volume("var/lib/registry", NONROOT)
        .port(5000)
        .starts(&["/bin/registry"], &[DEFAULT_CONFIG])
}

/// The authorities that Mozilla trusts, as Debian's `ca-certificates` has them. Whom else this machine trusts is its own business.
fn authorities() -> Result<String> {
    let folder = Path::new("/usr/share/ca-certificates/mozilla");
    let entries =
        fs::read_dir(folder).with_context(|| format!("install ca-certificates: no {}", folder.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.sort();
    files.iter().map(|file| Ok(fs::read_to_string(file)?)).collect()
}

fn operator(programs: &Path) -> Recipe {
    base("operator", "The Kubernetes operator of Berth")
        .program("bin/berth-operator", programs.join("berth-operator"))
        .port(8081)
        .starts(&["/bin/berth-operator"], &[])
}

fn base(component: &str, description: &str) -> Recipe {
    Recipe::new()
        .text("etc/passwd", "root:x:0:0:root:/:/sbin/nologin\nberth:x:65532:65532:Berth:/:/sbin/nologin\n")
        .text("etc/group", "root:x:0:\nberth:x:65532:\n")
        .user(NONROOT)
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .label("org.opencontainers.image.title", &format!("berth-{component}"))
        .label("org.opencontainers.image.description", description)
        .label("org.opencontainers.image.version", env!("CARGO_PKG_VERSION"))
}
