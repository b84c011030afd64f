//! The certificate of all servers, and their user.

use anyhow::{Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const USER: &str = "alice";
const PASSWORD: &str = "correct horse";

/// A certificate for `localhost` that is its own authority.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Certificate {
    /// Makes one in a folder.
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
        fs::write(&certificate, made.cert.pem())?;
        fs::write(&key, made.signing_key.serialize_pem())?;
        Ok(Self { certificate, key })
    }
}

/// Writes the file of users, and returns the header of the one that is in it.
pub(crate) fn htpasswd(berth: &Path, file: &Path) -> Result<String> {
    let output = Command::new(berth).args(["htpasswd", "-Bbn", USER, PASSWORD]).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::write(file, output.stdout)?;
    Ok(format!("Authorization: Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}"))))
}
