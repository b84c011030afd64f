//! How fast a large layer reaches the bucket, and in how much memory: figures to compare two commits by, in one run beside what
//! the client library does by itself. Nothing is asserted of them.

use crate::SERVER;
use crate::raw;
use crate::site::{Site, digest};
use anyhow::{Context, Result};
use berth_tests::registry_process::RegistryProcess;
use berth_tests::workspace::{self, Profile};
use bytes::Bytes;
use std::env;
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

const MIB: usize = 1 << 20;

/// How large the layer is.
const LAYER: usize = 1 << 30;

/// The parts that a registry makes of it.
const PART: usize = 10 * MIB;

/// How many of them the library sends at once, as a registry does.
const AT_ONCE: usize = 2;

/// How often each is measured.
const ROUNDS: usize = 3;

/// How many push at the same time, when many do.
const PUSHERS: usize = 16;

#[test]
#[ignore = "it measures; `just measure-s3` prints what it finds"]
fn a_large_layer_is_pushed_beside_the_client_library_by_itself() -> Result<()> {
    let site = Site::new(&SERVER, "measured")?;
    let server = site.serve(program()?)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let client = raw::client(&SERVER.url(), true)?;
    let unsigned = raw::client(&SERVER.url(), false)?;
    let part = Bytes::from(vec![b'r'; PART]);
    let mut rows: Vec<(String, Vec<Duration>)> = Vec::new();
    let mut note = |name: &str, time: Duration| match rows.iter_mut().find(|(row, _)| row == name) {
        Some((_, times)) => times.push(time),
        None => rows.push((name.to_owned(), vec![time])),
    };
    for round in 0..ROUNDS {
        for (way, client) in [("signed", &client), ("unsigned", &unsigned)] {
            let begun = Instant::now();
            let name = format!("raw/{round}-{way}");
            runtime.block_on(raw::upload(client, &name, &part, LAYER.div_ceil(PART), AT_ONCE))?;
            note(&format!("the library, {way}"), begun.elapsed());
            runtime.block_on(raw::clear(client))?;
        }
        let layer = Layer::new(&site, &format!("whole-{round}"), LAYER)?;
        note("PUT with the digest", layer.push_whole(&site)?);
        runtime.block_on(raw::clear(&client))?;
        let layer = Layer::new(&site, &format!("parts-{round}"), LAYER)?;
        let [patch, put] = layer.push_in_steps(&site)?;
        note("PATCH", patch);
        note("PUT with the digest after that", put);
        runtime.block_on(raw::clear(&client))?;
    }
    for (name, times) in &mut rows {
        times.sort();
        println!("{name}: median {:.2?}, of {times:.2?}", times[times.len() / 2]);
    }
    println!("most memory: {:.1} MiB", peak(&server)?);
    server.stop()
}

#[test]
#[ignore = "it measures; `just measure-s3` prints what it finds"]
fn many_layers_are_pushed_at_once() -> Result<()> {
    let site = Site::new(&SERVER, "crowd")?;
    let runtime = tokio::runtime::Runtime::new()?;
    let client = raw::client(&SERVER.url(), true)?;
    for way in [Layer::push_whole, Layer::push_in_two] {
        let server = site.serve(program()?)?;
        let idle = peak(&server)?;
        let layers: Result<Vec<_>> =
            (0..PUSHERS).map(|number| Layer::new(&site, &format!("{number}"), 4 * PART)).collect();
        let layers = layers?;
        let begun = Instant::now();
        thread::scope(|scope| {
            let site = &site;
            let pushes: Vec<_> = layers.iter().map(|layer| scope.spawn(move || way(layer, site))).collect();
            pushes.into_iter().try_for_each(|push| push.join().unwrap().map(drop))
        })?;
        println!(
            "{PUSHERS} layers in {:.2?}: {:.1} MiB at most, {idle:.1} before",
            begun.elapsed(),
            peak(&server)?
        );
        server.stop()?;
        runtime.block_on(raw::clear(&client))?;
    }
    Ok(())
}

/// The program of this commit, or that which `MEASURED_REGISTRY` names, such as that of another one.
fn program() -> Result<PathBuf> {
    match env::var_os("MEASURED_REGISTRY") {
        Some(program) => Ok(program.into()),
        None => Ok(workspace::build(&["berth-registry"], Profile::Profiling)?.join("registry")),
    }
}

/// The most memory that a server had in use, in MiB.
fn peak(server: &RegistryProcess) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{}/status", server.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}

/// A layer that no other is like, in a file.
struct Layer {
    file: PathBuf,
    digest: String,
}

impl Layer {
    fn new(site: &Site, name: &str, length: usize) -> Result<Self> {
        let mut content = vec![b'l'; length];
        let name = format!("{}-{name}", site.port);
        content[..name.len()].copy_from_slice(name.as_bytes());
        let file = site.folder.path().join("layer");
        let file = file.with_extension(&name);
        fs::write(&file, &content)?;
        Ok(Self { file, digest: digest(&content) })
    }

    fn send(&self, site: &Site, method: &str, path: &str) -> Result<berth_tests::http::Answer> {
        let file = self.file.display().to_string();
        let plain = "Content-Type: application/octet-stream";
        site.ask(
            &["--request", method, "--upload-file", &file, "--header", plain, "--header", "Expect:"],
            path,
        )
    }

    /// As containerd does: the digest comes with the bytes.
    fn push_whole(&self, site: &Site) -> Result<Duration> {
        let started = site.ask(&["--request", "POST"], "/v2/team/app/blobs/uploads/")?.expect(202)?;
        let begun = Instant::now();
        self.send(site, "PUT", &self.named(started.header("location").context("no place")?))?.expect(201)?;
        Ok(begun.elapsed())
    }

    fn named(&self, place: &str) -> String {
        format!("{place}{}digest={}", if place.contains('?') { '&' } else { '?' }, self.digest)
    }

    /// As docker does: how long the bytes take, and how long it takes to name them.
    fn push_in_steps(&self, site: &Site) -> Result<[Duration; 2]> {
        let started = site.ask(&["--request", "POST"], "/v2/team/app/blobs/uploads/")?.expect(202)?;
        let begun = Instant::now();
        let sent = self.send(site, "PATCH", started.header("location").unwrap_or_default())?.expect(202)?;
        let patched = begun.elapsed();
        let place = self.named(sent.header("location").context("no place")?);
        let begun = Instant::now();
        site.ask(&["--request", "PUT"], &place)?.expect(201)?;
        Ok([patched, begun.elapsed()])
    }

    fn push_in_two(&self, site: &Site) -> Result<Duration> {
        Ok(self.push_in_steps(site)?.iter().sum())
    }
}

impl Drop for Layer {
    fn drop(&mut self) {
        let _gone = fs::remove_file(&self.file);
    }
}
