//! A registry over plain HTTP, with its images in a folder of its own.

use anyhow::{Context, Result};
use berth_tests::command::succeed;
use berth_tests::http::{Answer, ask};
use berth_tests::registry_process::{RegistryProcess, free_port, program};
use berth_tests::storage::Storage;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// A running registry.
pub(crate) struct Server {
    folder: TempDir,
    port: u16,
    process: Option<RegistryProcess>,
    program: PathBuf,
    /// `USER:PASSWORD`, where one is needed.
    user: Option<String>,
}

impl Server {
    /// Ours, with these sections of the configuration.
    pub(crate) fn start(more: &str) -> Result<Self> {
        Self::start_program(program()?, more)
    }

    /// Ours, with its images in this storage.
    pub(crate) fn start_in(storage: &Storage, more: &str) -> Result<Self> {
        Self::start_as(program()?, Some(storage), more)
    }

    /// Another program with the same configuration.
    pub(crate) fn start_program(program: PathBuf, more: &str) -> Result<Self> {
        Self::start_as(program, None, more)
    }

    fn start_as(program: PathBuf, storage: Option<&Storage>, more: &str) -> Result<Self> {
        let (folder, port) = (TempDir::new()?, free_port()?);
        let own = format!("filesystem: {{rootdirectory: {}}}", folder.path().join("data").display());
        let storage = storage.map_or(own.as_str(), Storage::line);
        let text = format!(
            "version: 0.1\nstorage:\n  {storage}\n  delete: {{enabled: true}}\n\
             http: {{addr: '127.0.0.1:{port}'}}\n{more}"
        );
        fs::write(folder.path().join("config.yml"), text)?;
        let mut server = Self { folder, port, process: None, program, user: None };
        server.resume()?;
        Ok(server)
    }

    /// Starts it again on the same data and port.
    pub(crate) fn resume(&mut self) -> Result<()> {
        let mut serve = Command::new(&self.program);
        serve.env_clear().arg("serve").arg(self.folder.path().join("config.yml"));
        let process = RegistryProcess::start(&mut serve, &self.path("log"))?;
        process.wait_for(|| {
            let mut curl = Command::new("curl");
            curl.args(["--silent", &self.url("/v2/")]);
            curl
        })?;
        self.process = Some(process);
        Ok(())
    }

    /// Switches it off.
    pub(crate) fn stop(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), RegistryProcess::stop)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// `localhost:PORT`, which clients take for a registry without TLS.
    pub(crate) fn host(&self) -> String {
        format!("localhost:{}", self.port)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host())
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// How many requests the log tells of whose line begins so, such as `GET /v2/app/blobs/`.
    pub(crate) fn requests(&self, beginning: &str) -> usize {
        self.log().lines().filter(|line| line.contains(&format!("\"{beginning}"))).count()
    }

    /// Shows these credentials from now on.
    pub(crate) fn with_user(&mut self, user: &str) -> &Self {
        self.user = Some(user.to_owned());
        self
    }

    /// Asks with curl's `arguments`.
    pub(crate) fn ask(&self, arguments: &[&str], path: &str) -> Result<Answer> {
        let user = self.user.iter().flat_map(|user| ["--user", user]);
        ask(Command::new("curl").args(user).args(arguments).arg(self.url(path)))
    }

    /// Pushes a blob, and returns its digest.
    pub(crate) fn push_blob(&self, name: &str, content: &[u8]) -> Result<String> {
        let digest = digest(content);
        let file = self.path("body");
        fs::write(&file, content)?;
        let begun = self.ask(&["--request", "POST"], &format!("/v2/{name}/blobs/uploads/"))?.expect(202)?;
        let location = begun.header("location").context("there is no Location")?;
        let path =
            location.split_once("//").and_then(|(_, rest)| rest.split_once('/')).map_or(location, |it| it.1);
        let joint = if path.contains('?') { '&' } else { '?' };
        let path = format!("/{}{joint}digest={digest}", path.trim_start_matches('/'));
        let file = file.display().to_string();
        let octets = "Content-Type: application/octet-stream";
        self.ask(&["--header", octets, "--upload-file", &file], &path)?.expect(201)?;
        Ok(digest)
    }

    /// Pushes an image of one layer under a tag, and returns the digest of its manifest.
    pub(crate) fn push_image(&self, name: &str, tag: &str, layer: &[u8]) -> Result<String> {
        let config = br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#;
        let manifest = manifest(
            &self.push_blob(name, config)?,
            config.len(),
            &self.push_blob(name, layer)?,
            layer.len(),
        );
        self.push_manifest(name, tag, &manifest)
    }

    /// Pushes the manifest of an image under a tag, and returns its digest.
    pub(crate) fn push_manifest(&self, name: &str, tag: &str, manifest: &str) -> Result<String> {
        let file = self.path("manifest");
        fs::write(&file, manifest)?;
        let body = format!("@{}", file.display());
        let arguments =
            ["--request", "PUT", "--header", &format!("Content-Type: {IMAGE}"), "--data-binary", &body];
        self.ask(&arguments, &format!("/v2/{name}/manifests/{tag}"))?.expect(201)?;
        Ok(digest(manifest.as_bytes()))
    }

    /// Deletes everything that no manifest leads to, however young it is; nobody may use the storage meanwhile.
    pub(crate) fn collect_all_garbage(&self) -> Result<()> {
        let mut collect = Command::new(&self.program);
        collect.env_clear().args(["garbage-collect", "--offline", "--min-age", "0s"]);
        succeed(collect.arg(self.path("config.yml"))).map(drop)
    }

    /// The most memory that the process has taken so far, in bytes, without its program, which is large in a debug build.
    pub(crate) fn peak_memory(&self) -> Result<u64> {
        let id = self.process.as_ref().context("it does not run")?.id();
        let status = fs::read_to_string(format!("/proc/{id}/status"))?;
        let of = |name: &str| -> Result<u64> {
            let value = status.lines().find_map(|line| line.strip_prefix(name));
            let value = value.with_context(|| format!("there is no {name}"))?;
            Ok(value.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
        };
        Ok(of("VmHWM:")?.saturating_sub(of("RssFile:")?))
    }
}

/// The media type of an image.
pub(crate) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

/// An image of one layer.
pub(crate) fn manifest(config: &str, config_size: usize, layer: &str, layer_size: usize) -> String {
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{IMAGE}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{config}","size":{config_size}}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{layer}","size":{layer_size}}}]}}"#
    )
}

/// The digest of content.
pub(crate) fn digest(content: &[u8]) -> String {
    let hash = Sha256::digest(content);
    hash.iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

/// Content that nothing compresses or guesses.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    let mut content = vec![0; length];
    random.fill(&mut content);
    content
}

/// A mirror of `remote` under the prefix `hub`.
pub(crate) fn mirror_of(remote: &str, more: &str) -> String {
    format!("mirrors:\n- {{upstream: hub.example.com, prefix: hub, remoteurl: '{remote}', ttl: 0s{more}}}\n")
}
