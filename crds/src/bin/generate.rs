//! Writes the `CustomResourceDefinitions` as YAML files, one a resource, and the reference page.
//!
//! `generate [FOLDER]`; without a folder, they go to `manifests` of this crate and `REFERENCE.md` beside it, which a test
//! keeps fresh. With one, only the manifests are written, there.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    if let Some(folder) = std::env::args_os().nth(1) {
        return write_manifests(&PathBuf::from(folder));
    }
    write_manifests(&crate_folder.join("manifests"))?;
    fs::write(crate_folder.join("REFERENCE.md"), berth_crds::reference::reference())
}

fn write_manifests(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for definition in berth_crds::custom_resource_definitions() {
        let name = definition.metadata.name.as_deref().unwrap_or_default();
        let manifest = serde_yaml::to_string(&definition).map_err(io::Error::other)?;
        fs::write(folder.join(format!("{name}.yaml")), manifest)?;
    }
    Ok(())
}
