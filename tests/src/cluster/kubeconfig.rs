//! The file by which a client finds the API server and proves who it is.

use super::State;
use super::certificates::{Authority, Pair};
use anyhow::Result;
use serde_json::json;
use std::path::PathBuf;

/// Writes a kubeconfig file for one client.
pub(crate) fn write(
    state: &State,
    relative: &str,
    server: &str,
    authority: &Authority<'_>,
    client: &Pair,
) -> Result<PathBuf> {
    let document = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "berth", "cluster": { "server": server, "certificate-authority": authority.pair().certificate } }],
        "users": [{ "name": "berth", "user": { "client-certificate": client.certificate, "client-key": client.key } }],
        "contexts": [{ "name": "berth", "context": { "cluster": "berth", "user": "berth" } }],
        "current-context": "berth",
    });
    state.write(relative, &serde_yaml::to_string(&document)?)
}
