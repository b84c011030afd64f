//! One run: its options, its folder, and the rows that it has measured so far.

use crate::content::{Size, Sizes};
use crate::measurement::{Definition, Row, Sample};
use crate::options::Options;
use crate::report::Report;
use crate::server::{Certificate, Running, Server, Setup, htpasswd};
use anyhow::{Context, Result};
use berth_tests::workspace::{self, Profile};
use std::fs;
use std::io::{Write as _, stderr};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Where it all happens.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) options: Options,
    pub(crate) sizes: Sizes,
    pub(crate) certificate: Certificate,
    /// The header of the user that servers with users know.
    pub(crate) authorization: String,
    /// Our program.
    pub(crate) berth: PathBuf,
    folder: TempDir,
    rows: Vec<Row>,
}

impl Site {
    /// Builds the registry unless the options name one.
    pub(crate) fn new(options: Options) -> Result<Self> {
        let berth = options.registry.clone().map_or_else(build, |path| Ok(fs::canonicalize(path)?));
        let berth = berth.context("there is no program to measure")?;
        let parent = options.folder.clone().unwrap_or_else(|| workspace::target_folder().join("bench"));
        fs::create_dir_all(&parent)?;
        let folder = TempDir::new_in(fs::canonicalize(parent)?)?;
        let certificate = Certificate::new(folder.path())?;
        let authorization = htpasswd(&berth, &folder.path().join("htpasswd"))?;
        let sizes = Sizes::of(options.size);
        Ok(Self { options, sizes, certificate, authorization, berth, folder, rows: Vec::new() })
    }

    /// The folder of configurations and logs.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// An empty folder for the data of one server.
    pub(crate) fn empty(&self) -> Result<TempDir> {
        Ok(TempDir::new_in(self.folder())?)
    }

    /// How servers are started that everybody may ask for everything over plain HTTP.
    pub(crate) fn open<'a>(&'a self, data: &'a Path) -> Setup<'a> {
        let (berth, folder) = (self.berth.as_path(), self.folder());
        Setup { berth, folder, data, bucket: None, has_users: false, certificate: None }
    }

    /// Those of the servers that are to be measured.
    pub(crate) fn wanted(&self, servers: &[Server]) -> Vec<Server> {
        servers.iter().copied().filter(|server| self.options.wants_server(server.name())).collect()
    }

    /// Starts them.
    pub(crate) fn start(&self, servers: &[Server], setup: &Setup<'_>) -> Result<Vec<Running>> {
        self.wanted(servers).into_iter().map(|server| Running::start(server, setup)).collect()
    }

    /// Lets what others have written go to the disk before it is measured, and not meanwhile.
    pub(crate) fn settle(&self) {
        // A busy disk takes its time, and small rows tell nothing anyway.
        if self.options.size == Size::Full {
            rustix::fs::sync();
        }
    }

    /// Whether a row is to be measured.
    pub(crate) fn wants(&self, definition: &Definition) -> bool {
        self.options.wants(&definition.operation)
    }

    /// Notes what was measured, and tells whoever waits; not what has only come along with a row that is wanted.
    pub(crate) fn note(
        &mut self,
        definition: &Definition,
        server: &str,
        measured: Result<Sample>,
    ) -> Result<()> {
        if !self.wants(definition) {
            return Ok(());
        }
        let position = self.rows.iter().position(|row| row.definition == *definition);
        let position = position.unwrap_or(self.rows.len());
        if position == self.rows.len() {
            self.rows.push(Row { definition: definition.clone(), results: Vec::new() });
        }
        let results = self.rows[position].of_mut(server);
        let (operation, unit) = (&definition.operation, definition.unit.name());
        match measured {
            Ok(sample) => {
                writeln!(stderr(), "{operation}: {server}: {:.1} {unit}", sample.value)?;
                results.samples.push(sample);
            }
            Err(error) => {
                writeln!(stderr(), "{operation}: {server}: {error:#}")?;
                results.failure = Some(format!("{error:#}"));
            }
        }
        Ok(())
    }

    /// What has been measured.
    pub(crate) fn report(self) -> Report {
        Report::new(&self.options, self.rows)
    }
}

fn build() -> Result<PathBuf> {
    Ok(workspace::build(&["berth-registry"], Profile::Release)?.join("registry"))
}
