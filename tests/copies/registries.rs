//! The registries between which images go, and the command that brings them.

use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use berth_tests::command::succeed;
use berth_tests::http::{Answer, ask};
use berth_tests::programs::packaged;
use berth_tests::registry_process::{RegistryProcess, free_port, program};
use berth_tests::registry_server::{PASSWORD, USER};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Debian's `docker-registry`, which asks for a password.
pub(crate) struct Original {
    folder: TempDir,
    port: u16,
    _process: RegistryProcess,
}

impl Original {
    pub(crate) fn start() -> Result<Self> {
        let (folder, port) = (TempDir::new()?, free_port()?);
        let users = succeed(Command::new(program()?).args(["htpasswd", "-Bbn", USER, PASSWORD]))?;
        fs::write(folder.path().join("htpasswd"), users)?;
        let at = folder.path().display();
        let config = format!(
            "version: 0.1\nstorage:\n  filesystem: {{rootdirectory: {at}/data}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n\
             auth: {{htpasswd: {{realm: original, path: {at}/htpasswd}}}}\n"
        );
        fs::write(folder.path().join("config.yml"), config)?;
        let mut serve = Command::new(packaged("docker-registry")?);
        serve.env_clear().arg("serve").arg(folder.path().join("config.yml"));
        let process = RegistryProcess::start(&mut serve, &folder.path().join("log"))?;
        process.wait_for(|| {
            let mut curl = Command::new("curl");
            let (user, url) = (format!("{USER}:{PASSWORD}"), format!("http://127.0.0.1:{port}/v2/"));
            curl.args(["--silent", "--fail", "--user", &user, &url]);
            curl
        })?;
        Ok(Self { folder, port, _process: process })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn ask(&self, path: &str) -> Result<Answer> {
        let accept = "Accept: application/vnd.oci.image.index.v1+json";
        let user = format!("{USER}:{PASSWORD}");
        ask(Command::new("curl").args(["--user", &user, "--header", accept, &self.url(path)]))
    }

    /// What `docker login` would have written.
    pub(crate) fn login(&self) -> Result<PathBuf> {
        let path = self.folder.path().join("auth.json");
        let auth = STANDARD.encode(format!("{USER}:{PASSWORD}"));
        let host = format!("127.0.0.1:{}", self.port);
        fs::write(&path, json!({"auths": {host: {"auth": auth}}}).to_string())?;
        Ok(path)
    }
}

/// A file with the user's password.
pub(crate) fn password_file(folder: &Path) -> Result<PathBuf> {
    let path = folder.join("password");
    fs::write(&path, format!("{PASSWORD}\n"))?;
    Ok(path)
}

/// The command with these arguments, not yet run.
pub(crate) fn command(arguments: &[&str]) -> Result<Command> {
    let mut copy = Command::new(program()?);
    copy.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).arg("copy").args(arguments);
    Ok(copy)
}

/// Runs the command, and returns its report.
pub(crate) fn copy(arguments: &[&str]) -> Result<Value> {
    let printed = succeed(command(arguments)?.arg("--json"))?;
    serde_json::from_str(&printed).with_context(|| printed.clone())
}

/// What is in the folder of a registry under a name.
pub(crate) fn list(root: &Path, image: &str) -> Result<Value> {
    let mut ls = Command::new(program()?);
    let printed = succeed(ls.args(["ls", "--json", "--root"]).arg(root).arg(image))?;
    Ok(serde_json::from_str(&printed)?)
}

pub(crate) fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path is no text")
}
