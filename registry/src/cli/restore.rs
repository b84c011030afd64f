//! `registry restore`: brings back what was deleted, on the storage itself or by a running server.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use berth_registry::repository::{Registry, Restored, Trashed};
use bytes::Bytes;
use hyper::{Method, Uri};
use serde::Deserialize;
use serde_json::json;

use super::{
    image_name::ImageName,
    output::{print_json, print_table},
    runtime,
    server::ServerArguments,
    storage::StorageArguments,
};

#[derive(Debug, clap::Args)]
#[command(
    override_usage = "registry restore [OPTIONS] REPOSITORY[:TAG|@DIGEST] [CONFIG]\n       \
        registry restore [OPTIONS] --server URL REPOSITORY[:TAG|@DIGEST]",
    after_help = "\
        Deleted tags, manifests and repositories rest in the trash for 24 hours, unless trash.window says otherwise. \
        A tag comes back as it was last deleted, a digest with its tags, and a repository with everything that it has in the \
        trash. Tags that were pushed to meanwhile are left, unless --force moves them back."
)]
pub(super) struct Arguments {
    /// What to bring back
    #[arg(value_name = "REPOSITORY[:TAG|@DIGEST]")]
    image: ImageName,
    /// Print what is in the trash of the repository, and bring nothing back
    #[arg(short, long)]
    list: bool,
    /// Move tags back that were pushed to meanwhile
    #[arg(long, conflicts_with = "list")]
    force: bool,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    storage: StorageArguments,
    #[command(flatten)]
    running: ServerArguments,
}

/// What a server answers; of a list, and of a restoration.
#[derive(Deserialize)]
struct TrashList {
    trash: Vec<Trashed>,
}

#[derive(Deserialize)]
struct RestoredManifests {
    restored: Vec<Restored>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    match &arguments.running.server {
        Some(server) => runtime()?.block_on(arguments.by_server(server))?,
        None => {
            return arguments.storage.with_registry(async |registry| arguments.on_storage(&registry).await);
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Arguments {
    async fn on_storage(&self, registry: &Registry) -> anyhow::Result<ExitCode> {
        let repository = registry.repository(self.image.repository.clone());
        if self.list {
            self.print_trash(&self.of_image(repository.trash().list().await?))?;
        } else {
            let reference = self.image.reference.as_ref();
            self.print_restored(&repository.trash().restore(reference, self.force).await?)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn by_server(&self, server: &Uri) -> anyhow::Result<()> {
        let extension = format!("/v2/{}/_berth", self.image.repository);
        if self.list {
            let path = format!("{extension}/trash");
            let list: TrashList = self.running.ask(server, Method::GET, &path, Bytes::new()).await?;
            return self.print_trash(&self.of_image(list.trash));
        }
        let reference = self.image.reference.as_ref().map(|reference| format!("&reference={reference}"));
        let path = format!("{extension}/restore?force={}{}", self.force, reference.unwrap_or_default());
        let answer: RestoredManifests = self.running.ask(server, Method::POST, &path, Bytes::new()).await?;
        self.print_restored(&answer.restored)
    }

    /// What of the trash was asked for.
    fn of_image(&self, trash: Vec<Trashed>) -> Vec<Trashed> {
        let Some(reference) = &self.image.reference else { return trash };
        trash.into_iter().filter(|trashed| trashed.is_of(reference)).collect()
    }

    fn print_trash(&self, trash: &[Trashed]) -> anyhow::Result<()> {
        if self.json {
            return Ok(print_json(&json!({ "repository": self.image.repository, "trash": trash }))?);
        }
        let heading = ["DELETED", "UNTIL", "DIGEST", "BY", "TAG"].map(str::to_owned);
        let rows = trash.iter().map(|trashed| {
            let tag = trashed.tag.as_ref().map(ToString::to_string);
            [
                trashed.deleted_at.strftime("%FT%TZ").to_string(),
                trashed.until.strftime("%FT%TZ").to_string(),
                trashed.digest.hex()[..12].to_owned(),
                trashed.deleted_by.clone().unwrap_or_else(|| "-".to_owned()),
                tag.unwrap_or_default(),
            ]
        });
        Ok(print_table(0, &std::iter::once(heading).chain(rows).collect::<Vec<_>>())?)
    }

    fn print_restored(&self, restored: &[Restored]) -> anyhow::Result<()> {
        let repository = &self.image.repository;
        for tag in restored.iter().flat_map(|one| &one.left) {
            writeln!(
                io::stderr(),
                "{repository}:{tag} was pushed to meanwhile and is left; --force moves it back"
            )?;
        }
        if self.json {
            return Ok(print_json(&json!({ "repository": repository, "restored": restored }))?);
        }
        for Restored { digest, tags, .. } in restored {
            writeln!(io::stdout(), "restored {repository}@{digest}")?;
            for tag in tags {
                writeln!(io::stdout(), "restored {repository}:{tag}")?;
            }
        }
        if restored.is_empty() {
            writeln!(io::stderr(), "nothing of {repository} is in the trash")?;
        }
        Ok(())
    }
}
