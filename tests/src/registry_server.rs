//! The registry's own program as a process: configured by a file, reached over loopback, killed and started again.

use crate::cluster::wait;
use crate::workspace::{self, Profile};
use anyhow::{Context, Error, Result, ensure};
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;
use tempfile::TempDir;

/// The user that may do everything.
pub const USER: &str = "alice";
/// Her password.
pub const PASSWORD: &str = "correct horse";

/// A running registry with TLS and one user. Its data is gone when it is dropped.
#[derive(Debug)]
pub struct RegistryServer {
    folder: TempDir,
    port: u16,
    program: PathBuf,
    child: Mutex<Option<Child>>,
}

impl RegistryServer {
    /// Builds the program when it is not up to date, and starts it on a free port of the loopback device.
    pub fn start() -> Result<Self> {
        let folder = TempDir::new()?;
        let port = free_port()?;
        write_certificate(folder.path())?;
        fs::write(folder.path().join("htpasswd"), htpasswd()?)?;
        fs::write(folder.path().join("config.yml"), configuration(folder.path(), port))?;
        let server = Self { folder, port, program: program()?, child: Mutex::default() };
        server.resume()?;
        Ok(server)
    }

    /// The name to use in image references, `localhost:PORT`.
    pub fn host(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// A folder with `ca.crt`, as clients want it.
    pub fn certificates(&self) -> PathBuf {
        self.folder.path().join("trust")
    }

    /// The certificate to trust.
    pub fn ca_file(&self) -> PathBuf {
        self.certificates().join("ca.crt")
    }

    /// The root of its storage.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The file of its users.
    pub fn password_file(&self) -> PathBuf {
        self.folder.path().join("htpasswd")
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// Ends the process as a power cut would: no signal handler runs.
    pub fn kill(&self) -> Result<()> {
        if let Some(mut child) = self.child.lock().map_or(None, |mut child| child.take()) {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Starts it again on the same data and port.
    pub fn resume(&self) -> Result<()> {
        let log = File::options().create(true).append(true).open(self.log_file())?;
        let child = Command::new(&self.program)
            .arg("serve")
            .arg(self.folder.path().join("config.yml"))
            .env_clear()
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        if let Ok(mut running) = self.child.lock() {
            *running = Some(child);
        }
        wait::until("the registry to answer", Duration::from_secs(30), || self.answers())
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

    fn answers(&self) -> Result<()> {
        let status = self.curl().args(["--fail", &self.url("/readyz")]).stdout(Stdio::null()).status()?;
        ensure!(status.success(), "/readyz does not answer; the log says:\n{}", self.log());
        Ok(())
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

impl Drop for RegistryServer {
    fn drop(&mut self) {
        // Nothing is left to tell about a process that has ended already.
        let _ended = self.kill();
    }
}

fn configuration(folder: &Path, port: u16) -> String {
    let folder = folder.display();
    format!(
        "version: 0.1\n\
         storage:\n  filesystem: {{rootdirectory: {folder}/data}}\n  delete: {{enabled: true}}\n\
         http:\n  addr: 127.0.0.1:{port}\n  tls: {{certificate: {folder}/trust/ca.crt, key: {folder}/tls.key}}\n\
         auth:\n  htpasswd: {{realm: Berth, path: {folder}/htpasswd}}\n"
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
fn htpasswd() -> Result<Vec<u8>> {
    let output = Command::new(program()?).args(["htpasswd", "-Bbn", USER, PASSWORD]).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout)
}

/// The registry's program, built as cargo builds tests; once for all the tests of a process.
fn program() -> Result<PathBuf> {
    static BUILT: LazyLock<Result<PathBuf, String>> = LazyLock::new(build);
    BUILT.clone().map_err(Error::msg)
}

fn build() -> Result<PathBuf, String> {
    let folder = workspace::build(&["berth-registry"], Profile::Development);
    folder.map(|folder| folder.join("registry")).map_err(|error| format!("{error:#}"))
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
