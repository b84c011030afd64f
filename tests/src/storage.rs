//! A place where registries keep their images, as the section `storage` of their configuration names it.

use crate::s3_server::S3Server;
use anyhow::Result;
use std::sync::Arc;
use tempfile::TempDir;

/// An empty storage, whose content is gone when nobody has it any more. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Storage {
    line: String,
    _keeps: Arc<Keeps>,
}

#[derive(Debug)]
enum Keeps {
    Folder(#[expect(dead_code, reason = "removes the folder")] TempDir),
    Server(#[expect(dead_code, reason = "ends the server")] S3Server),
}

impl Storage {
    /// A folder.
    pub fn filesystem() -> Result<Self> {
        let folder = TempDir::new()?;
        let line = format!("filesystem: {{rootdirectory: {}}}", folder.path().join("data").display());
        Ok(Self { line, _keeps: Arc::new(Keeps::Folder(folder)) })
    }

    /// A bucket of an S3 server of its own.
    pub fn s3() -> Result<Self> {
        let server = S3Server::start()?;
        let line = format!("s3: {}", S3Server::section(&server.url(), "registry"));
        Ok(Self { line, _keeps: Arc::new(Keeps::Server(server)) })
    }

    /// The line of the section.
    pub fn line(&self) -> &str {
        &self.line
    }
}
