//! Requests that have to be refused.

use super::client::Client;
use super::connection::Ask;
use super::content::{Blob, Image, digest};
use anyhow::{Result, bail};
use berth_tests::http::Answer;

impl Client<'_> {
    /// Asks for what has to be refused; that nothing came of it is seen by everybody who looks.
    pub(crate) fn expect_refusal(&mut self, repository: &'static str) -> Result<()> {
        let blob = Blob::unique(&mut self.random, 1000);
        let expected = match self.random.u8(..3) {
            0 => {
                let wrong = digest(blob.digest.as_bytes());
                let path = format!("/v2/{repository}/blobs/uploads/?digest={wrong}");
                let answer =
                    self.ask(Ask { method: "POST", path: &path, body: &blob.bytes, ..Ask::default() })?;
                (answer, 400)
            }
            1 => {
                let tag = format!("{}-refused", self.name);
                (self.put_in_vain(repository, &tag, blob, &[])?, 404)
            }
            _ => {
                let tag = self.own_tag(repository).1;
                let wrong = format!("If-Match: \"{}\"", blob.digest);
                (self.put_in_vain(repository, &tag, blob, &[wrong])?, 412)
            }
        };
        match expected {
            (Some(answer), status) if answer.status != status => {
                bail!("{}: {}", answer.status, answer.text())
            }
            (Some(_), _) => self.tally.count("refusals"),
            (None, _) => {}
        }
        Ok(())
    }

    fn put_in_vain(
        &mut self,
        repository: &str,
        tag: &str,
        missing: Blob,
        more: &[String],
    ) -> Result<Option<Answer>> {
        let image = Image::new("refused", vec![missing], None);
        let path = format!("/v2/{repository}/manifests/{tag}");
        let headers = [&[format!("Content-Type: {}", image.media_type)], more].concat();
        self.ask(Ask { method: "PUT", path: &path, headers: &headers, body: &image.manifest })
    }
}
