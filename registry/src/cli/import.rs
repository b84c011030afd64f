//! `registry import`: takes images of an archive in.

use std::{io, path::Path, process::ExitCode};

use berth_oci::{RepositoryName, Tag};
use berth_registry::archive::{self, Archive, ImportOptions, Imported};
use serde_json::json;

use super::{
    output::{human_size, print, print_json},
    progress,
    storage::StorageArguments,
};

#[derive(Debug, clap::Args)]
#[command(
    override_usage = "registry import [OPTIONS] FILE|- [CONFIG]",
    after_help = "\
        FILE is what docker save, podman save, skopeo, crane, buildah or registry export writes: an OCI image \
        layout or an archive of Docker, as a tar, compressed with gzip or zstd or not, or as a folder (OCI layout \
        only); - is standard input. A compressed archive, and one from standard input, is first kept in a \
        temporary file: in the folder that TMPDIR names, or else in the folder of the storage.\n\n\
        Images keep the names that the archive gives them, without the host: docker.io/library/app:1 and \
        localhost/app:1 become app:1. Indexes keep all their platforms, and signatures and other referrers come \
        along. Digests stay as they are; an archive of Docker that has no manifests gets such with uncompressed \
        layers, so that the same archive has the same digests everywhere.\n\n\
        The rules of a push hold, so a server may run meanwhile. Tags are set at the very end: an archive that \
        is damaged, cut off or incomplete changes none.\n\n\
        Exit codes: 0 all images were taken in, 1 not all."
)]
pub(super) struct Arguments {
    /// Archive to read
    #[arg(value_name = "FILE|-")]
    file: String,
    /// Repository for all images, whatever the archive says
    #[arg(long, value_name = "NAME")]
    repository: Option<RepositoryName>,
    /// Tag for the image, if the archive holds only one
    #[arg(long)]
    tag: Option<Tag>,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    storage: StorageArguments,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let options = ImportOptions { repository: arguments.repository.clone(), tag: arguments.tag.clone() };
    arguments.storage.with_registry_to_push_to(async |registry, temporary| {
        let archive = match arguments.file.as_str() {
            "-" => Archive::read(io::stdin(), &temporary)?,
            file => Archive::open(Path::new(file), &temporary)?,
        };
        let progress = progress::of_bytes(|bytes| format!("{} taken in", human_size(bytes)));
        let images = archive::import(&registry, &archive, &options, progress).await?;
        if arguments.json {
            print_json(&json!({ "images": images }))?;
        } else {
            print_images(&images)?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn print_images(images: &[Imported]) -> io::Result<()> {
    print(|output| {
        images.iter().try_for_each(|image| {
            let tag = image.tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
            writeln!(output, "{}{tag}@{}", image.repository, image.digest)
        })
    })
}
