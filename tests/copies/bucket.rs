//! From a folder to a bucket by one command, and back.

use crate::content::Content;
use crate::registries::{copy, list, text};
use anyhow::{Result, ensure};
use berth_tests::s3_server::S3Server;
use std::fs;

#[test]
fn a_folder_becomes_a_bucket_by_one_command() -> Result<()> {
    let content = Content::new(4, 6 << 20)?;
    let s3 = S3Server::start()?;
    let config = content.path("bucket.yml");
    let section = S3Server::section(&s3.url(), "/registry");
    fs::write(&config, format!("version: 0.1\nstorage:\n  s3: {section}\n"))?;
    let (folder, back) = (content.data(), content.path("back"));
    let sent = copy(&[text(&folder)?, text(&config)?])?;
    ensure!(sent["copied"] == 5 && sent["failed"] == serde_json::json!([]), "{sent}");
    let again = copy(&[text(&folder)?, text(&config)?])?;
    ensure!(again["unchanged"] == 5 && again["bytes"] == 0, "{again}");
    let returned = copy(&[text(&config)?, text(&back)?])?;
    ensure!(returned["copied"] == 5 && returned["manifests"] == sent["manifests"], "{returned}");
    for image in ["app:3", "multi:latest"] {
        ensure!(list(&folder, image)?["digest"] == list(&back, image)?["digest"], "{image}");
    }
    Ok(())
}
