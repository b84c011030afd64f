//! Writes the `CustomResourceDefinitions` as YAML files, one a resource.
//!
//! `generate [FOLDER]`; the default folder is `manifests` of this crate, whose files a test keeps fresh.

use std::{fs, io, path::PathBuf};

fn main() -> io::Result<()> {
    let folder = std::env::args_os()
        .nth(1)
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("manifests"), PathBuf::from);
    fs::create_dir_all(&folder)?;
    for definition in berth_crds::custom_resource_definitions() {
        let name = definition.metadata.name.as_deref().unwrap_or_default();
        let manifest = serde_yaml::to_string(&definition).map_err(io::Error::other)?;
        fs::write(folder.join(format!("{name}.yaml")), manifest)?;
    }
    Ok(())
}
