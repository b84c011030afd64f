//! Pushes that are interrupted by the end of the server's process.

use anyhow::{Context, Result, ensure};
use berth_tests::cluster::wait;
use berth_tests::command::succeed;
use berth_tests::image::{Image, Recipe};
use berth_tests::programs::packaged;
use berth_tests::registry_server::{PASSWORD, RegistryServer, USER};
use sha2::{Digest, Sha256};
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
            ensure!(count() >= enough, "{} of {enough}; the log says:\n{}", count(), server.log());
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
fn an_upload_that_was_cut_off_goes_on_where_it_stopped() -> Result<()> {
    let server = RegistryServer::start()?;
    let folder = TempDir::new()?;
    let blob: Vec<u8> = (0..32_u32 << 20).map(|index| (index % 251) as u8).collect();
    let upload = start_upload(&server)?;
    let mut cut_off = send(&server, "PATCH", &folder.path().join("whole"), &blob)?
        .args(["--limit-rate", "4M", &upload])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    wait::until("bytes of the upload to arrive", Duration::from_secs(30), || {
        ensure!(bytes_of_uploads(&server)? > 1 << 20, "nothing has arrived");
        Ok(())
    })?;
    server.kill()?;
    cut_off.wait()?;
    server.resume()?;
    let arrived = size_of_upload(&server, &upload)?;
    ensure!(arrived < blob.len(), "the upload was not cut off");
    finish(&server, &upload, &folder.path().join("rest"), &blob[arrived..], &digest(&blob))?;
    pull_blob(&server, &blob)
}

#[test]
fn an_upload_that_was_cut_off_succeeds_when_it_is_begun_again() -> Result<()> {
    let server = RegistryServer::start()?;
    let folder = TempDir::new()?;
    let blob = vec![7_u8; 1 << 20];
    succeed(send(&server, "PATCH", &folder.path().join("part"), &blob[..1000])?.arg(start_upload(&server)?))?;
    server.kill()?;
    server.resume()?;
    finish(&server, &start_upload(&server)?, &folder.path().join("whole"), &blob, &digest(&blob))?;
    pull_blob(&server, &blob)
}

/// `curl` with credentials, which sends the bytes; they are written to `file` for it.
fn send(server: &RegistryServer, method: &str, file: &Path, bytes: &[u8]) -> Result<Command> {
    std::fs::write(file, bytes)?;
    let mut curl = curl(server);
    curl.args(["--fail", "--request", method, "--upload-file"]).arg(file);
    Ok(curl)
}

fn curl(server: &RegistryServer) -> Command {
    let mut curl = server.curl();
    curl.args(["--user", &format!("{USER}:{PASSWORD}")]);
    curl
}

/// Sends what is left of the upload, and ends it.
fn finish(server: &RegistryServer, upload: &str, file: &Path, rest: &[u8], digest: &str) -> Result<()> {
    succeed(send(server, "PUT", file, rest)?.arg(format!("{upload}?digest={digest}"))).map(drop)
}

fn pull_blob(server: &RegistryServer, expected: &[u8]) -> Result<()> {
    let folder = TempDir::new()?;
    let pulled = folder.path().join("blob");
    let url = server.url(&format!("/v2/app/blobs/{}", digest(expected)));
    succeed(curl(server).args(["--fail", "--output"]).arg(&pulled).arg(url))?;
    ensure!(std::fs::read(&pulled)? == expected, "the blob comes back as it was sent");
    Ok(())
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::from("sha256:"), |text, byte| text + &format!("{byte:02x}"))
}

/// How many bytes the server says that the upload has, from `Range: 0-LAST`.
fn size_of_upload(server: &RegistryServer, upload: &str) -> Result<usize> {
    let answer = succeed(curl(server).args(["--fail", "--include", upload]))?;
    let range = header(&answer, "range").and_then(|range| range.split_once('-'));
    let (_, last) = range.with_context(|| format!("there is no Range in:\n{answer}"))?;
    Ok(last.parse::<usize>()? + 1)
}

fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let mut headers = answer.lines().filter_map(|line| line.split_once(": "));
    headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// The address of a new upload.
fn start_upload(server: &RegistryServer) -> Result<String> {
    let new = server.url("/v2/app/blobs/uploads/");
    let answer = succeed(curl(server).args(["--fail", "--include", "--request", "POST", &new]))?;
    let location =
        header(&answer, "location").with_context(|| format!("there is no Location in:\n{answer}"))?;
    Ok(location.to_owned())
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
