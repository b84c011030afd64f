//! A real S3 server, `MinIO`, on a device of this machine alone: one drive, one bucket, one key. It holds conditional writes.

use crate::cluster::wait;
use crate::http::ask;
use crate::programs;
use crate::registry_process::free_port;
use anyhow::{Context, Result};
use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;
use tempfile::TempDir;

/// The name of the bucket.
pub const BUCKET: &str = "hub";
/// The region that the server says it is in.
pub const REGION: &str = "harbour";
/// The access key that may do everything with the bucket.
pub const ACCESS_KEY: &str = "GK0123456789abcdef01234567";
/// Its secret.
pub const SECRET_KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Runs the server until nobody holds the other end of the standard input: also when a test process ends in a way in
/// which nothing is dropped any more. Then its folder goes, too.
const GUARD: &str =
    "folder=$1; shift; \"$@\" & server=$!; read -r order; kill -9 $server; wait $server 2>/dev/null
[ \"$order\" = keep ] || rm -rf -- \"$folder\"";

/// A server with an empty bucket.
#[derive(Debug)]
pub struct S3Server {
    folder: PathBuf,
    address: Ipv4Addr,
    port: u16,
    process: Mutex<Option<Child>>,
}

impl S3Server {
    /// Starts the server on the loopback device and makes the bucket.
    pub fn start() -> Result<Self> {
        Self::start_at(Ipv4Addr::LOCALHOST)
    }

    /// The same at another address of this machine, such as the one that only the pods of a cluster reach.
    pub fn start_at(address: Ipv4Addr) -> Result<Self> {
        let folder = TempDir::new()?.keep();
        let server = Self { folder, address, port: free_port()?, process: Mutex::default() };
        server.resume()?;
        server.make_bucket()?;
        Ok(server)
    }

    /// The URL of the server.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Its host and port.
    pub fn address(&self) -> String {
        format!("{}:{}", self.address, self.port)
    }

    /// The section `storage.s3` of a registry that keeps its images there, below the folder `root`, and asks for them at
    /// `url`.
    pub fn section(url: &str, root: &str) -> String {
        format!(
            "{{accesskey: {ACCESS_KEY}, secretkey: {SECRET_KEY}, region: {REGION}, bucket: {BUCKET}, \
             regionendpoint: '{url}', forcepathstyle: true, rootdirectory: '{root}'}}"
        )
    }

    /// The URL of the server under another name of this machine.
    pub fn url_by_name(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// An access key that is valid for an hour, its secret, and the token that belongs to it.
    pub fn temporary_credentials(&self) -> Result<[String; 3]> {
        let mut curl = Command::new("curl");
        curl.args(["--aws-sigv4", &format!("aws:amz:{REGION}:sts")]);
        curl.args(["--user", &format!("{ACCESS_KEY}:{SECRET_KEY}")]);
        curl.args(["--data", "Action=AssumeRole&Version=2011-06-15&DurationSeconds=3600"]);
        let answer = ask(curl.arg(self.url()))?.expect(200)?.text();
        let word = |tag: &str| -> Result<String> {
            let (_, after) = answer.split_once(&format!("<{tag}>")).with_context(|| answer.clone())?;
            Ok(after.split('<').next().unwrap_or_default().to_owned())
        };
        Ok([word("AccessKeyId")?, word("SecretAccessKey")?, word("SessionToken")?])
    }

    /// Ends the server as a power cut would.
    pub fn kill(&self) -> Result<()> {
        let running = self.process.lock().map_or(None, |mut process| process.take());
        running.map_or(Ok(()), |child| end(child, "keep\n"))
    }

    /// Starts it again with what it has stored.
    pub fn resume(&self) -> Result<()> {
        let log = fs::File::options().create(true).append(true).open(self.folder.join("log"))?;
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "sh"]).arg(&self.folder).arg(programs::built("minio")?);
        guard.args(["server", "--quiet", "--address", &self.address()]).arg(self.folder.join("drive"));
        guard.env("MINIO_ROOT_USER", ACCESS_KEY).env("MINIO_ROOT_PASSWORD", SECRET_KEY);
        guard.env("MINIO_SITE_REGION", REGION).env("MINIO_BROWSER", "off").env("MINIO_UPDATE", "off");
        let child = guard.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log).spawn()?;
        if let Ok(mut process) = self.process.lock() {
            *process = Some(child);
        }
        wait::until("the S3 server to answer", Duration::from_mins(1), || {
            let said = || fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            // Whoever asks without a signature is refused by a server that is ready.
            let mut curl = Command::new("curl");
            let answer = ask(curl.arg(format!("{}/{BUCKET}", self.url()))).with_context(said)?;
            answer.expect(403).map(drop)
        })
    }

    fn make_bucket(&self) -> Result<()> {
        let mut curl = Command::new("curl");
        curl.args(["--aws-sigv4", &format!("aws:amz:{REGION}:s3")]);
        curl.args(["--user", &format!("{ACCESS_KEY}:{SECRET_KEY}"), "--request", "PUT"]);
        ask(curl.arg(format!("{}/{BUCKET}", self.url())))?.expect(200).map(drop)
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        let running = self.process.lock().map_or(None, |mut process| process.take());
        if let Some(child) = running {
            // It may have ended already, and then there is nothing more to do.
            let _ended = end(child, "");
        }
    }
}

/// Ends the server by an order to its guard.
fn end(mut child: Child, order: &str) -> Result<()> {
    if let Some(mut guard) = child.stdin.take() {
        std::io::Write::write_all(&mut guard, order.as_bytes())?;
    }
    child.wait()?;
    Ok(())
}
