//! Looks whether what was acknowledged is there, byte for byte.

use crate::Torture;
use crate::content;
use crate::model::Tagged;
use anyhow::{Result, ensure};
use berth_tests::digest::sha256;
use berth_tests::fleet::Client;
use fastrand::Rng;
use serde_json::json;
use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

/// Looks at one tag after the other until it is over.
pub(crate) fn verify(torture: &Torture, mut random: Rng) -> Result<()> {
    let mut client = torture.fleet.client();
    while torture.goes_on() {
        let Some(tagged) = torture.model.take(&mut random, 0) else {
            thread::park_timeout(Duration::from_millis(20));
            continue;
        };
        verify_one(torture, &mut client, &tagged)?;
        torture.model.add(tagged);
    }
    Ok(())
}

/// Looks at all tags.
pub(crate) fn verify_all(torture: &Torture) -> Result<()> {
    let mut client = torture.fleet.client();
    for tagged in torture.model.all() {
        verify_one(torture, &mut client, &tagged)?;
    }
    Ok(())
}

fn verify_one(torture: &Torture, client: &mut Client, tagged: &Tagged) -> Result<()> {
    let mut expect = |kind: &str, reference: &str, bytes: &[u8]| -> Result<()> {
        let path = format!("/v2/{}/{kind}/{reference}", tagged.repository);
        let answer = client.question("GET", &path)?;
        if answer.status != 200 || answer.body != bytes {
            torture.tally.lose(format!("{path} of the tag {}: {}", tagged.tag, answer.status));
        }
        Ok(())
    };
    expect("manifests", &tagged.tag, &tagged.manifests[0])?;
    for manifest in &tagged.manifests {
        expect("manifests", &sha256(manifest), manifest)?;
    }
    for layer in &tagged.layers {
        let layer = content::layer(*layer);
        expect("blobs", &sha256(&layer), &layer)?;
    }
    torture.tally.verified.add(1);
    Ok(())
}

/// Looks whether the servers have any tag that nobody has pushed, or that somebody has deleted.
pub(crate) fn verify_that_nothing_else_is_tagged(torture: &Torture) -> Result<()> {
    let mut client = torture.fleet.client();
    for repository in content::repositories() {
        let pushed = torture.model.all().into_iter().filter(|tagged| tagged.repository == repository);
        let pushed: BTreeSet<_> = pushed.map(|tagged| tagged.tag).collect();
        let listed = client.question("GET", &format!("/v2/{repository}/tags/list"))?;
        // A repository that has nothing left is unknown.
        let tags = if listed.status == 404 { json!([]) } else { listed.expect(200)?.json()?["tags"].clone() };
        ensure!(tags == json!(pushed), "{repository} has {tags}, but these were pushed: {pushed:?}");
    }
    Ok(())
}

/// Looks whether any layer is left that no tag needs.
pub(crate) fn verify_that_garbage_is_gone(torture: &Torture) -> Result<()> {
    let mut client = torture.fleet.client();
    let needed: BTreeSet<_> = torture.model.all().into_iter().flat_map(|tagged| tagged.layers).collect();
    for layer in (0..content::LAYERS).filter(|layer| !needed.contains(layer)) {
        for repository in content::repositories() {
            let path = format!("/v2/{repository}/blobs/{}", sha256(&content::layer(layer)));
            let answer = client.question("GET", &path)?;
            ensure!(answer.status == 404, "{path}, which nobody needs, is still there: {}", answer.status);
        }
    }
    Ok(())
}
