//! A registry, the S3 server of its images, and the faults between them.

use anyhow::{Context, Result, ensure};
use berth_tests::command::succeed;
use berth_tests::fault_proxy::FaultProxy;
use berth_tests::registry_process::{RegistryProcess, free_port, program};
use berth_tests::s3_server::{ACCESS_KEY, S3Server, SECRET_KEY};
use std::fs;
use std::io::{Write as _, stderr};
use std::process::Command;
use tempfile::TempDir;

/// What would tell a reader of the log how to sign a request.
const SECRETS: [&str; 4] = [SECRET_KEY, "X-Amz-Signature", "Signature=", ACCESS_KEY];

pub(crate) struct Site {
    pub(crate) proxy: FaultProxy,
    pub(crate) port: u16,
    registry: RegistryProcess,
    folder: TempDir,
    s3: S3Server,
}

impl Site {
    /// Starts all three; nothing goes wrong yet. The server is waited for no longer than it takes.
    pub(crate) fn start(seed: u64) -> Result<Self> {
        Self::start_with(seed, "2s")
    }

    /// The same with so much patience for the S3 server.
    pub(crate) fn start_with(seed: u64, timeout: &str) -> Result<Self> {
        let (s3, folder, port) = (S3Server::start()?, TempDir::new()?, free_port()?);
        let proxy = FaultProxy::start(&s3.address(), seed)?;
        let config = folder.path().join("config.yml");
        fs::write(&config, configuration(&proxy.url(), port, timeout))?;
        let mut serve = Command::new(program()?);
        serve.env_clear().arg("serve").arg(config);
        let registry = RegistryProcess::start(&mut serve, &folder.path().join("log"))?;
        registry.wait_for(|| {
            let mut ready = Command::new("curl");
            ready.args(["--silent", "--fail", &format!("http://127.0.0.1:{port}/readyz")]);
            ready
        })?;
        Ok(Self { proxy, port, registry, folder, s3 })
    }

    /// The most memory that the server has had at any time, in bytes.
    pub(crate) fn largest_memory(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.registry.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
        let kilobytes = line.trim().trim_end_matches("kB").trim().parse::<u64>()?;
        Ok(kilobytes << 10)
    }

    pub(crate) fn assert_log_holds_no_secret(&self) -> Result<()> {
        let log = self.registry.log();
        let leak = log.lines().find(|line| SECRETS.iter().any(|secret| line.contains(secret)));
        ensure!(leak.is_none(), "the log holds a secret: {leak:?}");
        Ok(())
    }

    /// The last lines of the log that tell of failures.
    pub(crate) fn end_of_log(&self) -> String {
        let log = self.registry.log();
        let lines: Vec<_> = log.lines().filter(|line| line.contains("level=error")).collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// Ends the server, and looks with its own means whether the storage is as it should be.
    pub(crate) fn stop_and_check(self) -> Result<()> {
        let config = self.folder.path().join("check.yml");
        fs::write(&config, configuration(&self.s3.url(), self.port, "30s"))?;
        self.registry.stop()?;
        let check = |arguments: &[&str]| {
            let mut check = Command::new(program()?);
            check.env_clear().args(["check", "--upload-age=0s"]).args(arguments).arg(&config);
            anyhow::Ok(check)
        };
        // What was left over is repaired; nothing else may be wrong.
        let repaired = succeed(&mut check(&["--repair"])?)?;
        let others: Vec<_> = repaired.lines().filter(|line| !is_leftover(line)).collect();
        ensure!(others.len() == 1, "more was wrong than uploads that were left over: {repaired}");
        writeln!(stderr(), "{}", others[0])?;
        succeed(&mut check(&[])?).map(drop)
    }
}

fn is_leftover(line: &str) -> bool {
    line.contains("was left unfinished")
}

/// Parts are as small as S3 allows, so that a few megabytes are several.
fn configuration(url: &str, port: u16, timeout: &str) -> String {
    let section = S3Server::section(url, "faults");
    let section = section.trim_end_matches('}');
    format!(
        "version: 0.1\nlog: {{level: debug}}\n\
         storage:\n  s3: {section}, chunksize: 5242880, multipartcopychunksize: 5242880, \
         multipartcopythresholdsize: 5242880, timeout: {timeout}}}\n  delete: {{enabled: true}}\n  redirect: {{disable: true}}\n\
         http: {{addr: '127.0.0.1:{port}'}}\n"
    )
}
