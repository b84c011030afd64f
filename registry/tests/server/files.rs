//! Blobs that leave from files: whoever reads them, in whatever way, gets their bytes or a connection that breaks off.

use std::{
    fs::{self, File, OpenOptions},
    os::unix::fs::FileExt,
    path::PathBuf,
    time::Duration,
};

use berth_registry::{config::Listen, server::Limits};
use http_body_util::BodyExt;
use hyper::Request;
use tempfile::{TempDir, tempdir};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
};

use crate::{
    certificates::{Authority, secured},
    fixture::{Running, Setup},
    http2::{self, Body},
    raw::{Raw, digest_of},
};

/// More than what lies in all buffers between a server and its client.
const LARGE: usize = 24 << 20;

/// A folder with blobs, of which nobody has looked whether they have their digest.
struct Blobs(TempDir);

impl Blobs {
    fn new() -> Self {
        Self(tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        let digest = digest_of(name.as_bytes());
        let hex = digest.strip_prefix("sha256:").unwrap();
        self.0.path().join(format!("docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]))
    }

    /// Makes a blob without bytes and returns its file.
    fn create(&self, name: &str) -> File {
        let digest = digest_of(name.as_bytes());
        let hex = digest.strip_prefix("sha256:").unwrap();
        let link = format!("docker/registry/v2/repositories/app/_layers/sha256/{hex}/link");
        let (path, link) = (self.path(name), self.0.path().join(link));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        fs::write(link, &digest).unwrap();
        File::create_new(path).unwrap()
    }

    /// Makes a blob of so many bytes.
    fn push(&self, name: &str, length: usize) -> Vec<u8> {
        let content = noise(length);
        self.create(name).write_all_at(&content, 0).unwrap();
        content
    }

    async fn serve(&self) -> Running {
        Setup::new().over(self.0.path()).start().await
    }
}

/// Bytes of which no two places look alike.
fn noise(length: usize) -> Vec<u8> {
    let mut random = Random(length as u64 + 1);
    let words = std::iter::repeat_with(|| random.next().to_le_bytes()).take(length / 8 + 1);
    words.flatten().take(length).collect()
}

/// Numbers that look random and are the same each time (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        for (left, by) in [(true, 13), (false, 7), (true, 17)] {
            self.0 ^= if left { self.0 << by } else { self.0 >> by };
        }
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }
}

fn request(method: &str, name: &str, headers: &str) -> String {
    let digest = digest_of(name.as_bytes());
    format!("{method} /v2/app/blobs/{digest} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")
}

fn get(name: &str) -> String {
    request("GET", name, "")
}

fn get_range(name: &str, range: &str) -> String {
    request("GET", name, &format!("Range: bytes={range}\r\n"))
}

/// Reads the next answer: its status and its body.
async fn answer<T: AsyncRead + AsyncWrite + Unpin>(raw: &mut Raw<T>) -> (u16, Vec<u8>) {
    let head = raw.next_head().await.unwrap();
    let length = head.header("content-length").map_or(0, |length| length.parse().unwrap());
    (head.status, raw.bytes(length).await)
}

/// Asks for a blob over this connection, twice and in part, and compares.
async fn assert_reads<T: AsyncRead + AsyncWrite + Unpin>(raw: &mut Raw<T>, name: &str, content: &[u8]) {
    for _ in 0..2 {
        raw.send(get(name)).await;
        assert!(answer(raw).await == (200, content.to_vec()));
        raw.send(get_range(name, "70000-2000000")).await;
        assert!(answer(raw).await == (206, content[70_000..=2_000_000].to_vec()));
    }
}

#[tokio::test]
async fn a_blob_is_the_same_over_every_kind_of_connection() {
    let (blobs, folder, authority) = (Blobs::new(), tempdir().unwrap(), Authority::new());
    let content = blobs.push("blob", 5_000_003);
    let plain = blobs.serve().await;
    assert_reads(&mut plain.raw().await, "blob", &content).await;

    let secured = secured(folder.path(), &authority).over(blobs.0.path()).start().await;
    let stream = authority.client().connect(&secured).await.unwrap();
    assert_reads(&mut Raw::new(stream), "blob", &content).await;

    let path = folder.path().join("registry.sock");
    let mut setup = Setup::new().over(blobs.0.path());
    setup.config.http.listen = Listen::Unix(path.clone());
    let _local = setup.start().await;
    assert_reads(&mut Raw::new(UnixStream::connect(&path).await.unwrap()), "blob", &content).await;
}

#[tokio::test]
async fn a_blob_is_the_same_in_every_stream_of_http2() {
    let (blobs, folder, authority) = (Blobs::new(), tempdir().unwrap(), Authority::new());
    let contents = [blobs.push("a", 3_000_001), blobs.push("b", 1 << 20), blobs.push("c", 70_000)];
    let mut plain = Setup::new().over(blobs.0.path());
    plain.config.http.h2c = true;
    let (plain, secured) =
        (plain.start().await, secured(folder.path(), &authority).over(blobs.0.path()).start().await);
    let mut client = authority.client();
    client.protocols = &["h2"];
    for mut sender in [
        http2::speak(plain.connect().await).await.unwrap(),
        http2::speak(client.connect(&secured).await.unwrap()).await.unwrap(),
    ] {
        let answers = ["a", "b", "c", "a"].map(|name| {
            let url = format!("http://localhost/v2/app/blobs/{}", digest_of(name.as_bytes()));
            sender.send_request(Request::get(url).body(Body::default()).unwrap())
        });
        let bodies =
            futures::future::join_all(answers.map(|answer| async {
                answer.await.unwrap().into_body().collect().await.unwrap().to_bytes()
            }));
        for (body, index) in bodies.await.into_iter().zip([0, 1, 2, 0]) {
            assert!(body == contents[index], "{index}");
        }
    }
    // HTTP/1.1 is spoken at the same port, and sends files.
    assert_reads(&mut plain.raw().await, "a", &contents[0]).await;
}

#[tokio::test]
async fn what_has_no_body_takes_none_from_a_file() {
    let blobs = Blobs::new();
    let content = blobs.push("blob", 100_000);
    let server = blobs.serve().await;
    let mut raw = server.raw().await;
    let known = format!("If-None-Match: \"{}\"\r\n", digest_of(b"blob"));
    raw.send(request("HEAD", "blob", "") + &request("GET", "blob", &known) + &get("absent")).await;
    raw.send(get_range("blob", "100000-") + &get_range("blob", "-0") + &get("blob")).await;
    let head = raw.next_head().await.unwrap();
    assert_eq!((head.status, head.header("content-length")), (200, Some("100000")));
    assert_eq!(raw.next_head().await.unwrap().status, 304);
    for status in [404, 416, 416] {
        assert_eq!(answer(&mut raw).await.0, status);
    }
    assert!(answer(&mut raw).await == (200, content));
}

#[tokio::test]
async fn a_blob_without_bytes_and_one_of_a_single_byte_are_served() {
    let blobs = Blobs::new();
    let (_, content) = (blobs.push("empty", 0), blobs.push("byte", 1));
    let server = blobs.serve().await;
    let mut raw = server.raw().await;
    raw.send(get("empty") + &get("byte") + &get_range("byte", "-1")).await;
    assert_eq!(answer(&mut raw).await, (200, Vec::new()));
    assert_eq!(answer(&mut raw).await, (200, content.clone()));
    assert_eq!(answer(&mut raw).await, (206, content));
}

/// Asks at random, often before the last answer has been read, and reads in steps of random length.
async fn ask_at_random(server: &Running, blobs: &[(&str, Vec<u8>)], seed: u64) {
    let (mut random, mut raw) = (Random(seed), server.raw().await);
    for _ in 0..30 {
        let expected: Vec<(String, &[u8])> = (0..=random.below(4)).map(|_| ask(&mut random, blobs)).collect();
        raw.send(expected.iter().map(|(request, _)| request.as_str()).collect::<String>()).await;
        for (request, body) in expected {
            let head = raw.next_head().await.unwrap();
            assert_eq!(head.header("content-length"), Some(&*body.len().to_string()), "{request}");
            let mut read = 0;
            while read < body.len() {
                let step = raw.bytes((1 + random.below(300_000)).min(body.len() - read)).await;
                assert!(step == body[read..read + step.len()], "{seed}: {read} of {request}");
                read += step.len();
            }
        }
    }
}

/// One request, and the body of its answer.
fn ask<'a>(random: &mut Random, blobs: &'a [(&str, Vec<u8>)]) -> (String, &'a [u8]) {
    let (name, content) = &blobs[random.below(blobs.len())];
    let (first, last) = (random.below(content.len()), random.below(content.len()));
    let (first, last) = (first.min(last), first.max(last));
    match random.below(4) {
        0 => (get(name), content),
        1 => (get_range(name, &format!("{first}-{last}")), &content[first..=last]),
        2 => (get_range(name, &format!("{first}-")), &content[first..]),
        _ => (get_range(name, &format!("-{}", last + 1)), &content[content.len() - last - 1..]),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_at_random_get_the_bytes_that_they_ask_for() {
    let blobs = Blobs::new();
    let sizes = [("tiny", 10), ("small", 16_385), ("medium", 300_000), ("large", (2 << 20) + 1)];
    let contents = sizes.map(|(name, length)| (name, blobs.push(name, length)));
    let server = blobs.serve().await;
    futures::future::join_all((1..=6).map(|seed| ask_at_random(&server, &contents, seed))).await;
}

#[tokio::test]
async fn offsets_beyond_four_gigabytes_are_no_other_than_those_before() {
    let blobs = Blobs::new();
    let file = blobs.create("vast");
    file.set_len(5 << 30).unwrap();
    let server = blobs.serve().await;
    let mut raw = server.raw().await;
    for edge in [1_u64 << 31, 1 << 32, (5 << 30) - 3_000_000] {
        let first = edge - 2_000_000;
        let content = noise(5_000_000);
        file.write_all_at(&content, first).unwrap();
        raw.send(get_range("vast", &format!("{first}-{}", first + 4_999_999))).await;
        assert!(answer(&mut raw).await == (206, content), "{edge}");
    }
    raw.send(get("vast")).await;
    assert_eq!(raw.next_head().await.unwrap().header("content-length"), Some("5368709120"));
    assert!(raw.bytes(3 << 20).await == vec![0; 3 << 20]);
}

#[tokio::test]
async fn a_client_that_leaves_disturbs_nobody() {
    let blobs = Blobs::new();
    let content = blobs.push("large", LARGE);
    let server = blobs.serve().await;
    let mut stays = server.raw().await;
    stays.send(get("large")).await;
    for read in [0, 1, 70_000, 2 << 20] {
        let mut leaves = server.raw().await;
        leaves.send(get("large") + &get_range("large", "5-9")).await;
        assert_eq!(leaves.bytes(read).await.len(), read);
    }
    assert!(answer(&mut stays).await == (200, content));
}

/// Begins to read a blob, and stops after its head.
async fn begin(server: &Running, name: &str) -> Raw<TcpStream> {
    let mut raw = server.raw().await;
    raw.send(get(name)).await;
    assert_eq!(raw.next_head().await.unwrap().status, 200);
    raw
}

#[tokio::test]
async fn a_client_that_stops_reading_is_let_go() {
    let blobs = Blobs::new();
    let content = blobs.push("large", LARGE);
    let soon = |limits| Limits { stall: Duration::from_millis(50), ..limits };
    let server = Setup::new().over(blobs.0.path()).with_limits(soon).start().await;
    let mut raw = begin(&server, "large").await;
    server.signals.unbounded_send(()).unwrap();
    // It ends although the client holds the connection: only the limit can have ended that.
    server.end.await.unwrap();
    let read = raw.bytes(LARGE).await;
    assert!(read.len() < LARGE && read == content[..read.len()]);
}

#[tokio::test]
async fn a_server_that_ends_lets_a_blob_come_to_its_end() {
    let blobs = Blobs::new();
    let content = blobs.push("large", LARGE);
    let server = blobs.serve().await;
    let mut raw = begin(&server, "large").await;
    server.signals.unbounded_send(()).unwrap();
    assert!(raw.bytes(LARGE).await == content);
    server.end.await.unwrap();
    raw.assert_closed().await;
}

#[tokio::test]
async fn a_file_that_is_deleted_meanwhile_is_read_to_its_end() {
    let blobs = Blobs::new();
    let content = blobs.push("large", LARGE);
    let server = blobs.serve().await;
    let mut raw = begin(&server, "large").await;
    fs::remove_file(blobs.path("large")).unwrap();
    assert!(raw.bytes(LARGE).await == content);
    raw.send(get("large")).await;
    assert_eq!(answer(&mut raw).await.0, 404);
}

#[tokio::test]
async fn a_file_that_is_cut_meanwhile_breaks_the_connection_off() {
    let blobs = Blobs::new();
    let content = blobs.push("large", LARGE);
    let server = blobs.serve().await;
    let mut raw = begin(&server, "large").await;
    let file = OpenOptions::new().write(true).open(blobs.path("large")).unwrap();
    file.set_len(LARGE as u64 - (1 << 20)).unwrap();
    let read = raw.bytes(LARGE).await;
    assert!(read.len() < LARGE && read == content[..read.len()]);
    raw.assert_closed().await;
}
