//! The cgroups that hold the pods, one in each hierarchy.

use super::network::Network;
use super::wait;
use anyhow::{Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The kubelet puts its pods below this; it wants it to exist.
pub(crate) fn create(network: &Network) -> Result<()> {
    for folder in folders(network)? {
        fs::create_dir_all(folder)?;
    }
    Ok(())
}

/// Removes them, the innermost first, when the last process in them has ended.
pub(crate) fn remove(network: &Network) -> Result<()> {
    for folder in folders(network)? {
        wait::until("the pods to end", Duration::from_secs(30), || {
            remove_tree(&folder);
            ensure!(!folder.exists(), "{} is still in use", folder.display());
            Ok(())
        })?;
    }
    Ok(())
}

fn folders(network: &Network) -> Result<Vec<PathBuf>> {
    let root = Path::new("/sys/fs/cgroup");
    if root.join("cgroup.controllers").exists() {
        return Ok(vec![root.join(network.name())]);
    }
    let hierarchies = fs::read_dir(root)?.collect::<Result<Vec<_>, _>>()?;
    Ok(hierarchies
        .iter()
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.path().join(network.name()))
        .collect())
}

/// A cgroup's files cannot be removed, and vanish with it. One that is in use stays.
fn remove_tree(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_tree(&entry.path());
        }
    }
    let _in_use = fs::remove_dir(folder);
}
