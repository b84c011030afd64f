//! The changes that a client makes, one at a time, whichever it is to be.

use super::client::Client;
use super::content::{digest, repository};
use super::model::Name;
use super::upload::Uploaded;
use anyhow::Result;

/// How many tags a client has in a repository.
const TAGS: u8 = 2;

impl Client<'_> {
    /// Makes any change.
    pub(crate) fn operate(&mut self) -> Result<()> {
        if let Some(upload) = self.upload.take() {
            let (repository, blob) = (upload.repository, upload.blob.clone());
            match self.go_on(upload)? {
                Uploaded::Acknowledged => self.loosen(repository, blob),
                Uploaded::Gone => {}
                Uploaded::CutOff(upload) => self.upload = Some(upload),
            }
            return Ok(());
        }
        let repository = repository(&mut self.random);
        match self.random.u8(..20) {
            0..=8 => self.push_image(repository),
            9..=10 => self.push_loose_blob(repository),
            11..=12 => self.mount_loose_blob(repository),
            13..=14 => self.delete_tag(repository),
            15 => self.delete_manifest(repository),
            16..=17 => self.delete_loose_blob(),
            _ => self.expect_refusal(repository),
        }
    }

    pub(crate) fn own_tag(&mut self, repository: &'static str) -> Name {
        (repository, format!("{}-{}", self.name, self.random.u8(..TAGS)))
    }

    /// What the signatures of this client refer to; it does not exist.
    pub(crate) fn subject(&self) -> String {
        digest(self.name.as_bytes())
    }
}
