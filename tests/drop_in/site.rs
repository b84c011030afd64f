//! One folder of data and one configuration file, which both registries take.

use anyhow::Result;
use berth_tests::command::succeed;
use berth_tests::http::{Answer, ask};
use berth_tests::programs::packaged;
use berth_tests::registry_process::{RegistryProcess, free_port, program};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Which registry is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Registry {
    /// Debian's.
    Original,
    /// Ours.
    Berth,
}

impl Registry {
    fn program(self) -> Result<PathBuf> {
        match self {
            Self::Original => packaged("docker-registry"),
            Self::Berth => program(),
        }
    }
}

/// What the two registries share.
pub(crate) struct Site {
    folder: TempDir,
    port: u16,
}

impl Site {
    pub(crate) fn new() -> Result<Self> {
        let site = Self { folder: TempDir::new()?, port: free_port()? };
        fs::write(site.config(), configuration(&site.data(), site.port))?;
        Ok(site)
    }

    /// The root of the storage.
    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// A file or folder of the test's own.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn config(&self) -> PathBuf {
        self.path("config.yml")
    }

    /// Starts one of the registries; the other one has been stopped.
    pub(crate) fn serve(&self, registry: Registry) -> Result<Running> {
        let mut serve = Command::new(registry.program()?);
        serve.env_clear().arg("serve").arg(self.config());
        let process = RegistryProcess::start(&mut serve, &self.path("log"))?;
        let running = Running { process, port: self.port };
        running.process.wait_for(|| {
            let mut curl = Command::new("curl");
            curl.args(["--silent", "--fail", &running.url("/v2/")]);
            curl
        })?;
        Ok(running)
    }

    /// Runs the `garbage-collect` of one of the registries, while none is serving.
    ///
    /// Ours spares by default what is young; the original does not know of ages.
    pub(crate) fn collect_garbage(&self, registry: Registry, arguments: &[&str]) -> Result<String> {
        let mut collect = Command::new(registry.program()?);
        collect.env_clear().arg("garbage-collect").args(arguments).arg(self.config());
        if registry == Registry::Berth {
            collect.arg("--min-age=0s");
        }
        succeed(&mut collect)
    }
}

/// A registry that serves the folder until it is stopped or dropped.
pub(crate) struct Running {
    process: RegistryProcess,
    port: u16,
}

impl Running {
    /// `localhost:PORT`, which clients take for a registry without TLS.
    pub(crate) fn host(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// A reference in the registry.
    pub(crate) fn reference(&self, name: &str) -> String {
        format!("{}/{name}", self.host())
    }

    /// The address of a path such as `/v2/`; what is an address already stays as it is.
    pub(crate) fn url(&self, path: &str) -> String {
        if path.starts_with('/') { format!("http://{}{path}", self.host()) } else { path.to_owned() }
    }

    /// Sends a request with curl's `arguments`.
    pub(crate) fn ask(&self, arguments: &[&str], path: &str) -> Result<Answer> {
        // Dots in a path are sent as they are; so they are the registry's to judge.
        ask(Command::new("curl").arg("--path-as-is").args(arguments).arg(self.url(path)))
    }

    /// Sends a request whose body is `body`; `file` holds it for curl.
    pub(crate) fn send(&self, method: &str, path: &str, body: &[u8], file: &Path) -> Result<Answer> {
        fs::write(file, body)?;
        let data = format!("@{}", file.display());
        let content_type = "Content-Type: application/octet-stream";
        self.ask(&["--request", method, "--header", content_type, "--data-binary", &data], path)
    }

    pub(crate) fn stop(self) -> Result<()> {
        self.process.stop()
    }
}

fn configuration(data: &Path, port: u16) -> String {
    format!(
        "version: 0.1\n\
         log: {{level: info, fields: {{service: registry}}}}\n\
         storage:\n  cache: {{blobdescriptor: inmemory}}\n  \
         filesystem: {{rootdirectory: {}}}\n  delete: {{enabled: true}}\n\
         http:\n  addr: 127.0.0.1:{port}\n  secret: shared by both\n  \
         headers: {{X-Content-Type-Options: [nosniff]}}\n\
         health: {{storagedriver: {{enabled: true, interval: 10s, threshold: 3}}}}\n",
        data.display()
    )
}
