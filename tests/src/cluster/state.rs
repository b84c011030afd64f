//! The folder that holds all of a cluster: certificates, data, logs, and the process ids by which it is stopped.

use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// The folder of one cluster.
#[derive(Debug, Clone)]
pub struct State {
    root: PathBuf,
}

impl State {
    /// The state in an existing or a new folder.
    pub fn open(root: &Path) -> Result<Self> {
        for folder in ["logs", "processes", "certificates", "config"] {
            fs::create_dir_all(root.join(folder))
                .with_context(|| format!("cannot create {}", root.join(folder).display()))?;
        }
        Ok(Self { root: root.canonicalize()? })
    }

    /// The state in a new temporary folder, which whoever uses it removes.
    pub fn temporary() -> Result<Self> {
        Self::open(&tempfile::Builder::new().prefix("berth-").tempdir()?.keep())
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path below the folder.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// The log of one process.
    pub fn log(&self, process: &str) -> PathBuf {
        self.root.join("logs").join(format!("{process}.log"))
    }

    /// Where the process ids are, one file a process.
    pub fn processes(&self) -> PathBuf {
        self.root.join("processes")
    }

    /// The file that `kubectl` and others find the cluster by.
    pub fn kubeconfig(&self) -> PathBuf {
        self.root.join("kubeconfig")
    }

    /// Writes a configuration file and returns its path.
    pub fn write(&self, relative: &str, content: &str) -> Result<PathBuf> {
        let path = self.root.join(relative);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// Reads a file that another part has written.
    pub fn read(&self, relative: &str) -> Result<String> {
        let path = self.root.join(relative);
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }
}
