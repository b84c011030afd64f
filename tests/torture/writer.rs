//! A client that pushes images: each layer is asked for and skipped, mounted, or uploaded.

use crate::Torture;
use crate::content::{self, IMAGE, INDEX, LAYERS};
use crate::dice::Dice;
use crate::model::Tagged;
use crate::site::Connections;
use anyhow::{Result, ensure};
use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

/// For how long a client may count on what it was told: the quarantine, less the age of what a server knows of it.
const PROMISE: Duration = Duration::from_secs(3);

/// How many layers an image has whose writer stays away for a while.
const LATE_LAYERS: usize = 8;

/// Pushes until it is over.
pub(crate) fn write(torture: &Torture, number: u64, mut dice: Dice) -> Result<()> {
    let mut client = Client { torture, connections: torture.site.connect()? };
    let mut round = 0;
    while torture.goes_on() {
        let tag = format!("w{number}-{round}");
        if client.push(&mut dice, &tag)? {
            round += 1;
        }
    }
    Ok(())
}

/// Uploads layers, stays away for so long that collectors find them, and comes back to push the image that needs them:
/// however fast the machine is, some of them are in quarantine then.
pub(crate) fn write_late(torture: &Torture, mut dice: Dice) -> Result<()> {
    let mut client = Client { torture, connections: torture.site.connect()? };
    for round in 0.. {
        let repository = content::repository(&mut dice);
        let first = LAYERS + round * LATE_LAYERS;
        let layers: Vec<_> = (first..first + LATE_LAYERS).collect();
        client.bring_all(&mut dice, &repository, &layers)?;
        let back = Instant::now() + Duration::from_secs(3 + dice.below(6));
        while torture.goes_on() && Instant::now() < back {
            thread::park_timeout(Duration::from_millis(100));
        }
        if !torture.goes_on() {
            break;
        }
        let started = Instant::now();
        let tag = format!("late-{round}");
        client.bring_all(&mut dice, &repository, &layers)?;
        let manifests = vec![content::image(&tag, &layers)];
        let layers = layers.into_iter().chain([0]).collect();
        client.put(&mut dice, Tagged { repository, tag, manifests, layers }, IMAGE, started)?;
    }
    Ok(())
}

struct Client<'a> {
    torture: &'a Torture,
    connections: Connections,
}

impl Client<'_> {
    /// Pushes an image, or an index of two; `false` when it has to be repeated.
    fn push(&mut self, dice: &mut Dice, tag: &str) -> Result<bool> {
        let repository = content::repository(dice);
        let mut layers = BTreeSet::from([0]);
        let started = Instant::now();
        if !dice.once_in(4) {
            let image = self.image(dice, &repository, tag, &mut layers)?;
            let tagged = Tagged { repository, tag: tag.to_owned(), manifests: vec![image], layers };
            return self.put(dice, tagged, IMAGE, started);
        }
        let mut images = Vec::new();
        for platform in ["amd64", "arm64"] {
            let image = self.image(dice, &repository, &format!("{tag}-{platform}"), &mut layers)?;
            let path = format!("/v2/{repository}/manifests/{}", content::digest(&image));
            if !self.put_manifest(dice, &path, IMAGE, &image, started)? {
                return Ok(false);
            }
            images.push(image);
        }
        let mut manifests = vec![content::index(tag, &images)];
        manifests.append(&mut images);
        self.put(dice, Tagged { repository, tag: tag.to_owned(), manifests, layers }, INDEX, started)
    }

    /// Brings the layers of an image, which join `all`, and returns its manifest.
    fn image(
        &mut self,
        dice: &mut Dice,
        repository: &str,
        name: &str,
        all: &mut BTreeSet<usize>,
    ) -> Result<Vec<u8>> {
        let layers: Vec<_> = (0..=dice.below(3)).map(|_| 1 + dice.index(LAYERS - 1)).collect();
        self.bring_all(dice, repository, &layers)?;
        all.extend(&layers);
        Ok(content::image(name, &layers))
    }

    /// Brings these layers, and the config, which is layer 0.
    fn bring_all(&mut self, dice: &mut Dice, repository: &str, layers: &[usize]) -> Result<()> {
        layers.iter().chain(&[0]).try_for_each(|layer| self.bring(dice, repository, *layer))
    }

    fn bring(&mut self, dice: &mut Dice, repository: &str, number: usize) -> Result<()> {
        let layer = content::layer(number);
        let digest = content::digest(&layer);
        let uploads = format!("/v2/{repository}/blobs/uploads/");
        if !dice.once_in(4) {
            let path = format!("/v2/{repository}/blobs/{digest}");
            if self.connections.ask(dice, "HEAD", &path)?.status == 200 {
                self.torture.tally.skipped.add(1);
                return Ok(());
            }
        }
        if dice.once_in(2) {
            let path = format!("{uploads}?mount={digest}&from={}", content::repository(dice));
            if self.connections.ask(dice, "POST", &path)?.status == 201 {
                self.torture.tally.mounts.add(1);
                return Ok(());
            }
        }
        let path = format!("{uploads}?digest={digest}");
        let answer = self.connections.send(dice, "POST", &path, "application/octet-stream", &layer)?;
        ensure!(answer.status == 201, "{path}: {} {}", answer.status, answer.text());
        self.torture.tally.uploads.add(1);
        Ok(())
    }

    /// Pushes what the tag is to point at; once that is acknowledged, the model has it.
    fn put(&mut self, dice: &mut Dice, tagged: Tagged, kind: &str, started: Instant) -> Result<bool> {
        let path = format!("/v2/{}/manifests/{}", tagged.repository, tagged.tag);
        let is_pushed = self.put_manifest(dice, &path, kind, &tagged.manifests[0], started)?;
        if is_pushed {
            self.torture.tally.pushed.add(1);
            self.torture.model.add(tagged);
        }
        Ok(is_pushed)
    }

    fn put_manifest(
        &mut self,
        dice: &mut Dice,
        path: &str,
        kind: &str,
        manifest: &[u8],
        started: Instant,
    ) -> Result<bool> {
        let answer = self.connections.send(dice, "PUT", path, kind, manifest)?;
        if answer.status == 201 {
            return Ok(true);
        }
        ensure!(answer.text().contains("MANIFEST_BLOB_UNKNOWN"), "{path}: {}", answer.text());
        if started.elapsed() < PROMISE {
            self.torture.tally.lose(format!("{path} was told that its layers exist: {}", answer.text()));
        } else {
            self.torture.tally.late.add(1);
        }
        Ok(false)
    }
}
