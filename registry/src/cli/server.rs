//! The running server that a command asks, in place of working on the storage itself.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use berth_registry::http_client::{Answer, Client};
use bytes::Bytes;
use hyper::{Method, Request, StatusCode, Uri};
use rustls::pki_types::{InvalidDnsNameError, ServerName};
use serde::de::DeserializeOwned;

/// How a running server is reached.
#[derive(Debug, clap::Args)]
#[group(id = "running-server")]
#[command(next_help_heading = "With a running server")]
pub(super) struct ServerArguments {
    #[arg(long, value_name = "URL", help = "Address of the server, such as https://registry.example.com")]
    pub(super) server: Option<Uri>,
    /// User who has the rights that this needs
    #[arg(long, value_name = "USER", requires = "server", requires = "password_file")]
    username: Option<String>,
    /// File that holds the user's password
    #[arg(long, value_name = "FILE", requires = "username")]
    password_file: Option<PathBuf>,
    /// PEM file of the authorities that may have signed the server's certificate
    #[arg(long, value_name = "FILE", requires = "server")]
    ca_file: Option<PathBuf>,
}

impl ServerArguments {
    /// Sends a request to `server`, and reads the document that it answers with.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        server: &Uri,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> anyhow::Result<T> {
        let request = Request::builder().method(method).uri(path).body(body)?;
        let answer = self.client(server)?.send(request).await?;
        read(&answer)
    }

    fn client(&self, server: &Uri) -> anyhow::Result<Client> {
        ensure!(
            server.path() == "/" || server.path().is_empty(),
            "the server must be written without a path, not as {server}"
        );
        let client = Client::new(server, self.ca_file.as_deref())?;
        match (&self.username, &self.password_file) {
            (Some(user), Some(file)) => Ok(client.with_credentials(user, &read_password(file)?)?),
            _ => Ok(client),
        }
    }
}

pub(super) fn read_password(path: &Path) -> anyhow::Result<String> {
    let password = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the password file {}", path.display()))?;
    Ok(password.trim_end_matches(['\r', '\n']).to_owned())
}

/// Reads the name in a certificate.
pub(super) fn server_name(text: &str) -> Result<ServerName<'static>, InvalidDnsNameError> {
    ServerName::try_from(text.to_owned())
}

fn read<T: DeserializeOwned>(answer: &Answer) -> anyhow::Result<T> {
    if answer.status != StatusCode::OK {
        bail!("the server answered {}: {}", answer.status, String::from_utf8_lossy(&answer.body).trim());
    }
    serde_json::from_slice(&answer.body).context("the server's answer is not what this program expects")
}
