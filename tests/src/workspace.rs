//! This repository as cargo sees it: where it is, and how a program of it is built from within another one.

use anyhow::{Context, Result, ensure};
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How a program is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// As for tests.
    Development,
    /// As it is shipped.
    Release,
    /// For profilers and measurements: nearly as it is shipped, and built in seconds after a change.
    Profiling,
}

impl Profile {
    /// Cargo's name for it, and that of the folder that its programs are in.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Development => ("dev", "debug"),
            Self::Release => ("release", "release"),
            Self::Profiling => ("profiling", "profiling"),
        }
    }
}

/// The root of this repository.
pub fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_path_buf()
}

/// Cargo's output folder.
pub fn target_folder() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Builds the programs of these crates, and returns the folder that they are in.
pub fn build(crates: &[&str], profile: Profile) -> Result<PathBuf> {
    let target = format!("{}-unknown-linux-gnu", env::consts::ARCH);
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--locked", "--quiet", "--target", &target]).current_dir(root());
    cargo.args(crates.iter().flat_map(|name| ["-p", name]));
    let (name, folder) = profile.names();
    cargo.args(["--profile", name]);
    for (name, _) in env::vars_os().filter(|(name, _)| is_about_a_build(&name.to_string_lossy())) {
        cargo.env_remove(name);
    }
    let status = cargo.status().context("cannot start cargo")?;
    ensure!(status.success(), "cargo could not build {} ({status})", crates.join(" and "));
    Ok(target_folder().join(target).join(folder))
}

/// Whether a variable was set by the cargo that runs this program, to describe it. Some build scripts look at these, and what
/// they built for another description would be built again.
fn is_about_a_build(variable: &str) -> bool {
    let prefixes =
        ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE"];
    prefixes.iter().any(|prefix| variable.starts_with(prefix)) || variable == "OUT_DIR"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_user_says_to_cargo_is_passed_on() {
        assert!(!is_about_a_build("CARGO_TARGET_DIR"));
        assert!(!is_about_a_build("CARGO_HOME"));
        assert!(is_about_a_build("CARGO_PKG_NAME"));
        assert!(is_about_a_build("CARGO_MANIFEST_DIR"));
    }
}
