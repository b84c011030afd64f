//! A folder with images, and the program that works on it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use berth_oci::{Digest, MediaType};
use berth_registry::repository::{Error, Registry, Repository, Rules};
use berth_storage::Filesystem;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use sha2::Digest as _;
use tempfile::TempDir;

/// The config of the images.
pub(crate) const CONFIG: &str = r#"{"architecture":"amd64","os":"linux"}"#;

/// The folder of a registry, and beside it one for other files.
pub(crate) struct Fixture {
    folder: TempDir,
    runtime: tokio::runtime::Runtime,
    pub(crate) registry: Registry,
}

/// How a command ended and what it said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    pub(crate) fn lines(&self) -> Vec<&str> {
        self.stdout.lines().collect()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let code = output.status.code().unwrap();
        Self { code, stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        let store = Filesystem::new(folder.path().join("data"));
        let registry = Registry::new(std::sync::Arc::new(store), Rules::default());
        Self { folder, runtime: tokio::runtime::Runtime::new().unwrap(), registry }
    }

    /// The folder of the registry.
    pub(crate) fn root(&self) -> PathBuf {
        self.path("data")
    }

    /// A file beside it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn repository(&self, name: &str) -> Repository {
        self.registry.repository(name.parse().unwrap())
    }

    /// The program with a command on the folder, not yet run.
    pub(crate) fn command(&self, command: &str, arguments: &[&str]) -> Command {
        let mut program = program();
        program.arg(command).arg("--root").arg(self.root()).args(arguments);
        program
    }

    /// Runs a command on the folder.
    pub(crate) fn run(&self, command: &str, arguments: &[&str]) -> Said {
        self.command(command, arguments).output().unwrap().into()
    }

    /// Writes a configuration of the folder, and returns its path.
    pub(crate) fn config(&self) -> PathBuf {
        let path = self.path("config.yml");
        let root = self.root();
        let text = format!("version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n", root.display());
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn push_blob(&self, repository: &str, content: &[u8]) -> Digest {
        let (digest, repository) = (sha256(content), self.repository(repository));
        let push = || {
            let body = stream::iter([Ok(Bytes::copy_from_slice(content))]).boxed();
            self.runtime.block_on(repository.uploads().push_whole(&digest, body))
        };
        // A program that another test starts holds the locks of this process until it is loaded.
        let mut pushed = push();
        while matches!(pushed, Err(Error::UploadBusy)) {
            pushed = push();
        }
        pushed.unwrap();
        digest
    }

    pub(crate) fn push_manifest(&self, repository: &str, reference: &str, manifest: &Value) -> Digest {
        let (repository, bytes) = (self.repository(repository), manifest.to_string());
        let put = repository.manifests();
        self.runtime.block_on(put.put(&reference.parse().unwrap(), None, bytes.into())).unwrap().digest
    }

    /// Deletes a tag, which then rests in the trash.
    pub(crate) fn delete(&self, repository: &str, tag: &str) {
        let repository = self.with_deletion(repository);
        self.runtime.block_on(repository.manifests().delete(&tag.parse().unwrap())).unwrap();
    }

    pub(crate) fn delete_blob(&self, repository: &str, digest: &Digest) {
        self.runtime.block_on(self.with_deletion(repository).blobs().delete(digest)).unwrap();
    }

    fn with_deletion(&self, repository: &str) -> Repository {
        let rules = Rules { delete_enabled: true, trash_window: Duration::from_hours(1), ..Rules::default() };
        let registry = Registry::new(std::sync::Arc::new(Filesystem::new(self.root())), rules);
        registry.repository(repository.parse().unwrap())
    }

    /// Pushes an image of one layer, and returns its manifest.
    pub(crate) fn push_image(&self, repository: &str, tag: &str, layer: &str) -> Value {
        self.push_blob(repository, CONFIG.as_bytes());
        self.push_blob(repository, layer.as_bytes());
        let image = image(CONFIG, layer);
        self.push_manifest(repository, tag, &image);
        image
    }
}

pub(crate) fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_registry"));
    program.env_clear();
    program
}

pub(crate) fn sha256(content: impl AsRef<[u8]>) -> Digest {
    Digest::sha256(sha2::Sha256::digest(content).into())
}

pub(crate) fn descriptor(media_type: &str, content: &str) -> Value {
    json!({"mediaType": media_type, "digest": sha256(content), "size": content.len()})
}

pub(crate) fn image(config: &str, layer: &str) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_IMAGE,
        "config": descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
    })
}

/// The file in which the storage keeps this content.
pub(crate) fn data_file(root: &Path, digest: &Digest) -> PathBuf {
    let hex = digest.hex();
    root.join(format!("docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]))
}
