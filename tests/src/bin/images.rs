//! Builds the operator's and the registry's image and says where they are.

use anyhow::Result;
use berth_tests::image::products;
use berth_tests::workspace;
use std::io::{self, Write as _};
use std::path::PathBuf;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let tag = arguments.next().unwrap_or_else(|| "dev".into());
    let folder = arguments.next().map_or_else(|| workspace::target_folder().join("images"), PathBuf::from);
    let mut out = io::stdout().lock();
    for image in products::build(&folder, &tag)? {
        #[expect(clippy::cast_precision_loss, reason = "a size for people, in MiB with one decimal")]
        let mebibytes = image.compressed_size as f64 / 1_048_576.0;
        writeln!(out, "{}  {mebibytes:.1} MiB compressed  {}", image.name, image.digest)?;
        writeln!(out, "  docker load -i {}", image.docker_archive.display())?;
        writeln!(out, "  skopeo copy oci:{}:{tag} docker://HOST/NAME:TAG", image.oci_layout.display())?;
    }
    Ok(())
}
