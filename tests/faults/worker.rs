//! One client with repositories of its own, of which it knows what is in them.

use anyhow::Result;
use fastrand::Rng;
use sha2::{Digest as _, Sha256};

use crate::client::Client;
use crate::model::Model;
use crate::site::Site;
use crate::tally::Tally;

pub(crate) struct Worker<'a> {
    pub(crate) number: u64,
    pub(crate) random: Rng,
    pub(crate) client: Client<'a>,
    pub(crate) tally: &'a Tally,
    pub(crate) model: Model,
    pub(crate) images: u64,
}

impl<'a> Worker<'a> {
    pub(crate) fn new(number: u64, seed: u64, site: &Site, tally: &'a Tally) -> Self {
        Self {
            number,
            random: Rng::with_seed(seed),
            client: Client::new(site.port, tally),
            tally,
            model: Model::default(),
            images: 0,
        }
    }

    pub(crate) fn work_while(mut self, goes_on: impl Fn() -> bool) -> Result<Self> {
        while goes_on() {
            let repository = self.repository();
            match self.random.u8(..20) {
                0..=4 => drop(self.push_blob(&repository)?),
                5..=8 => self.move_tag(&repository)?,
                9..=11 => self.swap_tag(&repository)?,
                12..=13 => self.mount(&repository)?,
                14 => self.delete_blob()?,
                15 => self.delete_tag(&repository)?,
                16 => self.delete_manifest(&repository)?,
                17 => self.compare_lists(&repository)?,
                _ => self.pull_any()?,
            }
        }
        Ok(self)
    }

    /// Sees that everything is as it was acknowledged.
    pub(crate) fn check_everything(mut self) -> Result<()> {
        for (repository, digest) in self.model.blobs().cloned().collect::<Vec<_>>() {
            self.check_blob(&repository, &digest)?;
        }
        for (repository, digest) in self.model.gone().cloned().collect::<Vec<_>>() {
            self.check_that_blob_is_gone(&repository, &digest)?;
        }
        for (repository, name) in self.model.names() {
            self.look(&repository, &name)?;
        }
        for repository in self.repositories() {
            self.compare_lists(&repository)?;
        }
        Ok(())
    }

    fn repositories(&self) -> [String; 2] {
        [format!("worker{}/app", self.number), format!("worker{}/base", self.number)]
    }

    fn repository(&mut self) -> String {
        let [app, base] = self.repositories();
        if self.random.bool() { app } else { base }
    }
}

/// The digest of `bytes` as text.
pub(crate) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::from("sha256:"), |text, byte| text + &format!("{byte:02x}"))
}
