//! A storage that is full or fails: pushes are refused in the words of the protocol, nothing that was acknowledged is
//! lost, and all goes on when the storage is well again.
//!
//! The storage is real: a volume of its own with ext4, in a file, mounted in a namespace of the registry's process alone. So
//! space runs out in the ways in which it does on a disk: at a write, at a flush, or when a folder grows.

use anyhow::{Context, Result, ensure};
use berth_tests::command::succeed;
use berth_tests::http::{Answer, ask};
use berth_tests::registry_process::{RegistryProcess, free_port, program};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const MIB: usize = 1 << 20;

/// The unit in which the volume gives space, in bytes.
const BLOCK: u64 = 1024;

/// How many of them become free one after the other.
const BLOCKS: usize = 60;

/// What the file system needs for itself: a journal, inodes, and what it keeps back for its own growth.
const OVERHEAD: usize = 2 * MIB;

/// Mounts the volume in the file `$4` at `$1`, and serves it.
const SMALL: &str = "mount -o loop \"$4\" \"$1\" && exec \"$2\" serve --root \"$1\" \"--addr=$3\"";

/// A registry on a file system of its own.
struct Confined {
    folder: TempDir,
    port: u16,
    server: RegistryProcess,
}

impl Confined {
    /// On four megabytes, of which none is kept free of pushes.
    fn start() -> Result<Self> {
        Self::start_on(4 * MIB, "0")
    }

    /// On a volume with that much space, of which so much is kept free.
    fn start_on(size: usize, reserve: &str) -> Result<Self> {
        let (folder, port) = (TempDir::new()?, free_port()?);
        fs::create_dir(folder.path().join("data"))?;
        let volume = folder.path().join("volume");
        make_volume(&volume, size)?;
        let mut command = Command::new("unshare");
        command
            .env("REGISTRY_SPACE_RESERVE", reserve)
            .args(["--mount", "sh", "-c", SMALL, "sh"])
            .arg(folder.path().join("data"))
            .arg(program()?)
            .arg(format!("127.0.0.1:{port}"))
            .arg(volume);
        let server = RegistryProcess::start(&mut command, &folder.path().join("log"))?;
        let confined = Self { folder, port, server };
        confined.server.wait_for(|| curl(&["--fail", &confined.url("/readyz")]))?;
        Ok(confined)
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Sends these bytes.
    fn send(&self, method: &str, path: &str, media_type: &str, body: &[u8]) -> Result<Answer> {
        let file = self.folder.path().join("body");
        fs::write(&file, body)?;
        let (body, content_type) = (format!("@{}", file.display()), format!("Content-Type: {media_type}"));
        ask(&mut curl(&[
            "--request",
            method,
            "--data-binary",
            &body,
            "--header",
            &content_type,
            &self.url(path),
        ]))
    }

    fn push(&self, blob: &[u8]) -> Result<Answer> {
        let path = format!("/v2/app/blobs/uploads/?digest={}", digest(blob));
        self.send("POST", &path, "application/octet-stream", blob)
    }

    fn push_index(&self, tag: &str) -> Result<Answer> {
        let media_type = "application/vnd.oci.image.index.v1+json";
        let index = json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": [], "annotations": { "tag": tag } });
        self.send("PUT", &format!("/v2/app/manifests/{tag}"), media_type, index.to_string().as_bytes())
    }

    fn get(&self, path: &str) -> Result<Answer> {
        ask(&mut curl(&[&self.url(path)]))
    }

    /// Sees that a blob is served as it was pushed.
    fn pull(&self, blob: &[u8]) -> Result<()> {
        let pulled = self.get(&format!("/v2/app/blobs/{}", digest(blob)))?.expect(200)?;
        ensure!(pulled.body == blob, "the blob comes back as it was sent");
        Ok(())
    }

    /// The folder of the data, as the registry sees it.
    fn data(&self) -> PathBuf {
        let inside = self.folder.path().join("data");
        Path::new("/proc")
            .join(self.server.id().to_string())
            .join("root")
            .join(&inside.to_string_lossy()[1..])
    }

    /// Takes all space that is left. What the file system has set aside for blocks that it has not placed yet is free again
    /// when it has placed them.
    fn fill(&self) -> Result<PathBuf> {
        let path = self.data().join("filler");
        let mut filler = File::create(&path)?;
        while filler.write(&[0; 1024]).is_ok() {
            while filler.write(&[0; 1024]).is_ok() {}
            filler.sync_all()?;
        }
        Ok(path)
    }

    /// Runs `mount` where the registry is.
    fn remount(&self, options: &str) -> Result<()> {
        let process = self.server.id().to_string();
        let mut mount = Command::new("nsenter");
        mount
            .args(["--target", &process, "--mount", "mount", "-o", options])
            .arg(self.folder.path().join("data"));
        succeed(&mut mount).map(drop)
    }
}

/// A file system with that much space, in small blocks, with a journal, and without a reserve for the administrator, who the
/// registry of the test is.
fn make_volume(file: &Path, size: usize) -> Result<()> {
    File::create(file)?.set_len((size + OVERHEAD) as u64)?;
    let mut make = Command::new("mkfs.ext4");
    make.args(["-q", "-m", "0", "-b", "1024", "-J", "size=1", "-N", "512"]).arg(file);
    succeed(&mut make).map(drop)
}

fn curl(arguments: &[&str]) -> Command {
    let mut curl = Command::new("curl");
    curl.args(arguments);
    curl
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::from("sha256:"), |text, byte| text + &format!("{byte:02x}"))
}

fn blob(number: u8, length: usize) -> Vec<u8> {
    vec![number; length]
}

/// Sees that a push was refused because the storage is full, in the protocol's words.
fn assert_full(answer: Answer) -> Result<()> {
    let answer = answer.expect(507)?;
    ensure!(answer.json()?["errors"][0]["code"] == "UNAVAILABLE", "{}", answer.text());
    ensure!(answer.text().contains("no space is left"), "{}", answer.text());
    Ok(())
}

#[test]
fn a_full_storage_refuses_pushes_and_takes_them_when_there_is_space_again() -> Result<()> {
    let registry = Confined::start()?;
    let (kept, refused) = (blob(1, MIB / 2), blob(2, MIB / 2));
    registry.push(&kept)?.expect(201)?;
    registry.push_index("kept")?.expect(201)?;
    let upload = registry.send("POST", "/v2/app/blobs/uploads/", "", &[])?.expect(202)?;
    let upload = upload.header("location").context("no Location")?.to_owned();
    let upload = upload.strip_prefix(&registry.url("")).unwrap_or(&upload).to_owned();

    let filler = registry.fill()?;
    assert_full(registry.push(&refused)?)?;
    assert_full(registry.send("PATCH", &upload, "", &refused)?)?;
    assert_full(registry.push_index("refused")?)?;
    assert_full(registry.send("POST", "/v2/app/blobs/uploads/", "", &[])?)?;
    registry.pull(&kept)?;
    registry.get("/v2/app/manifests/kept")?.expect(200)?;
    registry.get("/v2/app/manifests/refused")?.expect(404)?;
    registry.get(&format!("/v2/app/blobs/{}", digest(&refused)))?.expect(404)?;

    fs::remove_file(filler)?;
    let path = format!("{upload}?digest={}", digest(&refused));
    registry.send("PUT", &path, "", &refused)?.expect(201)?;
    registry.push_index("refused")?.expect(201)?;
    registry.pull(&refused)?;
    registry.pull(&kept)
}

/// Lets the blocks run out at the content, at a link, at a folder, at a tag: whoever is refused tries again with a block more.
#[test]
fn at_whichever_block_the_space_runs_out_a_push_is_done_or_refused_and_nothing_in_between() -> Result<()> {
    let registry = Confined::start()?;
    let filler = File::options().write(true).open(registry.fill()?)?;
    let (mut taken, mut tags) = (Vec::new(), Vec::new());
    for _ in 0..BLOCKS {
        filler.set_len(filler.metadata()?.len() - BLOCK)?;
        let blob = blob(u8::try_from(taken.len())?, 3000);
        match registry.push(&blob)? {
            pushed if pushed.status == 201 => taken.push(blob),
            refused => assert_full(refused)?,
        }
    }
    for _ in 0..BLOCKS {
        filler.set_len(filler.metadata()?.len() - BLOCK)?;
        let tag = format!("at-{}", tags.len());
        match registry.push_index(&tag)? {
            pushed if pushed.status == 201 => tags.push(tag),
            refused => assert_full(refused)?,
        }
    }
    ensure!((1..BLOCKS).contains(&taken.len()), "{} of {BLOCKS} blobs were taken", taken.len());
    ensure!((1..BLOCKS).contains(&tags.len()), "{} of {BLOCKS} tags were taken", tags.len());
    taken.iter().try_for_each(|blob| registry.pull(blob))?;
    let listed = registry.get("/v2/app/tags/list")?.expect(200)?.json()?;
    ensure!(listed["tags"] == json!(tags), "{listed} is not {tags:?}");
    tags.iter().try_for_each(|tag| registry.get(&format!("/v2/app/manifests/{tag}"))?.expect(200).map(drop))
}

#[test]
fn a_blob_that_does_not_fit_leaves_the_space_to_others() -> Result<()> {
    let registry = Confined::start()?;
    assert_full(registry.push(&blob(1, 8 * MIB))?)?;
    for number in 2..4 {
        registry.push(&blob(number, MIB))?.expect(201)?;
        registry.pull(&blob(number, MIB))?;
    }
    Ok(())
}

/// Sees that a push was refused because what is left of the storage is kept free.
fn assert_kept_free(answer: Answer) -> Result<()> {
    let answer = answer.expect(403)?;
    ensure!(answer.json()?["errors"][0]["code"] == "DENIED", "{}", answer.text());
    ensure!(answer.text().contains("nearly full"), "{}", answer.text());
    Ok(())
}

#[test]
fn pushes_are_refused_before_the_storage_is_full_and_pulls_go_on() -> Result<()> {
    let registry = Confined::start_on(8 * MIB, "4MiB")?;
    registry.push(&blob(1, 2 * MIB))?.expect(201)?;
    registry.push(&blob(2, 3 * MIB))?.expect(201)?;
    assert_kept_free(registry.push(&blob(3, 1))?)?;
    assert_kept_free(registry.push_index("refused")?)?;
    registry.pull(&blob(1, 2 * MIB))?;
    let ready = registry.get("/readyz")?.expect(200)?;
    ensure!(ready.text().contains("pushes are refused"), "{}", ready.text());
    fs::remove_file(registry.data().join("docker/registry/v2").join(blob_path(&blob(2, 3 * MIB))))?;
    registry.push_index("taken")?.expect(201)?;
    ensure!(registry.get("/readyz")?.expect(200)?.text() == "ok\n", "there is room again");
    Ok(())
}

#[test]
fn an_upload_that_would_fill_the_storage_is_cut_off_and_leaves_its_space_to_others() -> Result<()> {
    let registry = Confined::start_on(64 * MIB, "24MiB")?;
    let upload = registry.send("POST", "/v2/app/blobs/uploads/", "", &[])?.expect(202)?;
    let upload = upload.header("location").context("no Location")?.to_owned();
    let upload = upload.strip_prefix(&registry.url("")).unwrap_or(&upload).to_owned();
    assert_kept_free(registry.send("PATCH", &upload, "", &blob(1, 62 * MIB))?)?;
    registry.push(&blob(2, 30 * MIB))?.expect(201)?;
    registry.pull(&blob(2, 30 * MIB))
}

/// Where a blob lies below the root of the layout.
fn blob_path(blob: &[u8]) -> String {
    let digest = digest(blob);
    let hex = digest.trim_start_matches("sha256:");
    format!("blobs/sha256/{}/{hex}/data", &hex[..2])
}

#[test]
fn a_storage_that_became_read_only_is_served_and_takes_pushes_when_it_is_well_again() -> Result<()> {
    let registry = Confined::start()?;
    registry.push(&blob(1, MIB))?.expect(201)?;
    registry.remount("remount,ro")?;
    for refused in [registry.push(&blob(2, MIB))?, registry.push_index("refused")?] {
        let refused = refused.expect(500)?;
        ensure!(refused.json()?["errors"][0]["code"] == "UNKNOWN", "{}", refused.text());
        ensure!(!refused.text().contains("/data"), "no internals are told: {}", refused.text());
    }
    registry.pull(&blob(1, MIB))?;
    registry.remount("remount,rw")?;
    registry.push(&blob(2, MIB))?.expect(201)?;
    registry.pull(&blob(2, MIB))
}
