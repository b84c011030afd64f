//! The suite's program, and how all of its tests are switched on.

use anyhow::Result;
use berth_tests::programs::built;
use berth_tests::registry_server::{PASSWORD, RegistryServer, USER};
use std::path::Path;
use std::process::Command;

/// What is left out unless it is asked for, because 1.1 does not demand it.
const OPTIONAL: [&str; 5] = [
    "OCI_API_BLOBS_DIGEST_HEADER",
    "OCI_API_BLOBS_UPLOAD_CANCEL",
    "OCI_API_MANIFESTS_DIGEST_HEADER",
    "OCI_API_MANIFESTS_TAG_PARAM",
    "OCI_DATA_SPARSE",
];

/// The suite's program, to run against the server; it leaves its report in the folder.
pub(crate) fn command(version: &str, server: &RegistryServer, folder: &Path) -> Result<Command> {
    let mut command = Command::new(built("conformance")?);
    command.env_clear().current_dir(folder).env("OCI_VERSION", version);
    command.envs(OPTIONAL.map(|test| (test, "true")));
    command.env("OCI_REGISTRY", server.host()).env("SSL_CERT_FILE", server.ca_file());
    command.env("OCI_RESULTS_DIR", folder);
    if !server.is_open() {
        command.env("OCI_USERNAME", USER).env("OCI_PASSWORD", PASSWORD);
    }
    Ok(command)
}
