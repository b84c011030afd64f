//! `registry retention`: deletes the tags that the rules of a configuration do not keep, or tells which they are.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use berth_registry::repository::{Outgoing, Retention};
use hyper::{Method, Uri};
use serde_json::json;

use super::{
    output::{counted, print_json, print_table},
    runtime,
    server::ServerArguments,
    storage::StorageArguments,
};

#[derive(Debug, clap::Args)]
#[command(
    override_usage = "registry retention [OPTIONS] CONFIG\n       registry retention [OPTIONS] --server URL",
    after_help = "\
        The rules stand in the configuration, under retention.rules. What no rule keeps goes to the trash, from where \
        registry restore brings it back. The garbage collection applies the rules as well, before it collects."
)]
pub(super) struct Arguments {
    /// Tell which tags would be deleted and why, and delete none
    #[arg(short = 'd', long)]
    dry_run: bool,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    storage: StorageArguments,
    #[command(flatten)]
    running: ServerArguments,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let Some(server) = &arguments.running.server else {
        return arguments.storage.with_configured_registry(async |registry| {
            arguments.print(&registry.apply_retention(arguments.dry_run).await?)?;
            Ok(ExitCode::SUCCESS)
        });
    };
    arguments.print(&runtime()?.block_on(arguments.by_server(server))?)?;
    Ok(ExitCode::SUCCESS)
}

impl Arguments {
    async fn by_server(&self, server: &Uri) -> anyhow::Result<Retention> {
        let order = json!({ "dryRun": self.dry_run }).to_string();
        self.running.ask(server, Method::POST, "/v2/_berth/retention", order.into()).await
    }

    fn print(&self, retention: &Retention) -> anyhow::Result<()> {
        if self.json {
            return Ok(print_json(retention)?);
        }
        let heading = ["LAST USED", "TAG", "WHY IT GOES"].map(str::to_owned);
        let rows = retention.deleted.iter().map(|outgoing| {
            let Outgoing { repository, tag, last_used, reason, .. } = outgoing;
            [last_used.to_string(), format!("{repository}:{tag}"), reason.clone()]
        });
        if !retention.deleted.is_empty() {
            print_table(0, &std::iter::once(heading).chain(rows).collect::<Vec<_>>())?;
        }
        let verb = if retention.dry_run { "would go to the trash (dry run)" } else { "went to the trash" };
        let tags = counted(retention.deleted.len() as u64, "tag", "tags");
        writeln!(io::stdout(), "{tags} {verb}; kept: {}", retention.kept)?;
        Ok(())
    }
}
