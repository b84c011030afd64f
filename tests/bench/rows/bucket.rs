//! The bucket behind the registries: filled through one of them, and open to everybody, so that it can be asked directly without
//! signatures.

use super::upload::{Layer, Way, push_blob, push_image, put_manifest};
use crate::content::{Library, REPOSITORY, TAG};
use crate::load::Client;
use crate::server::{BUCKET_ROOT, Running, Server, Setup};
use crate::site::Site;
use anyhow::{Context, Result};
use berth_tests::command::succeed;
use berth_tests::s3_server::{ACCESS_KEY, BUCKET, REGION, S3Server, SECRET_KEY};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// How many parts of an upload are on their way at once.
const CONCURRENCY: usize = 4;

/// How many of the blobs are asked for.
pub(super) const BLOBS: usize = 2;

/// An S3 server with one bucket.
#[derive(Debug)]
pub(super) struct Bucket {
    server: S3Server,
    port: u16,
}

impl Bucket {
    /// Starts it, with a bucket that everybody may read and write.
    pub(super) fn start(site: &Site) -> Result<Self> {
        let server = S3Server::start()?;
        let port = server
            .address()
            .rsplit_once(':')
            .map(|(_, port)| port.parse())
            .context("an address has a port")??;
        let policy = site.folder().join("policy.json");
        fs::write(&policy, everybody())?;
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail", "--aws-sigv4", &format!("aws:amz:{REGION}:s3")]);
        curl.args(["--user", &format!("{ACCESS_KEY}:{SECRET_KEY}"), "--upload-file"]).arg(policy);
        succeed(curl.arg(format!("{}/{BUCKET}?policy=", server.url())))?;
        Ok(Self { server, port })
    }

    /// How registries are started that keep their images below a folder of it.
    pub(super) fn setup<'a>(&self, site: &'a Site, root: &str) -> Setup<'a> {
        let bucket = Some(format!("s3: {}", S3Server::section(&self.server.url(), root)));
        Setup { bucket, ..site.open(site.folder()) }
    }

    /// The server itself.
    pub(super) fn direct(&self) -> Running {
        Running::foreign(Server::Bucket, self.port)
    }

    /// Pushes all that the library has.
    pub(super) fn fill(&self, site: &Site, library: &Library, data: &Path) -> Result<()> {
        let berth = Running::start(Server::Berth, &self.setup(site, BUCKET_ROOT))?;
        let mut client = berth.client()?;
        for (number, image) in library.images.iter().enumerate() {
            push_image(&mut client, REPOSITORY, &format!("image-{number}"), image, Way::Docker)?;
        }
        put_manifest(&mut client, REPOSITORY, TAG, &library.images[0])?;
        for number in 0..BLOBS {
            let blob = library.blob(number)?;
            push_blob(&mut client, REPOSITORY, &fs::read(data.join(blob.file()))?)?;
        }
        Ok(())
    }

    /// Uploads a layer in parts, some of them at once, and says how long that took.
    pub(super) fn upload(&self, layer: &Layer) -> Result<Duration> {
        let (mut client, start) = (Client::connect(self.port)?, Instant::now());
        let path = format!("/{BUCKET}/raw-upload");
        let begun = client.send("POST", &format!("{path}?uploads="), &[], &[])?.expect(200)?;
        let id = between(&String::from_utf8_lossy(&begun.body), "UploadId")?;
        let list = self.upload_parts(&layer.parts(), &path, &id)?;
        client.send("POST", &format!("{path}?uploadId={id}"), &[], &[list.as_bytes()])?.expect(200)?;
        Ok(start.elapsed())
    }

    /// Uploads the parts, and returns the list that completes the upload.
    fn upload_parts(&self, parts: &[&[u8]], path: &str, id: &str) -> Result<String> {
        let mut tags = thread::scope(|scope| {
            let sender = |first| scope.spawn(move || self.upload_some(parts, first, path, id));
            let senders: Vec<_> = (0..CONCURRENCY).map(sender).collect();
            let sent =
                senders.into_iter().map(|sender| sender.join().ok().context("a sender has panicked")?);
            sent.collect::<Result<Vec<_>>>()
        })?
        .concat();
        tags.sort();
        let part =
            |(number, tag)| format!("<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>");
        let list: Vec<_> = tags.into_iter().map(part).collect();
        Ok(format!("<CompleteMultipartUpload>{}</CompleteMultipartUpload>", list.concat()))
    }

    fn upload_some(
        &self,
        parts: &[&[u8]],
        first: usize,
        path: &str,
        id: &str,
    ) -> Result<Vec<(usize, String)>> {
        let mut client = Client::connect(self.port)?;
        let mine = parts.iter().enumerate().skip(first).step_by(CONCURRENCY);
        let sent = mine.map(|(index, part)| {
            let number = index + 1;
            let target = format!("{path}?partNumber={number}&uploadId={id}");
            let answer = client.send("PUT", &target, &[], &[part])?.expect(200)?;
            Ok((number, answer.header("etag:")?))
        });
        sent.collect()
    }
}

/// The policy under which everybody reads and writes objects.
fn everybody() -> String {
    let actions = ["GetObject", "PutObject", "AbortMultipartUpload", "ListMultipartUploadParts"];
    let statement = json!({
        "Effect": "Allow",
        "Principal": {"AWS": ["*"]},
        "Action": actions.map(|action| format!("s3:{action}")),
        "Resource": [format!("arn:aws:s3:::{BUCKET}/*")],
    });
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

fn between(text: &str, tag: &str) -> Result<String> {
    let (_, after) = text.split_once(&format!("<{tag}>")).with_context(|| format!("{text} has no {tag}"))?;
    Ok(after.split('<').next().unwrap_or_default().to_owned())
}
