//! Looks whether what was acknowledged is there, byte for byte.

use crate::Torture;
use crate::content;
use crate::dice::Dice;
use crate::model::Tagged;
use crate::site::Connections;
use anyhow::{Result, ensure};
use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

/// Looks at one tag after the other until it is over.
pub(crate) fn verify(torture: &Torture, mut dice: Dice) -> Result<()> {
    let mut connections = torture.site.connect()?;
    while torture.goes_on() {
        let Some(tagged) = torture.model.take(&mut dice, 0) else {
            thread::park_timeout(Duration::from_millis(20));
            continue;
        };
        verify_one(torture, &mut connections, &mut dice, &tagged)?;
        torture.model.add(tagged);
    }
    Ok(())
}

/// Looks at all tags.
pub(crate) fn verify_all(torture: &Torture, dice: &mut Dice) -> Result<()> {
    let mut connections = torture.site.connect()?;
    for tagged in torture.model.all() {
        verify_one(torture, &mut connections, dice, &tagged)?;
    }
    Ok(())
}

fn verify_one(
    torture: &Torture,
    connections: &mut Connections,
    dice: &mut Dice,
    tagged: &Tagged,
) -> Result<()> {
    let mut expect = |kind: &str, reference: &str, bytes: &[u8]| -> Result<()> {
        let path = format!("/v2/{}/{kind}/{reference}", tagged.repository);
        let answer = connections.ask(dice, "GET", &path)?;
        if answer.status != 200 || answer.body != bytes {
            torture.tally.lose(format!("{path} of the tag {}: {}", tagged.tag, answer.status));
        }
        Ok(())
    };
    expect("manifests", &tagged.tag, &tagged.manifests[0])?;
    for manifest in &tagged.manifests {
        expect("manifests", &content::digest(manifest), manifest)?;
    }
    for layer in &tagged.layers {
        let layer = content::layer(*layer);
        expect("blobs", &content::digest(&layer), &layer)?;
    }
    torture.tally.verified.add(1);
    Ok(())
}

/// Looks whether any layer is left that no tag needs.
pub(crate) fn verify_that_garbage_is_gone(torture: &Torture, dice: &mut Dice) -> Result<()> {
    let mut connections = torture.site.connect()?;
    let needed: BTreeSet<_> = torture.model.all().into_iter().flat_map(|tagged| tagged.layers).collect();
    for layer in (0..content::LAYERS).filter(|layer| !needed.contains(layer)) {
        for repository in content::repositories() {
            let path = format!("/v2/{repository}/blobs/{}", content::digest(&content::layer(layer)));
            let answer = connections.ask(dice, "GET", &path)?;
            ensure!(answer.status == 404, "{path}, which nobody needs, is still there: {}", answer.status);
        }
    }
    Ok(())
}
