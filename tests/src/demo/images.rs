//! The images that are pushed to the registry, and the one that pushes as CI does.

use crate::image::products::Written;
use crate::image::{Image, Recipe};
use crate::programs;
use anyhow::Result;
use std::path::Path;

const TAG: &str = "1";

/// An image that says hello and ends. `words` is a file in it, so that each greeting is an image of its own.
pub fn hello(folder: &Path, words: &str) -> Result<Written> {
    let recipe = Recipe::new()
        .program("hello", programs::built("hello")?)
        .text("words", words)
        .user(65532)
        .starts(&["/hello"], &[]);
    write(&recipe, folder, "hello")
}

/// An image of `crane` that holds the archive of another image at `/image.tar`, to push it.
pub fn ci(folder: &Path, pushed: &Written) -> Result<Written> {
    let recipe = Recipe::new()
        .program("crane", programs::built("crane")?)
        .file("image.tar", &pushed.docker_archive)
        .directory("tmp", 65532)
        .user(65532)
        .starts(&["/crane"], &[]);
    write(&recipe, folder, "berth-ci")
}

fn write(recipe: &Recipe, folder: &Path, name: &str) -> Result<Written> {
    let image = Image::pack(recipe)?;
    let written = Written {
        name: format!("localhost/{name}:{TAG}"),
        digest: image.digest(),
        compressed_size: image.compressed_size(),
        oci_layout: folder.join(name),
        docker_archive: folder.join(format!("{name}.tar")),
    };
    image.write_oci_layout(&written.oci_layout, TAG)?;
    image.write_docker_archive(&written.docker_archive, &written.name)?;
    Ok(written)
}
