//! `registry export`: writes images to an archive.

use std::{
    fs::{File, OpenOptions, Permissions},
    io::{self, IsTerminal, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, ensure};
use berth_oci::{Platform, Reference};
use berth_registry::{
    archive::{self, Archive, Base, Format, Plan, Wanted},
    repository::{Page, Registry},
};
use tempfile::NamedTempFile;
use tokio::{runtime::Handle, task};

use super::{image_name::ImageName, output::human_size, progress, storage::StorageArguments};

#[derive(Debug, clap::Args)]
#[command(
    override_usage = "registry export [OPTIONS] REPOSITORY[:TAG|@DIGEST]... [CONFIG]",
    after_help = "\
        A repository without a tag means all its tags.\n\n\
        --format oci writes an OCI image layout as a tar, for registry import, skopeo (oci-archive:), and \
        podman load if it is one image; indexes with all platforms that the registry has, and signatures \
        and other referrers, come along.\n\
        --format docker writes what docker load and podman load take, with the same OCI image layout inside: of \
        an index, the image for one platform. Both keep digests, and layers as they are; the same images always \
        give the same bytes.\n\n\
        --since ARCHIVE writes what has come since that archive was exported: all manifests, and only blobs that it lacks. \
        Sites take such archives in one after the other; registry import says when an earlier one is missing.\n\n\
        All content is verified while it is written. A FILE appears when it is whole; on standard output, only \
        the exit code tells whether the archive is. A garbage collection meanwhile spares the blobs \
        of what is exported for as long as its quarantine takes; a manifest without a tag it does not, where it runs with -m.\n\n\
        Exit codes: 0 the archive is whole, 1 it is not."
)]
pub(super) struct Arguments {
    /// Images to write
    #[arg(value_name = "REPOSITORY[:TAG|@DIGEST]", required = true)]
    images: Vec<String>,
    /// Format of the archive
    #[arg(long, value_enum, default_value = "oci")]
    format: ArchiveFormat,
    /// Platform of the images of indexes, as os/architecture[/variant]; that of this machine by default
    #[arg(long, value_parser = platform)]
    platform: Option<Platform>,
    /// Earlier archive of registry export: leave out the blobs that it has, or that it left out itself
    #[arg(long, value_name = "ARCHIVE", conflicts_with = "format")]
    since: Option<PathBuf>,
    /// File to write; - is standard output
    #[arg(short, long, value_name = "FILE|-", default_value = "-")]
    output: PathBuf,
    /// Folder of the registry (storage.filesystem.rootdirectory)
    #[arg(long, value_name = "DIR")]
    root: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ArchiveFormat {
    Oci,
    Docker,
}

pub(super) fn run(mut arguments: Arguments) -> anyhow::Result<ExitCode> {
    let config = arguments.images.pop_if(|last| Path::new(last).is_file());
    ensure!(!arguments.images.is_empty(), "name the images to export, before the configuration file");
    let names = arguments.images.iter().map(|image| image.parse::<ImageName>());
    let names = names.collect::<anyhow::Result<Vec<_>>>()?;
    let is_docker = arguments.format == ArchiveFormat::Docker;
    ensure!(is_docker || arguments.platform.is_none(), "--platform goes with --format docker");
    let format =
        if is_docker { Format::Docker(arguments.platform.unwrap_or_else(this_machine)) } else { Format::Oci };
    let base = arguments.since.as_deref().map(base).transpose()?;
    StorageArguments::new(config, arguments.root).with_registry(async |registry| {
        let mut wanted = Vec::new();
        for name in names {
            wanted.extend(all_of(&registry, name).await?);
        }
        let plan = match base {
            Some(base) => archive::plan_since(&wanted, base).await?,
            None => archive::plan(&wanted, &format).await?,
        };
        let runtime = Handle::current();
        task::spawn_blocking(move || write(&plan, &arguments.output, &runtime)).await??;
        Ok(ExitCode::SUCCESS)
    })
}

/// What the site has that has taken in the earlier archive.
fn base(path: &Path) -> anyhow::Result<Base> {
    let base = Archive::open(path, &std::env::temp_dir()).and_then(|archive| Base::read(&archive));
    base.with_context(|| format!("cannot go on from {}", path.display()))
}

/// The image, or all tags of a repository.
async fn all_of(registry: &Registry, name: ImageName) -> anyhow::Result<Vec<Wanted>> {
    let repository = registry.repository(name.repository.clone());
    if let Some(reference) = name.reference {
        return Ok(vec![Wanted { repository, reference }]);
    }
    let tags = repository.tags().list(&Page::default()).await?.items;
    ensure!(!tags.is_empty(), "the repository {} has no tags: name an image by its digest", name.repository);
    let wanted = |tag| Wanted { repository: repository.clone(), reference: Reference::Tag(tag) };
    Ok(tags.into_iter().map(wanted).collect())
}

fn write(plan: &Plan, output: &Path, runtime: &Handle) -> anyhow::Result<()> {
    let size = human_size(plan.size());
    let progress = progress::of_bytes(move |bytes| format!("{} of {size} written", human_size(bytes)));
    let write = |output: &mut dyn Write| archive::write(plan, output, runtime, &progress);
    if output == Path::new("-") {
        let output = io::stdout();
        ensure!(!output.is_terminal(), "an archive is nothing for a terminal: name a file with -o");
        return Ok(write(&mut output.lock())?);
    }
    if output.exists() && !output.is_file() {
        // A device or a pipe is written to, and not replaced.
        return Ok(write(
            &mut OpenOptions::new().write(true).open(output).with_context(unwritable(output))?,
        )?);
    }
    let mut whole = beside(output).with_context(unwritable(output))?;
    write(whole.as_file_mut())?;
    whole.as_file().sync_all().with_context(unwritable(output))?;
    whole.persist(output).with_context(unwritable(output))?;
    Ok(())
}

/// A file in the same folder, which goes unless it takes the place of `output`.
fn beside(output: &Path) -> io::Result<NamedTempFile<File>> {
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty());
    // As wide as the umask allows, like any other file that a command writes.
    let permissions = Permissions::from_mode(0o666);
    tempfile::Builder::new().permissions(permissions).tempfile_in(folder.unwrap_or(Path::new(".")))
}

fn unwritable(output: &Path) -> impl Fn() -> String {
    let output = output.display().to_string();
    move || format!("cannot write {output}")
}

fn platform(text: &str) -> Result<Platform, String> {
    let parts: Vec<_> = text.split('/').collect();
    let (os, architecture, variant) = match parts[..] {
        [os, architecture] => (os, architecture, None),
        [os, architecture, variant] => (os, architecture, Some(variant.to_owned())),
        _ => return Err("write os/architecture, such as linux/arm64".to_owned()),
    };
    Ok(Platform {
        os: os.to_owned(),
        architecture: architecture.to_owned(),
        variant,
        os_version: None,
        os_features: None,
    })
}

/// Linux on the processor of this machine, in Go's words.
fn this_machine() -> Platform {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" => "ppc64le",
        other => other,
    };
    Platform {
        os: "linux".to_owned(),
        architecture: architecture.to_owned(),
        variant: None,
        os_version: None,
        os_features: None,
    }
}
