//! A client that pushes images: each layer is asked for and skipped, mounted, or uploaded. What has no answer is sent again
//! to another server.

use crate::Torture;
use crate::content::{self, IMAGE, INDEX, LAYERS};
use crate::model::Tagged;
use anyhow::{Result, ensure};
use berth_tests::digest::sha256;
use berth_tests::fleet::{Ask, Client};
use berth_tests::http::Answer;
use fastrand::Rng;
use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

/// How many layers an image has whose writer stays away for a while.
const LATE_LAYERS: usize = 8;

/// Pushes until it is over.
pub(crate) fn write(torture: &Torture, number: u64, random: Rng) -> Result<()> {
    let mut writer = Writer::new(torture, random);
    let mut round = 0;
    while torture.goes_on() {
        let tag = format!("w{number}-{round}");
        if writer.push(&tag)? {
            round += 1;
        }
    }
    Ok(())
}

/// Uploads layers, stays away for so long that collectors find them, and comes back to push the image that needs them:
/// however fast the machine is, some of them are in quarantine then.
pub(crate) fn write_late(torture: &Torture, random: Rng) -> Result<()> {
    let mut writer = Writer::new(torture, random);
    for round in 0.. {
        let repository = content::repository(&mut writer.random);
        let first = LAYERS + round * LATE_LAYERS;
        let layers: Vec<_> = (first..first + LATE_LAYERS).collect();
        writer.bring_all(&repository, &layers)?;
        let away = torture.pace.minimum_age + 1 + writer.random.u64(..=torture.pace.quarantine);
        let back = Instant::now() + Duration::from_secs(away);
        while torture.goes_on() && Instant::now() < back {
            thread::park_timeout(Duration::from_millis(100));
        }
        if !torture.goes_on() {
            break;
        }
        let started = Instant::now();
        let tag = format!("late-{round}");
        writer.bring_all(&repository, &layers)?;
        let manifests = vec![content::image(&tag, &layers)];
        let layers = layers.into_iter().chain([0]).collect();
        writer.put(Tagged { repository, tag, manifests, layers }, IMAGE, started)?;
    }
    Ok(())
}

struct Writer<'a> {
    torture: &'a Torture,
    client: Client<'a>,
    random: Rng,
}

impl<'a> Writer<'a> {
    fn new(torture: &'a Torture, random: Rng) -> Self {
        Self { torture, client: torture.fleet.client(), random }
    }

    /// Pushes an image, or an index of two; `false` when it has to be repeated.
    fn push(&mut self, tag: &str) -> Result<bool> {
        let repository = content::repository(&mut self.random);
        let mut layers = BTreeSet::from([0]);
        let started = Instant::now();
        if self.random.usize(..4) > 0 {
            let image = self.image(&repository, tag, &mut layers)?;
            let tagged = Tagged { repository, tag: tag.to_owned(), manifests: vec![image], layers };
            return self.put(tagged, IMAGE, started);
        }
        let mut images = Vec::new();
        for platform in ["amd64", "arm64"] {
            let image = self.image(&repository, &format!("{tag}-{platform}"), &mut layers)?;
            let path = format!("/v2/{repository}/manifests/{}", sha256(&image));
            if !self.put_manifest(&path, IMAGE, &image, started)? {
                return Ok(false);
            }
            images.push(image);
        }
        let mut manifests = vec![content::index(tag, &images)];
        manifests.append(&mut images);
        self.put(Tagged { repository, tag: tag.to_owned(), manifests, layers }, INDEX, started)
    }

    /// Brings the layers of an image, which join `all`, and returns its manifest.
    fn image(&mut self, repository: &str, name: &str, all: &mut BTreeSet<usize>) -> Result<Vec<u8>> {
        let number = self.random.usize(1..=3);
        let layers: Vec<_> = (0..number).map(|_| self.random.usize(1..LAYERS)).collect();
        self.bring_all(repository, &layers)?;
        all.extend(&layers);
        Ok(content::image(name, &layers))
    }

    /// Brings these layers, and the config, which is layer 0.
    fn bring_all(&mut self, repository: &str, layers: &[usize]) -> Result<()> {
        layers.iter().chain(&[0]).try_for_each(|layer| self.bring(repository, *layer))
    }

    fn bring(&mut self, repository: &str, number: usize) -> Result<()> {
        let layer = content::layer(number);
        let digest = sha256(&layer);
        let uploads = format!("/v2/{repository}/blobs/uploads/");
        if self.random.usize(..4) > 0 {
            let path = format!("/v2/{repository}/blobs/{digest}");
            if self.client.question("HEAD", &path)?.status == 200 {
                self.torture.tally.skipped.add(1);
                return Ok(());
            }
        }
        if self.random.bool() {
            let path = format!("{uploads}?mount={digest}&from={}", content::repository(&mut self.random));
            if self.client.question("POST", &path)?.status == 201 {
                self.torture.tally.mounts.add(1);
                return Ok(());
            }
        }
        let path = format!("{uploads}?digest={digest}");
        self.send("POST", &path, "application/octet-stream", &layer)?.expect(201)?;
        self.torture.tally.uploads.add(1);
        Ok(())
    }

    fn send(&mut self, method: &str, path: &str, kind: &str, body: &[u8]) -> Result<Answer> {
        let headers = [format!("Content-Type: {kind}")];
        Ok(self.client.insist(Ask { method, path, headers: &headers, body })?.0)
    }

    /// Pushes what the tag is to point at; once that is acknowledged, the model has it.
    fn put(&mut self, tagged: Tagged, kind: &str, started: Instant) -> Result<bool> {
        let path = format!("/v2/{}/manifests/{}", tagged.repository, tagged.tag);
        let is_pushed = self.put_manifest(&path, kind, &tagged.manifests[0], started)?;
        if is_pushed {
            self.torture.tally.pushed.add(1);
            self.torture.model.add(tagged);
        } else {
            // An attempt without an answer may have come as far as the tag.
            let status = self.client.question("DELETE", &path)?.status;
            ensure!(matches!(status, 202 | 404), "{path}: {status}");
        }
        Ok(is_pushed)
    }

    fn put_manifest(&mut self, path: &str, kind: &str, manifest: &[u8], started: Instant) -> Result<bool> {
        let answer = self.send("PUT", path, kind, manifest)?;
        if answer.status == 201 {
            return Ok(true);
        }
        ensure!(answer.text().contains("MANIFEST_BLOB_UNKNOWN"), "{path}: {}", answer.text());
        if started.elapsed() < self.torture.pace.promise() {
            self.torture.tally.lose(format!("{path} was told that its layers exist: {}", answer.text()));
        } else {
            self.torture.tally.late.add(1);
        }
        Ok(false)
    }
}
