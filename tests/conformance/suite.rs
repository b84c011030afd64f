//! The suites: where their programs are, and how all of their tests are switched on.

use anyhow::Result;
use berth_tests::programs::{built, path_variable};
use berth_tests::registry_server::{PASSWORD, RegistryServer, USER};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Pairs of a name and a value.
type Pairs = &'static [(&'static str, &'static str)];

/// A program that tests a registry.
pub(crate) struct Suite {
    program: PathBuf,
    rounds: &'static [Round],
    /// What every round has in common.
    variables: Pairs,
    may_be_skipped: Pairs,
    /// The variable for the server's address, and what stands before its host there.
    address: (&'static str, &'static str),
}

/// One pass through a suite.
#[derive(Clone, Copy)]
pub(crate) struct Round {
    pub(crate) name: &'static str,
    variables: Pairs,
}

/// In the suite that is installed, everything is switched on by hand.
const INSTALLED: Pairs = &[
    ("OCI_NAMESPACE", "conformance/one"),
    ("OCI_CROSSMOUNT_NAMESPACE", "conformance/another"),
    ("OCI_TEST_PULL", "1"),
    ("OCI_TEST_PUSH", "1"),
    ("OCI_TEST_CONTENT_DISCOVERY", "1"),
    ("OCI_TEST_CONTENT_MANAGEMENT", "1"),
    ("OCI_AUTOMATIC_CROSSMOUNT", "1"),
];

/// It cleans up in one of two orders.
const ORDERS_OF_DELETION: &[Round] = &[
    Round { name: "manifests-first", variables: &[("OCI_DELETE_MANIFEST_BEFORE_BLOBS", "1")] },
    Round { name: "blobs-first", variables: &[("OCI_DELETE_MANIFEST_BEFORE_BLOBS", "0")] },
];

/// Its tests that cannot run beside their counterparts, with the reason.
const COUNTERPARTS: Pairs = &[
    ("Get tag name from environment", "for registries that cannot be pushed to"),
    ("Populate registry with test tags (no push)", "for registries that cannot be pushed to"),
    ("Cross-mounting of nonexistent blob should yield session id", "for a mount that was not done"),
    (
        "Cross-mounting without from, and automatic content discovery disabled should return a 202",
        "for registries that do not look for a blob themselves",
    ),
];

/// What a newer suite leaves out unless it is asked for.
const NEWER: Pairs = &[
    ("OCI_API_BLOBS_DIGEST_HEADER", "true"),
    ("OCI_API_BLOBS_UPLOAD_CANCEL", "true"),
    ("OCI_API_MANIFESTS_DIGEST_HEADER", "true"),
    ("OCI_API_MANIFESTS_TAG_PARAM", "true"),
    ("OCI_DATA_SPARSE", "true"),
];

const VERSIONS: &[Round] = &[
    Round { name: "1.1", variables: &[("OCI_VERSION", "1.1")] },
    Round { name: "dev", variables: &[("OCI_VERSION", "dev")] },
];

impl Suite {
    /// The one that `CONFORMANCE_SUITE` names, or the one that is installed.
    pub(crate) fn chosen() -> Result<Self> {
        Ok(match path_variable("CONFORMANCE_SUITE") {
            Some(program) => Self {
                program,
                rounds: VERSIONS,
                variables: NEWER,
                may_be_skipped: &[],
                address: ("OCI_REGISTRY", ""),
            },
            None => Self {
                program: built("conformance")?,
                rounds: ORDERS_OF_DELETION,
                variables: INSTALLED,
                may_be_skipped: COUNTERPARTS,
                address: ("OCI_ROOT_URL", "https://"),
            },
        })
    }

    pub(crate) fn rounds(&self) -> impl Iterator<Item = Round> {
        self.rounds.iter().copied()
    }

    /// The ends of the names of tests that may be skipped, with the reason.
    pub(crate) fn reasons_to_skip(&self) -> Pairs {
        self.may_be_skipped
    }

    /// The suite's program, to run against the server; it leaves its report in the folder.
    pub(crate) fn command(&self, round: &Round, server: &RegistryServer, folder: &Path) -> Command {
        let (variable, scheme) = self.address;
        let mut command = Command::new(&self.program);
        command.env_clear().current_dir(folder);
        command.envs(self.variables.iter().chain(round.variables).copied());
        command
            .env(variable, format!("{scheme}{}", server.host()))
            .env("OCI_RESULTS_DIR", folder)
            .env("OCI_REPORT_DIR", folder);
        command.env("SSL_CERT_FILE", server.ca_file());
        if !server.is_open() {
            command.env("OCI_USERNAME", USER).env("OCI_PASSWORD", PASSWORD);
        }
        command
    }
}
