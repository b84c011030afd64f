//! What an image holds and how it starts, in words.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// The list from which an image is packed. Paths are written without the leading slash.
#[derive(Debug, Default, Clone)]
pub struct Recipe {
    pub(super) entries: BTreeMap<String, Entry>,
    pub(super) user: String,
    pub(super) environment: Vec<String>,
    pub(super) entrypoint: Vec<String>,
    pub(super) arguments: Vec<String>,
    pub(super) exposed_ports: Vec<u16>,
    pub(super) volumes: Vec<String>,
    pub(super) labels: BTreeMap<String, String>,
}

/// One entry of the layer.
#[derive(Debug, Clone)]
pub(super) enum Entry {
    /// A program: a file of this machine, executable by all.
    Program(PathBuf),
    /// A file of this machine, readable by all.
    File(PathBuf),
    /// A file with this content, readable by all.
    Text(String),
    /// A folder that belongs to this user and group.
    Directory(u64),
    /// A symbolic link to this target.
    Symlink(String),
}

impl Recipe {
    /// An empty image, run as root.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an executable file.
    pub fn program(self, path: &str, source: impl Into<PathBuf>) -> Self {
        self.entry(path, Entry::Program(source.into()))
    }

    /// Adds a file of this machine.
    pub fn file(self, path: &str, source: impl Into<PathBuf>) -> Self {
        self.entry(path, Entry::File(source.into()))
    }

    /// Adds a file with this content.
    pub fn text(self, path: &str, content: &str) -> Self {
        self.entry(path, Entry::Text(content.into()))
    }

    /// Adds a folder that belongs to the user and group `owner`.
    pub fn directory(self, path: &str, owner: u64) -> Self {
        self.entry(path, Entry::Directory(owner))
    }

    /// Adds a symbolic link at `path` that points to `target`.
    pub fn symlink(self, path: &str, target: &str) -> Self {
        self.entry(path, Entry::Symlink(target.into()))
    }

    /// Runs as this numeric user and group.
    pub fn user(mut self, id: u64) -> Self {
        self.user = format!("{id}:{id}");
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push(format!("{name}={value}"));
        self
    }

    /// What is started, and with which arguments when the user gives none.
    pub fn starts(mut self, entrypoint: &[&str], arguments: &[&str]) -> Self {
        self.entrypoint = entrypoint.iter().map(ToString::to_string).collect();
        self.arguments = arguments.iter().map(ToString::to_string).collect();
        self
    }

    /// Documents a TCP port that the program listens on.
    pub fn port(mut self, port: u16) -> Self {
        self.exposed_ports.push(port);
        self
    }

    /// Declares a folder as a volume, and adds it for its owner.
    pub fn volume(mut self, path: &str, owner: u64) -> Self {
        self.volumes.push(path.into());
        self.directory(path, owner)
    }

    /// Adds a label.
    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.labels.insert(name.into(), value.into());
        self
    }

    fn entry(mut self, path: &str, entry: Entry) -> Self {
        self.entries.insert(path.into(), entry);
        self
    }
}
