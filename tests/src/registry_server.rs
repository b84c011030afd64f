//! The registry's own program as a process: configured by a file, reached over loopback, killed and started again.

use crate::registry_process::{RegistryProcess, free_port, program};
use crate::storage::Storage;
use anyhow::{Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use tempfile::TempDir;

/// The user that may do everything.
pub const USER: &str = "alice";
/// Her password.
pub const PASSWORD: &str = "correct horse";

/// How a server differs from the usual one.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// There are no users: everybody may do everything.
    pub is_open: bool,
    /// Where it keeps its images; a folder of its own unless it is said.
    pub storage: Option<Storage>,
    /// More sections of the configuration file.
    pub more: String,
}

/// A running registry with TLS and, unless it is open, one user. Its data is gone when it is dropped.
#[derive(Debug)]
pub struct RegistryServer {
    folder: TempDir,
    port: u16,
    setup: Setup,
    process: Mutex<Option<RegistryProcess>>,
}

impl RegistryServer {
    /// Builds the program when it is not up to date, and starts it on a free port of the loopback device.
    pub fn start() -> Result<Self> {
        Self::start_with("")
    }

    /// The same with more sections of the configuration file.
    pub fn start_with(more: &str) -> Result<Self> {
        Self::start_as(&Setup { more: more.to_owned(), ..Setup::default() })
    }

    /// The same with what differs from the usual.
    pub fn start_as(setup: &Setup) -> Result<Self> {
        let folder = TempDir::new()?;
        let port = free_port()?;
        write_certificate(folder.path())?;
        fs::write(folder.path().join("htpasswd"), htpasswd()?)?;
        fs::write(folder.path().join("config.yml"), configuration(folder.path(), port, setup))?;
        let server = Self { folder, port, setup: setup.clone(), process: Mutex::default() };
        server.resume()?;
        Ok(server)
    }

    /// The name to use in image references, `localhost:PORT`.
    pub fn host(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// Whether everybody may do everything.
    pub fn is_open(&self) -> bool {
        self.setup.is_open
    }

    /// A folder with `ca.crt`, as clients want it.
    pub fn certificates(&self) -> PathBuf {
        self.folder.path().join("trust")
    }

    /// The certificate to trust.
    pub fn ca_file(&self) -> PathBuf {
        self.certificates().join("ca.crt")
    }

    /// The root of its storage, unless that is another one.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The file of its users.
    pub fn password_file(&self) -> PathBuf {
        self.folder.path().join("htpasswd")
    }

    /// Its configuration file.
    pub fn config_file(&self) -> PathBuf {
        self.folder.path().join("config.yml")
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// Ends the process as a power cut would: no signal handler runs.
    pub fn kill(&self) -> Result<()> {
        let running = self.process.lock().map_or(None, |mut process| process.take());
        running.map_or(Ok(()), RegistryProcess::kill)
    }

    /// Starts it again on the same data and port.
    pub fn resume(&self) -> Result<()> {
        let mut serve = Command::new(program()?);
        serve.env_clear().arg("serve").arg(self.config_file());
        let process = RegistryProcess::start(&mut serve, &self.log_file())?;
        process.wait_for(|| {
            let mut ready = self.curl();
            ready.args(["--fail", &self.url("/readyz")]);
            ready
        })?;
        if let Ok(mut running) = self.process.lock() {
            *running = Some(process);
        }
        Ok(())
    }

    /// `curl` that trusts this server; its arguments follow.
    pub fn curl(&self) -> Command {
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--cacert"]).arg(self.ca_file());
        command
    }

    /// The address of a path such as `/v2/`.
    pub fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.host())
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

fn configuration(folder: &Path, port: u16, setup: &Setup) -> String {
    let folder = folder.display();
    let users = format!("auth:\n  htpasswd: {{realm: Berth, path: {folder}/htpasswd}}\n");
    let users = if setup.is_open { "" } else { &users };
    let own = format!("filesystem: {{rootdirectory: {folder}/data}}");
    let storage = setup.storage.as_ref().map_or(own.as_str(), Storage::line);
    let more = &setup.more;
    format!(
        "version: 0.1\n\
         storage:\n  {storage}\n  delete: {{enabled: true}}\n\
         http:\n  addr: 127.0.0.1:{port}\n  tls: {{certificate: {folder}/trust/ca.crt, key: {folder}/tls.key}}\n\
         {users}{more}"
    )
}

/// A certificate that is its own authority, for `localhost`.
fn write_certificate(folder: &Path) -> Result<()> {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    fs::create_dir(folder.join("trust"))?;
    fs::write(folder.join("trust/ca.crt"), certified.cert.pem())?;
    fs::write(folder.join("tls.key"), certified.signing_key.serialize_pem())?;
    Ok(())
}

/// The user's line, made by the registry's own `htpasswd`.
pub(crate) fn htpasswd() -> Result<Vec<u8>> {
    let output = Command::new(program()?).args(["htpasswd", "-Bbn", USER, PASSWORD]).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout)
}
