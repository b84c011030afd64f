//! Digests as text.

use sha2::{Digest as _, Sha256};

/// The address of these bytes, `sha256:…`.
pub fn sha256(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().fold(String::from("sha256:"), |text, byte| text + &format!("{byte:02x}"))
}
