//! Pushes that are interrupted by the end of the server's process.

use anyhow::Result;
use berth_tests::cluster::wait;
use berth_tests::command::succeed;
use berth_tests::image::{Image, Recipe};
use berth_tests::programs::packaged;
use berth_tests::registry_server::{PASSWORD, RegistryServer, USER};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

const ROUNDS: usize = 5;
const PUSHERS: usize = 4;
/// The process ends when this many more images have been acknowledged, while others are on their way.
const IMAGES_A_ROUND: usize = 6;

fn image(number: usize) -> Result<Image> {
    let lines = (0..20_000).map(|line| format!("{number} {line} {}", line * 7919 % 104_729));
    let content = lines.collect::<Vec<_>>().join("\n");
    Image::pack(&Recipe::new().text("content", &content))
}

fn skopeo() -> Result<Command> {
    let mut command = Command::new(packaged("skopeo")?);
    command.args(["--insecure-policy", "copy", "--retry-times=0"]);
    Ok(command)
}

fn push(server: &RegistryServer, layout: &Path, name: &str) -> Result<Command> {
    let mut command = skopeo()?;
    command
        .arg("--dest-cert-dir")
        .arg(server.certificates())
        .args(["--dest-creds", &format!("{USER}:{PASSWORD}")])
        .arg(format!("oci:{}:1", layout.display()))
        .arg(format!("docker://{}/{name}", server.host()));
    Ok(command)
}

/// Pulls the image; skopeo verifies every digest as it does.
fn pull(server: &RegistryServer, name: &str) -> Result<()> {
    let folder = TempDir::new()?;
    succeed(
        skopeo()?
            .arg("--src-cert-dir")
            .arg(server.certificates())
            .args(["--src-creds", &format!("{USER}:{PASSWORD}")])
            .arg(format!("docker://{}/{name}", server.host()))
            .arg(format!("dir:{}", folder.path().display())),
    )?;
    Ok(())
}

#[test]
fn every_acknowledged_image_is_there_after_each_kill() -> Result<()> {
    let server = RegistryServer::start()?;
    let acknowledged = Mutex::new(Vec::new());
    let next = AtomicUsize::new(0);
    for round in 1..=ROUNDS {
        push_and_kill(&server, &next, &acknowledged, round * IMAGES_A_ROUND)?;
        server.resume()?;
        for name in acknowledged.lock().expect("no pusher panicked").iter() {
            pull(&server, name)?;
        }
    }
    Ok(())
}

/// Pushes from several threads, and kills the server at the moment when `enough` images have been acknowledged in all:
/// the pushes that are under way then are cut off.
fn push_and_kill(
    server: &RegistryServer,
    next: &AtomicUsize,
    acknowledged: &Mutex<Vec<String>>,
    enough: usize,
) -> Result<()> {
    let stopped = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..PUSHERS {
            scope.spawn(|| push_images(server, next, acknowledged, &stopped));
        }
        let count = || acknowledged.lock().map_or(0, |names| names.len());
        let result = wait::until("the pushes to be acknowledged", Duration::from_mins(2), || {
            anyhow::ensure!(count() >= enough, "{} of {enough}; the log says:\n{}", count(), server.log());
            Ok(())
        });
        stopped.store(true, Ordering::Relaxed);
        server.kill()?;
        result
    })
}

fn push_images(
    server: &RegistryServer,
    next: &AtomicUsize,
    acknowledged: &Mutex<Vec<String>>,
    stopped: &AtomicBool,
) {
    while !stopped.load(Ordering::Relaxed) {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let name = format!("app-{}:{number}", number % 3);
        if push_one(server, number, &name).is_ok()
            && let Ok(mut names) = acknowledged.lock()
        {
            names.push(name);
        }
    }
}

fn push_one(server: &RegistryServer, number: usize, name: &str) -> Result<()> {
    let folder = TempDir::new()?;
    image(number)?.write_oci_layout(folder.path(), "1")?;
    succeed(&mut push(server, folder.path(), name)?)?;
    Ok(())
}

#[test]
fn a_push_that_was_cut_off_succeeds_when_it_is_tried_again() -> Result<()> {
    let server = RegistryServer::start()?;
    let folder = TempDir::new()?;
    let blob = folder.path().join("blob");
    std::fs::write(&blob, vec![7_u8; 32 << 20])?;
    let mut upload = server
        .curl()
        .args([
            "--user",
            &format!("{USER}:{PASSWORD}"),
            "--limit-rate",
            "4M",
            "--request",
            "PATCH",
            "--upload-file",
        ])
        .arg(&blob)
        .arg(start_upload(&server)?)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    wait::until("bytes of the upload to arrive", Duration::from_secs(30), || {
        anyhow::ensure!(bytes_of_uploads(&server)? > 1 << 20, "nothing has arrived");
        Ok(())
    })?;
    server.kill()?;
    upload.wait()?;
    server.resume()?;
    image(0)?.write_oci_layout(&folder.path().join("layout"), "1")?;
    succeed(&mut push(&server, &folder.path().join("layout"), "app:1")?)?;
    pull(&server, "app:1")?;
    succeed(
        server
            .curl()
            .args(["--fail", "--user", &format!("{USER}:{PASSWORD}"), "--request", "PATCH", "--upload-file"])
            .arg(&blob)
            .arg(start_upload(&server)?),
    )?;
    Ok(())
}

/// The address of a new upload.
fn start_upload(server: &RegistryServer) -> Result<String> {
    let answer = succeed(
        server
            .curl()
            .args(["--head", "--request", "POST", "--user", &format!("{USER}:{PASSWORD}")])
            .arg(server.url("/v2/app/blobs/uploads/")),
    )?;
    let location =
        answer.lines().find_map(|line| line.strip_prefix("location: ").or(line.strip_prefix("Location: ")));
    let location = location.ok_or_else(|| anyhow::anyhow!("there is no Location in:\n{answer}"))?.trim();
    Ok(if location.starts_with('/') { server.url(location) } else { location.to_owned() })
}

/// What the uploads in progress take on disk, in bytes.
fn bytes_of_uploads(server: &RegistryServer) -> Result<u64> {
    let uploads = server.data().join("docker/registry/v2/repositories/app/_uploads");
    let mut bytes = 0;
    for upload in std::fs::read_dir(uploads)? {
        bytes += std::fs::metadata(upload?.path().join("data"))?.len();
    }
    Ok(bytes)
}
