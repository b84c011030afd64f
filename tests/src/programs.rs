//! Where the foreign programs are that `tests/install` put into the user's cache folder. It builds nothing itself.

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules below `tests/tools`, in the order in which a program is looked for.
const MODULES: [&str; 8] =
    ["kubernetes", "dns", "containers", "clients", "helm", "conformance", "s3", "distribution"];

/// The path of a program that `tests/install` builds, such as `kubectl`.
///
/// A folder named by `KUBEBUILDER_ASSETS` comes first.
pub fn built(name: &str) -> Result<PathBuf> {
    let assets = path_variable("KUBEBUILDER_ASSETS");
    let modules = MODULES.iter().map(|module| folder(module)).collect::<Result<Vec<_>>>()?;
    assets
        .into_iter()
        .chain(modules)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
        .with_context(|| format!("the program {name} is missing; run tests/install"))
}

/// The path of a program that comes from a Debian package, such as `skopeo`.
pub fn packaged(name: &str) -> Result<PathBuf> {
    let system = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    match system.iter().map(|folder| Path::new(folder).join(name)).find(|program| program.is_file()) {
        Some(program) => Ok(program),
        None => bail!("the program {name} is missing; run tests/install"),
    }
}

/// Berth's folder in the user's cache folder.
pub fn cache() -> Result<PathBuf> {
    let cache = path_variable("XDG_CACHE_HOME")
        .or_else(|| path_variable("HOME").map(|home| home.join(".cache")))
        .context("neither XDG_CACHE_HOME nor HOME is set, so there is no cache folder")?;
    Ok(cache.join("berth"))
}

/// The path that an environment variable holds; an empty one counts as not set, as shells have it.
pub fn path_variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Where the programs of one module are; `tests/install` computes the same.
fn folder(module: &str) -> Result<PathBuf> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools").join(module);
    let hash = hash_of_files(&sources).with_context(|| format!("cannot read {}", sources.display()))?;
    Ok(cache()?.join("tools").join(hash).join("bin"))
}

fn hash_of_files(folder: &Path) -> Result<String> {
    let mut files = files_below(folder)?;
    // By bytes, as `LC_ALL=C sort` does; paths compare by component.
    files.sort_by(|one, other| one.as_os_str().cmp(other.as_os_str()));
    let mut hasher = Sha256::new();
    for file in files {
        hasher.update(fs::read(file)?);
    }
    Ok(hasher.finalize().iter().take(8).fold(String::new(), |text, byte| text + &format!("{byte:02x}")))
}

fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let found = if path.is_dir() { files_below(&path)? } else { vec![path] };
        files.extend(found);
    }
    Ok(files)
}
