//! Three servers on one storage.

use crate::connection::{Answer, Connection};
use crate::dice::Dice;
use anyhow::{Result, ensure};
use berth_tests::registry_process::{RegistryProcess, free_port, program};
use berth_tests::registry_server::{PASSWORD, USER};
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const SERVERS: usize = 3;

/// The servers, which end when it is dropped.
pub(crate) struct Site {
    servers: Vec<(u16, RegistryProcess)>,
    _folder: TempDir,
}

impl Site {
    /// Starts servers whose configuration has `storage` in the section of that name.
    pub(crate) fn start(storage: &str) -> Result<Self> {
        let folder = TempDir::new()?;
        let made = Command::new(program()?).args(["htpasswd", "-Bbn", "-C", "4", USER, PASSWORD]).output()?;
        ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        fs::write(folder.path().join("htpasswd"), made.stdout)?;
        let servers = (0..SERVERS).map(|number| start(folder.path(), number, storage));
        Ok(Self { servers: servers.collect::<Result<_>>()?, _folder: folder })
    }

    /// Connections to all servers.
    pub(crate) fn connect(&self) -> Result<Connections> {
        let connections = self.servers.iter().map(|(port, _)| Connection::open(*port));
        Ok(Connections(connections.collect::<Result<_>>()?))
    }

    /// The end of what each server has logged.
    pub(crate) fn logs(&self) -> String {
        let ends = self.servers.iter().map(|(port, process)| {
            let log = process.log();
            let lines: Vec<_> = log.lines().filter(|line| !line.contains("level=info")).collect();
            format!("-- {port}\n{}", lines[lines.len().saturating_sub(20)..].join("\n"))
        });
        ends.collect::<Vec<_>>().join("\n")
    }
}

fn start(folder: &Path, number: usize, storage: &str) -> Result<(u16, RegistryProcess)> {
    let port = free_port()?;
    let config = folder.join(format!("{number}.yml"));
    let text = format!(
        "version: 0.1\nlog: {{accesslog: {{disabled: true}}}}\n\
         storage:\n  {storage}\n  delete: {{enabled: true}}\n\
         trash: {{window: 0s}}\n\
         http: {{addr: '127.0.0.1:{port}'}}\n\
         auth: {{htpasswd: {{realm: Berth, path: {}}}}}\n",
        folder.join("htpasswd").display()
    );
    fs::write(&config, text)?;
    let mut serve = Command::new(program()?);
    serve.env_clear().arg("serve").arg(config);
    let process = RegistryProcess::start(&mut serve, &folder.join(format!("{number}.log")))?;
    process.wait_for(|| {
        let mut ready = Command::new("curl");
        ready.args(["--silent", "--fail", &format!("http://127.0.0.1:{port}/readyz")]);
        ready
    })?;
    Ok((port, process))
}

/// A connection to each server.
pub(crate) struct Connections(Vec<Connection>);

impl Connections {
    /// Sends a request to any of the servers.
    pub(crate) fn ask(&mut self, dice: &mut Dice, method: &str, path: &str) -> Result<Answer> {
        self.send(dice, method, path, "application/octet-stream", b"")
    }

    /// Sends a request with a body to any of the servers.
    pub(crate) fn send(
        &mut self,
        dice: &mut Dice,
        method: &str,
        path: &str,
        kind: &str,
        body: &[u8],
    ) -> Result<Answer> {
        let index = dice.index(self.0.len());
        let answer = self.0[index].send(method, path, kind, body)?;
        ensure!(answer.status < 500, "{method} {path}: {} {}", answer.status, answer.text());
        Ok(answer)
    }
}
