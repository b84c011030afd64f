//! The registry's image, run as a container: the entry points, paths and volume that users of `registry:2` know.

use anyhow::{Context, Error, Result, ensure};
use berth_tests::cluster::wait;
use berth_tests::command::succeed;
use berth_tests::image::products::{self, Written};
use berth_tests::programs::packaged;
use berth_tests::workspace;
use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;
use tempfile::TempDir;

const IMAGE: &str = "localhost/berth-registry:dev";
const LIMIT: usize = 20 << 20;

/// Both images, built once for all tests.
fn images() -> Result<&'static [Written]> {
    static BUILT: LazyLock<Result<Vec<Written>, String>> = LazyLock::new(|| {
        products::build(&workspace::target_folder().join("images"), "dev")
            .map_err(|error| format!("{error:#}"))
    });
    BUILT.as_deref().map_err(|error| Error::msg(error.clone()))
}

/// podman with a storage of its own, into which the image has been loaded.
struct Podman {
    folder: TempDir,
}

impl Podman {
    fn with_the_image() -> Result<Self> {
        let podman = Self { folder: TempDir::new()? };
        let image =
            images()?.iter().find(|image| image.name == IMAGE).context("the registry's image was built")?;
        succeed(podman.command("load")?.arg("--input").arg(&image.docker_archive))?;
        Ok(podman)
    }

    fn command(&self, verb: &str) -> Result<Command> {
        let mut command = Command::new(packaged("podman")?);
        let folder = |name: &str| format!("--{name}={}", self.folder.path().join(name).display());
        command.args([folder("root"), folder("runroot")]);
        command.args([
            "--storage-driver=vfs",
            "--events-backend=none",
            "--cgroup-manager=cgroupfs",
            "--runtime=runc",
            verb,
        ]);
        Ok(command)
    }

    /// A container with the machine's network and a read-only root; limits that any machine grants.
    fn run(&self) -> Result<Command> {
        let mut command = self.command("run")?;
        command.args([
            "--rm",
            "--network=host",
            "--read-only",
            "--ulimit=nofile=1024:1024",
            "--ulimit=nproc=1000:1000",
        ]);
        Ok(command)
    }
}

#[test]
fn both_images_are_small() -> Result<()> {
    for image in images()? {
        let size = image.compressed_size;
        assert!(size < LIMIT, "{} takes {size} bytes compressed, more than {LIMIT}", image.name);
    }
    Ok(())
}

#[test]
fn htpasswd_writes_a_line_for_the_password_file() -> Result<()> {
    let podman = Podman::with_the_image()?;
    let line = succeed(podman.run()?.args(["--entrypoint=htpasswd", IMAGE, "-Bbn", "fooUser", "fooPass"]))?;
    assert!(line.starts_with("fooUser:$2y$"), "{line}");
    Ok(())
}

#[test]
fn the_known_forms_of_arguments_work() -> Result<()> {
    let podman = Podman::with_the_image()?;
    let config = "/etc/docker/registry/config.yml";
    let version = succeed(podman.run()?.args([IMAGE, "--version"]))?;
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
    succeed(podman.run()?.args([IMAGE, "garbage-collect", "--dry-run", config]))?;
    succeed(podman.run()?.args([IMAGE, "garbage-collect", "--dry-run"]))?;
    succeed(podman.run()?.args([IMAGE, "garbage-collect", "--dry-run", "/etc/distribution/config.yml"]))?;
    succeed(podman.run()?.args([IMAGE, "garbage-collect", "--delete-untagged=true", config]))?;
    succeed(podman.run()?.args([IMAGE, "config", "check", config]))?;
    Ok(())
}

#[test]
fn a_container_serves_writes_to_its_volume_and_stops_when_asked() -> Result<()> {
    let podman = Podman::with_the_image()?;
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let name = format!("registry-{port}");
    let address = format!("REGISTRY_HTTP_ADDR=127.0.0.1:{port}");
    let volume = format!("{}:/var/lib/registry", data(podman.folder.path())?);
    succeed(
        podman.run()?.args(["--detach", "--name", &name, "--env", &address, "--volume", &volume, IMAGE]),
    )?;
    let base = format!("http://127.0.0.1:{port}");
    wait::until("the container to answer", Duration::from_secs(30), || {
        succeed(Command::new("curl").args(["--silent", "--fail", &format!("{base}/v2/")]))
    })?;
    let started = succeed(Command::new("curl").args([
        "--silent",
        "--include",
        "--request",
        "POST",
        &format!("{base}/v2/app/blobs/uploads/"),
    ]))?;
    ensure!(started.contains(" 202"), "{started}");
    succeed(podman.command("exec")?.args([
        &name,
        "bin/registry",
        "garbage-collect",
        "--dry-run",
        "/etc/docker/registry/config.yml",
    ]))?;
    succeed(podman.command("stop")?.args(["--time=20", &name]))?;
    Ok(())
}

#[test]
fn an_archive_is_taken_in_from_standard_input_where_only_the_volume_can_be_written_to() -> Result<()> {
    let podman = Podman::with_the_image()?;
    let archive = images()?.iter().find(|image| image.name == IMAGE).map(|image| &image.docker_archive);
    let archive = File::open(archive.context("the registry's image was built")?)?;
    let volume = format!("{}:/var/lib/registry", data(podman.folder.path())?);
    let mut import = podman.run()?;
    import.args(["--interactive", "--read-only-tmpfs=false", "--volume", &volume, IMAGE, "import", "-"]);
    let imported = succeed(import.stdin(archive))?;
    assert!(imported.starts_with("berth-registry:dev@sha256:"), "{imported}");
    Ok(())
}

/// A folder that belongs to the image's user, as a volume that a container engine makes would.
fn data(folder: &Path) -> Result<String> {
    let data = folder.join("data");
    std::fs::create_dir(&data)?;
    std::os::unix::fs::chown(&data, Some(65532), Some(65532))?;
    Ok(data.display().to_string())
}
