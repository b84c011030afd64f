//! Garbage collections of many small images, every other of which has no tag.

use crate::content::{Blob, Image, Tree};
use crate::measurement::{Definition, Sample, Unit, float, process};
use crate::server::{Server, configuration};
use crate::site::Site;
use anyhow::{Context, Result, ensure};
use berth_tests::programs::packaged;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const REPOSITORY: &str = "bench/collected";
/// How often the memory of the collector is looked at.
const LOOK: Duration = Duration::from_millis(2);

/// Who may use the storage meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beside {
    /// Nobody, as the original asks for.
    Nobody,
    /// Servers, for whose sake garbage rests for a moment before it is deleted.
    Servers,
}

/// Measures both sizes, of the original only the smaller one, for which it takes more than a minute.
pub(super) fn measure(site: &mut Site) -> Result<()> {
    let [few, many] = site.sizes.manifests;
    let both: &[Server] = &[Server::Original, Server::Berth];
    let rows =
        [(few, both, Beside::Nobody), (many, &both[1..], Beside::Nobody), (few, &both[1..], Beside::Servers)];
    for (count, servers, beside) in rows {
        let how = if beside == Beside::Servers { " beside servers" } else { "" };
        let operation = format!("garbage collection of {count} manifests{how}");
        let definition = Definition::new(operation, Unit::Milliseconds, servers[0].name());
        if !site.wants(&definition) {
            continue;
        }
        for _ in 0..site.options.rounds {
            for server in site.wanted(servers) {
                let measured = collect(site, server, count, beside);
                site.note(&definition, server.name(), measured)?;
            }
        }
    }
    Ok(())
}

/// One collection of a tree of its own.
fn collect(site: &Site, server: Server, count: usize, beside: Beside) -> Result<Sample> {
    let data = site.empty()?;
    let [kept, deleted] = write(data.path(), count)?;
    let file = site.folder().join("collected.conf");
    fs::write(&file, configuration(&site.open(data.path()), 0))?;
    site.settle();
    let mut command = command(site, server, &file, beside)?;
    let sample = watch(&mut command, count)?;
    let tree = Tree::at(data.path());
    ensure!(tree.has(&kept) && !tree.has(&deleted), "the wrong blobs are left");
    Ok(sample)
}

fn command(site: &Site, server: Server, file: &Path, beside: Beside) -> Result<Command> {
    let mut command = match server {
        Server::Berth => Command::new(&site.berth),
        _ => Command::new(packaged("docker-registry")?),
    };
    command.env_clear().args(["garbage-collect", "-m"]).arg(file);
    if server == Server::Berth {
        command.arg("--min-age=0s");
        command.args((beside == Beside::Nobody).then_some("--offline"));
    }
    Ok(command)
}

/// Writes the images, and returns a layer that is to be kept and one that is not.
fn write(root: &Path, count: usize) -> Result<[Blob; 2]> {
    let tree = Tree::at(root);
    let mut last = [(); 2].map(|()| Image::random(&[1024]));
    for number in 0..count {
        let image = Image::random(&[1024]);
        tree.enter(REPOSITORY, &image)?;
        if number % 2 == 0 {
            tree.tag(REPOSITORY, &format!("image-{number}"), &image.manifest_blob())?;
        }
        last[number % 2] = image;
    }
    Ok(last.map(|image| image.blobs()[1].clone()))
}

/// Runs it to its end. What it has cost is read while the kernel still remembers it.
fn watch(command: &mut Command, count: usize) -> Result<Sample> {
    let start = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let pid = Pid::from_child(&child);
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let mut peak = 0;
    while waitid(WaitId::Pid(pid), options)?.is_none() {
        peak = process::memory(child.id(), "VmHWM:")?.max(peak);
        thread::park_timeout(LOOK);
    }
    let time = start.elapsed();
    let cpu = process::cpu(child.id())?;
    ensure!(child.wait()?.success(), "{} failed", command.get_program().display());
    let count = u64::try_from(count).context("a count")?;
    Ok(Sample {
        value: time.as_secs_f64() * 1000.0,
        cpu: Some(cpu.as_secs_f64() / float(count) * 1000.0),
        peak: Some(float(peak) / 1_048_576.0),
        ..Sample::default()
    })
}
