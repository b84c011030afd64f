//! Images on their way in: their blobs, their manifests, their tags.

use super::client::{Client, PROMISE};
use super::connection::Ask;
use super::content::{Blob, Image};
use super::model::Name;
use anyhow::{Result, ensure};
use std::time::Instant;

/// What became of a push of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Put {
    Acknowledged,
    Refused,
    Unknown,
}

impl Client<'_> {
    /// Pushes an image, or an index of two, to one or two tags.
    pub(crate) fn push_image(&mut self, repository: &'static str) -> Result<()> {
        let started = Instant::now();
        let Some(mut image) = self.image(repository)? else { return Ok(()) };
        if self.random.u8(..5) == 0 {
            let Some(other) = self.image(repository)? else { return Ok(()) };
            for image in [&image, &other] {
                let path = format!("/v2/{repository}/manifests/{}", image.digest);
                if self.put(&path, image, &[], started)? != Put::Acknowledged {
                    return Ok(());
                }
            }
            image = Image::index(&format!("{}-index-{}", self.name, self.images), vec![image, other]);
        }
        if self.random.u8(..6) == 0 {
            return self.push_to_two_tags(repository, &image, started);
        }
        let tag = self.own_tag(repository);
        let condition = self.model.known(&tag).filter(|_| self.random.u8(..3) == 0);
        let condition = condition.map(|target| match target {
            Some(current) => format!("If-Match: \"{current}\""),
            None => "If-None-Match: *".to_owned(),
        });
        let path = format!("/v2/{repository}/manifests/{}", tag.1);
        self.push_to(&[tag], &path, &image, condition.as_slice(), started)
    }

    /// Brings the blobs of a new image; `None` when one of them was not acknowledged.
    fn image(&mut self, repository: &'static str) -> Result<Option<Image>> {
        let mut blobs = vec![Blob::unique(&mut self.random, 200)];
        for _ in 0..self.random.u8(1..=3) {
            blobs.push(Blob::shared(&mut self.random));
        }
        for blob in &blobs {
            if !self.bring(repository, blob)? {
                return Ok(None);
            }
        }
        self.images += 1;
        let subject = (self.random.u8(..5) == 0).then(|| self.subject());
        Ok(Some(Image::new(&format!("{}-{}", self.name, self.images), blobs, subject)))
    }

    fn push_to_two_tags(&mut self, repository: &'static str, image: &Image, started: Instant) -> Result<()> {
        let tags = [self.own_tag(repository), self.own_tag(repository)];
        let path = format!("/v2/{repository}/manifests/{}?tag={}&tag={}", image.digest, tags[0].1, tags[1].1);
        self.push_to(&tags, &path, image, &[], started)
    }

    fn push_to(
        &mut self,
        tags: &[Name],
        path: &str,
        image: &Image,
        headers: &[String],
        started: Instant,
    ) -> Result<()> {
        let before: Vec<_> = tags.iter().map(|tag| self.model.of(tag)).collect();
        for tag in tags {
            self.model.push(tag, image);
        }
        let pushed = self.put(path, image, headers, started)?;
        if pushed == Put::Acknowledged {
            for tag in tags {
                self.model.set(tag, Some(image.digest.clone()));
            }
            if image.subject.is_some() {
                self.model.referrers.insert((tags[0].0, image.digest.clone()));
            }
            self.tally.count("tags pushed");
        } else if pushed == Put::Refused {
            tags.iter().zip(before).for_each(|(tag, targets)| self.model.restore(tag, targets));
        }
        Ok(())
    }

    /// Pushes a manifest whose blobs were acknowledged.
    fn put(&mut self, path: &str, image: &Image, headers: &[String], started: Instant) -> Result<Put> {
        let headers = [&[format!("Content-Type: {}", image.media_type)], headers].concat();
        let ask = Ask { method: "PUT", path, headers: &headers, body: &image.manifest };
        match self.ask(ask)? {
            None => Ok(Put::Unknown),
            Some(answer) if answer.text().contains("MANIFEST_BLOB_UNKNOWN") => {
                ensure!(started.elapsed() > PROMISE, "LOST: what {path} needs: {}", answer.text());
                self.tally.count("pushes that came too late for what they relied on");
                Ok(Put::Refused)
            }
            Some(answer) => answer.expect(201).map(|_| Put::Acknowledged),
        }
    }
}
