//! `registry ls`: the repositories, the tags of one, or the parts of an image.

use std::{io, process::ExitCode};

use berth_oci::{Descriptor, Digest, Reference, RepositoryName};
use berth_registry::repository::{Contents, Page, Registry, Role, TagSummary};
use serde::Serialize;
use serde_json::json;

use super::{
    image_name::ImageName,
    output::{human_size, print_json, print_table},
    storage::StorageArguments,
};

#[derive(Debug, clap::Args)]
#[command(override_usage = "registry ls [OPTIONS] [REPOSITORY[:TAG]] [CONFIG]")]
pub(super) struct Arguments {
    /// Repository whose tags, or image whose parts are listed; without one, all repositories are
    #[arg(value_name = "REPOSITORY[:TAG]")]
    image: Option<String>,
    /// Print digests in full
    #[arg(long)]
    digests: bool,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    storage: StorageArguments,
}

pub(super) fn run(mut arguments: Arguments) -> anyhow::Result<ExitCode> {
    arguments.storage.claim(&mut arguments.image);
    let image = arguments.image.as_deref().map(str::parse::<ImageName>).transpose()?;
    arguments.storage.with_registry(async |registry| {
        match image {
            None => list_repositories(&registry, &arguments).await?,
            Some(ImageName { repository, reference: None }) => {
                list_tags(&registry, repository, &arguments).await?;
            }
            Some(ImageName { repository, reference: Some(reference) }) => {
                list_parts(&registry, repository, &reference, &arguments).await?;
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

#[derive(Serialize)]
struct RepositorySummary {
    name: RepositoryName,
    tags: usize,
}

async fn list_repositories(registry: &Registry, arguments: &Arguments) -> anyhow::Result<()> {
    let mut repositories = Vec::new();
    for name in registry.catalog(&Page::default(), |_| true).await?.items {
        let tags = registry.repository(name.clone()).tags().list(&Page::default()).await?.items.len();
        repositories.push(RepositorySummary { name, tags });
    }
    if arguments.json {
        return Ok(print_json(&json!({ "repositories": repositories }))?);
    }
    let rows = repositories.iter().map(|found| [found.tags.to_string(), found.name.to_string()]);
    Ok(print_table(1, &with_heading(["TAGS", "REPOSITORY"], rows))?)
}

async fn list_tags(registry: &Registry, name: RepositoryName, arguments: &Arguments) -> anyhow::Result<()> {
    let tags = registry.repository(name.clone()).tags().summaries(&Page::default()).await?.items;
    if arguments.json {
        return Ok(print_json(&json!({ "repository": name, "tags": tags }))?);
    }
    let rows = tags.iter().map(|tag| {
        let size = human_size(tag.size);
        [size, tag.updated.to_string(), arguments.shown(&tag.digest), kind(tag), tag.tag.to_string()]
    });
    Ok(print_table(1, &with_heading(["SIZE", "UPDATED", "DIGEST", "TYPE", "TAG"], rows))?)
}

async fn list_parts(
    registry: &Registry,
    name: RepositoryName,
    reference: &Reference,
    arguments: &Arguments,
) -> anyhow::Result<()> {
    let contents = registry.repository(name.clone()).manifests().contents(reference).await?;
    if arguments.json {
        let manifest = &contents.manifest;
        return Ok(print_json(&json!({
            "repository": name,
            "digest": manifest.digest,
            "mediaType": manifest.media_type,
            "size": contents.size(),
            "parts": contents.parts,
        }))?);
    }
    print_parts(&contents, arguments)?;
    Ok(())
}

fn print_parts(contents: &Contents, arguments: &Arguments) -> io::Result<()> {
    let Contents { manifest, parts } = contents;
    let row = |size: u64, digest: &Digest, role: &str, kind: String| {
        [human_size(size), arguments.shown(digest), role.to_owned(), kind]
    };
    let whole = row(contents.size(), &manifest.digest, "image", manifest.media_type.to_string());
    let parts = parts.iter().map(|part| {
        let role = match part.role {
            Role::Manifest => "manifest",
            Role::Config => "config",
            Role::Layer => "layer",
        };
        row(part.descriptor.size, &part.descriptor.digest, role, described(&part.descriptor))
    });
    print_table(1, &with_heading(["SIZE", "DIGEST", "PART", "TYPE"], std::iter::once(whole).chain(parts)))
}

impl Arguments {
    /// As much of the digest as people need to tell it from others, or all of it.
    fn shown(&self, digest: &Digest) -> String {
        let mut hex = digest.hex();
        if self.digests {
            return digest.to_string();
        }
        hex.truncate(12);
        hex
    }
}

fn with_heading<const N: usize>(
    heading: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> Vec<[String; N]> {
    std::iter::once(heading.map(str::to_owned)).chain(rows).collect()
}

/// What a tag points at, in a word.
fn kind(tag: &TagSummary) -> String {
    let config = tag.artifact_type.as_deref();
    let is_image = config.is_none_or(|config| config.contains(".image.config.") || config == DOCKER_CONFIG);
    match &tag.media_type {
        index if index.is_index() && config.is_none() => "index".to_owned(),
        image if image.is_image() && is_image => "image".to_owned(),
        other => config.unwrap_or(other.as_str()).to_owned(),
    }
}

/// The type of the config of a Docker image.
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";

/// The type of a part, and what it runs on.
fn described(descriptor: &Descriptor) -> String {
    match &descriptor.platform {
        Some(platform) => {
            let variant = platform.variant.as_ref().map(|variant| format!("/{variant}")).unwrap_or_default();
            format!("{} for {}/{}{variant}", descriptor.media_type, platform.os, platform.architecture)
        }
        None => descriptor.media_type.to_string(),
    }
}
