//! The cluster that the steps run on: one of ours, or the one that the user names by `KUBECONFIG`.

use crate::cluster::{Cluster, Kubectl};
use crate::command::succeed;
use crate::image::products::Written;
use crate::programs;
use anyhow::Result;
use std::fmt;
use std::fs;
use std::process::Command;

/// Where the steps run.
#[derive(Debug)]
pub enum Target {
    /// A cluster of ours, whose node takes images from files.
    Own(Cluster),
    /// The user's cluster, whose nodes pull images from a repository that the user names.
    Foreign {
        /// `kubectl` with the user's rights.
        kubectl: Kubectl,
        /// For example `ghcr.io/someone`: this program pushes there, and the nodes pull from there.
        repository: String,
    },
}

impl Target {
    /// `kubectl` for this cluster.
    pub fn kubectl(&self) -> &Kubectl {
        match self {
            Self::Own(cluster) => cluster.kubectl(),
            Self::Foreign { kubectl, .. } => kubectl,
        }
    }

    /// Brings an image to where the nodes find it.
    pub fn deliver(&self, image: &Written) -> Result<Delivered> {
        let (name, _) = image.name.rsplit_once(':').unwrap_or((&image.name, ""));
        let tag = image.digest.trim_start_matches("sha256:").chars().take(12).collect();
        match self {
            Self::Own(cluster) => load_once(cluster, image, Delivered { repository: name.to_owned(), tag }),
            Self::Foreign { repository, .. } => {
                push(image, Delivered { repository: name.replacen("localhost", repository, 1), tag })
            }
        }
    }
}

/// An image as the nodes know it. The tag follows the content, so that a node never runs an older image by that name.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// The name without the tag.
    pub repository: String,
    /// The tag.
    pub tag: String,
}

impl fmt::Display for Delivered {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.repository, self.tag)
    }
}

/// The state folder remembers what the node has, so that a second run loads nothing.
fn load_once(cluster: &Cluster, image: &Written, delivered: Delivered) -> Result<Delivered> {
    let loaded = cluster.state().path("loaded").join(delivered.to_string().replace('/', "_"));
    if !loaded.exists() {
        cluster.load_image(&image.docker_archive)?;
        cluster.tag_image(&image.name, &delivered.to_string())?;
        fs::create_dir_all(cluster.state().path("loaded"))?;
        fs::write(loaded, &image.digest)?;
    }
    Ok(delivered)
}

fn push(image: &Written, delivered: Delivered) -> Result<Delivered> {
    let source = format!("docker-archive:{}", image.docker_archive.display());
    let mut skopeo = Command::new(programs::packaged("skopeo")?);
    succeed(skopeo.args(["copy", "--quiet", &source, &format!("docker://{delivered}")]))?;
    Ok(delivered)
}
