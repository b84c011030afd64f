//! `kubectl` against one cluster.

use crate::programs;
use anyhow::{Context, Result, bail};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// `kubectl` with the credentials of one cluster.
#[derive(Debug, Clone)]
pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
}

impl Kubectl {
    /// The built `kubectl` with a kubeconfig file.
    pub fn new(kubeconfig: &Path) -> Result<Self> {
        Ok(Self { program: programs::built("kubectl")?, kubeconfig: kubeconfig.to_owned() })
    }

    /// The kubeconfig file.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Runs `kubectl` and returns its standard output; the error holds its standard error.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        self.finish(arguments, self.command(arguments).stdin(Stdio::null()))
    }

    /// `kubectl apply` of one or more documents.
    pub fn apply(&self, documents: &str) -> Result<String> {
        self.run_with_input(&["apply", "--server-side", "--field-manager=berth-tests", "-f", "-"], documents)
    }

    /// Runs `kubectl` with something to read on its standard input.
    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Result<String> {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start kubectl")?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes())?;
        }
        answer(arguments, &child.wait_with_output()?)
    }

    /// The value of one field, by a JSONPath such as `{.status.host}`.
    pub fn field(&self, object: &[&str], path: &str) -> Result<String> {
        let output = format!("--output=jsonpath={path}");
        self.run(&[&["get"], object, &[output.as_str()]].concat())
    }

    /// A command that the caller starts.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        // Unlike the flag, the variable may name several files.
        command.env("KUBECONFIG", &self.kubeconfig).args(arguments);
        // What it remembers of an API server it keeps by the address, and another may have had that before.
        command.env("KUBECACHEDIR", self.kubeconfig.with_extension("cache"));
        command
    }

    fn finish(&self, arguments: &[&str], command: &mut Command) -> Result<String> {
        answer(
            arguments,
            &command.output().with_context(|| format!("cannot start {}", self.program.display()))?,
        )
    }
}

fn answer(arguments: &[&str], output: &std::process::Output) -> Result<String> {
    if !output.status.success() {
        bail!("kubectl {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
