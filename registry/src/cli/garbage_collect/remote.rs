//! The garbage collection of a running server: asks for it, waits for its end, and reports it.

use std::{path::Path, process::ExitCode, time::Duration};

use anyhow::{Context, bail, ensure};
use berth_registry::{
    http_client::{Answer, Client},
    repository::{Run, RunState},
};
use bytes::Bytes;
use hyper::{Request, StatusCode, Uri, header::CONTENT_TYPE};
use serde_json::{Value, json};

use super::{
    arguments::{Arguments, Remote},
    printed, termination_message,
};
use crate::cli::runtime;

const PATH: &str = "/v2/_berth/garbage-collection";

/// How often the server is asked how far it is.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How often in a row the server may fail to answer, for example because it is restarted.
const PATIENCE: usize = 60;

pub(super) fn run(server: &Uri, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let remote = &arguments.remote;
    let result = runtime()?.block_on(collect(server, arguments));
    if let Some(path) = &remote.termination_log {
        let message = termination_message::of(&result, arguments.dry_run)?;
        std::fs::write(path, message).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let run = result?;
    printed::print(&run, arguments)?;
    Ok(if run.state == RunState::Failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn collect(server: &Uri, arguments: &Arguments) -> anyhow::Result<Run> {
    let remote = &arguments.remote;
    let order = json!({
        "deleteUntagged": arguments.delete_untagged,
        "minimumAgeSeconds": arguments.min_age.as_secs(),
        "quarantineSeconds": remote.quarantine.map(|quarantine| quarantine.as_secs()),
        "finish": remote.finish,
        "dryRun": arguments.dry_run,
    });
    let order = Bytes::from(order.to_string());
    loop {
        let mut client = client(server, remote)?;
        let request = Request::post(PATH).header(CONTENT_TYPE, "application/json").body(order.clone())?;
        let answer = client.send(request).await?;
        // A run that goes on already does what this one would do, unless only one of the two is a dry run.
        let run = read(&answer, &[StatusCode::ACCEPTED, StatusCode::CONFLICT])?;
        if !remote.wait {
            return Ok(run);
        }
        let is_another = answer.status == StatusCode::CONFLICT && run.dry_run != arguments.dry_run;
        match wait(client, run, remote).await {
            _ if is_another => {}
            ended => return ended,
        }
    }
}

fn client(server: &Uri, remote: &Remote) -> anyhow::Result<Client> {
    ensure!(
        server.path() == "/" || server.path().is_empty(),
        "the server must be written without a path, not as {server}"
    );
    let mut client = Client::new(server, remote.ca_file.as_deref())?;
    if let Some(name) = &remote.server_name {
        client = client.with_server_name(name.clone());
    }
    authorized(client, remote)
}

/// The client with the credentials of the moment: a password that is a token is replaced in its file before it expires.
fn authorized(client: Client, remote: &Remote) -> anyhow::Result<Client> {
    Ok(match credentials(remote)? {
        Some((user, password)) => client.with_credentials(&user, &password)?,
        None => client,
    })
}

async fn wait(mut client: Client, mut run: Run, remote: &Remote) -> anyhow::Result<Run> {
    let mut started = run.started_at;
    let mut failures = 0;
    while run.state == RunState::Running {
        tokio::time::sleep(POLL_INTERVAL).await;
        client = authorized(client, remote)?;
        match client.send(Request::get(PATH).body(Bytes::new())?).await {
            Ok(answer) => {
                run = read(&answer, &[StatusCode::OK])?;
                // Of a run that has just begun elsewhere, it may not have been told when.
                started = started.or(run.started_at);
                failures = 0;
            }
            Err(error) if failures == PATIENCE => return Err(error.into()),
            Err(_) => failures += 1,
        }
    }
    ensure!(
        run.state != RunState::Idle && run.started_at == started,
        "the server was restarted in the middle of the garbage collection; start it again"
    );
    Ok(run)
}

fn read(answer: &Answer, expected: &[StatusCode]) -> anyhow::Result<Run> {
    if !expected.contains(&answer.status) {
        bail!("the server answered {}: {}", answer.status, told(&answer.body));
    }
    serde_json::from_slice(&answer.body)
        .context("the server's answer is not a report of a garbage collection")
}

/// The messages of an answer as the specification has it, or the whole of another one.
fn told(body: &[u8]) -> String {
    let document: Value = serde_json::from_slice(body).unwrap_or_default();
    let errors = document["errors"].as_array().into_iter().flatten();
    let messages: Vec<&str> = errors.filter_map(|error| error["message"].as_str()).collect();
    if messages.is_empty() { String::from_utf8_lossy(body).trim().to_owned() } else { messages.join("; ") }
}

/// The user and the password.
fn credentials(arguments: &Remote) -> anyhow::Result<Option<(String, String)>> {
    let Some(user) = arguments.username.clone() else { return Ok(None) };
    let password = match &arguments.password_file {
        Some(path) => read_password(path)?,
        None => std::env::var("REGISTRY_GC_PASSWORD").context(
            "the password is missing: name its file with --password-file, or set REGISTRY_GC_PASSWORD",
        )?,
    };
    Ok(Some((user, password)))
}

fn read_password(path: &Path) -> anyhow::Result<String> {
    let password = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the password file {}", path.display()))?;
    Ok(password.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_refusal_the_message_is_told_and_of_anything_else_the_whole() {
        assert_eq!(told(br#"{"errors": [{"code": "DENIED", "message": "no right"}]}"#), "no right");
        assert_eq!(told(b"<html>bad gateway</html>\n"), "<html>bad gateway</html>");
    }
}
