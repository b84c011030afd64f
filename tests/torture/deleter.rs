//! A client that deletes what others have pushed.

use crate::Torture;
use crate::content;
use crate::dice::Dice;
use anyhow::{Result, ensure};
use std::thread;
use std::time::Duration;

/// How many tags are left alone, so that there is something to lose.
const LEFT: usize = 12;

/// Deletes tags, or manifests with their tags, until it is over.
pub(crate) fn delete(torture: &Torture, mut dice: Dice) -> Result<()> {
    let mut connections = torture.site.connect()?;
    while torture.goes_on() {
        let Some(tagged) = torture.model.take(&mut dice, LEFT) else {
            thread::park_timeout(Duration::from_millis(20));
            continue;
        };
        let reference =
            if dice.once_in(2) { tagged.tag.clone() } else { content::digest(&tagged.manifests[0]) };
        let path = format!("/v2/{}/manifests/{reference}", tagged.repository);
        let answer = connections.ask(&mut dice, "DELETE", &path)?;
        if answer.status == 404 {
            torture.tally.lose(format!("{path} could not be deleted: {}", answer.text()));
        } else {
            ensure!(answer.status == 202, "{path}: {} {}", answer.status, answer.text());
        }
        torture.tally.deleted_tags.add(1);
    }
    Ok(())
}
