//! A client that deletes what others have pushed.

use crate::Torture;
use anyhow::{Result, ensure};
use berth_tests::digest::sha256;
use berth_tests::fleet::Ask;
use fastrand::Rng;
use std::thread;
use std::time::Duration;

/// How many tags are left alone, so that there is something to lose.
const LEFT: usize = 12;

/// Deletes tags, or manifests with their tags, until it is over.
pub(crate) fn delete(torture: &Torture, mut random: Rng) -> Result<()> {
    let mut client = torture.fleet.client();
    while torture.goes_on() {
        let Some(tagged) = torture.model.take(&mut random, LEFT) else {
            thread::park_timeout(Duration::from_millis(20));
            continue;
        };
        let reference = if random.bool() { tagged.tag.clone() } else { sha256(&tagged.manifests[0]) };
        let path = format!("/v2/{}/manifests/{reference}", tagged.repository);
        let (answer, was_sent) = client.insist(Ask { method: "DELETE", path: &path, ..Ask::default() })?;
        match answer.status {
            202 => torture.tally.deleted_tags.add(1),
            404 if was_sent => torture.tally.deleted_tags.add(1),
            404 => torture.tally.lose(format!("{path} could not be deleted: {}", answer.text())),
            _ => ensure!(answer.status == 202, "{path}: {} {}", answer.status, answer.text()),
        }
    }
    Ok(())
}
