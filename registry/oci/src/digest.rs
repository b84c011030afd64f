//! Content digests: `algorithm:hex` (image specification, descriptor.md, "Digests").
//!
//! Computing a digest is left to whoever streams the bytes; this file only knows how one is written.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How many digits the longest digest has.
const LONGEST_HEX: usize = 128;

/// The registered hash algorithms that a digest may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// SHA-256, which nearly all content uses.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// The name in front of the colon.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        match text {
            "sha256" => Ok(Self::Sha256),
            "sha512" => Ok(Self::Sha512),
            other => Err(InvalidDigest::Algorithm(other.to_owned())),
        }
    }
}

/// The hash of some content, which is also its address.
///
/// Ordered and compared by algorithm and bytes; small enough to copy.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(Hash);

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Hash {
    Sha256([u8; 32]),
    Sha512([u8; 64]),
}

/// Why a text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDigest {
    /// There is no colon.
    #[error("digest {0:?} has no algorithm: write it as sha256:<64 hexadecimal digits>")]
    Form(String),
    /// The algorithm is not one of ours.
    #[error("digest algorithm {0:?} is not supported: use sha256 or sha512")]
    Algorithm(String),
    /// The part after the colon has a wrong length or a wrong character.
    #[error("a {0} digest has exactly {digits} lower-case hexadecimal digits", digits = digits(*.0))]
    Hex(Algorithm),
}

fn digits(algorithm: Algorithm) -> usize {
    match algorithm {
        Algorithm::Sha256 => 64,
        Algorithm::Sha512 => 128,
    }
}

impl Digest {
    /// The digest whose SHA-256 value is `hash`.
    pub fn sha256(hash: [u8; 32]) -> Self {
        Self(Hash::Sha256(hash))
    }

    /// The digest whose SHA-512 value is `hash`.
    pub fn sha512(hash: [u8; 64]) -> Self {
        Self(Hash::Sha512(hash))
    }

    /// The algorithm in front of the colon.
    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            Hash::Sha256(_) => Algorithm::Sha256,
            Hash::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// The value behind the colon, in lower-case hexadecimal digits.
    pub fn hex(&self) -> String {
        let mut digits = [0; LONGEST_HEX];
        self.write_hex(&mut digits).to_owned()
    }

    /// Writes the digits. A digest is written several times for every request, where formatting it byte by byte would be the
    /// dearest part of a small answer.
    fn write_hex<'a>(&self, digits: &'a mut [u8; LONGEST_HEX]) -> &'a str {
        const DIGITS: [u8; 16] = *b"0123456789abcdef";
        let bytes = self.as_bytes();
        for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        str::from_utf8(&digits[..2 * bytes.len()]).unwrap_or_default()
    }

    /// The value itself: 32 or 64 bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Hash::Sha256(hash) => hash,
            Hash::Sha512(hash) => hash,
        }
    }
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let (algorithm, hex) = text.split_once(':').ok_or_else(|| InvalidDigest::Form(text.to_owned()))?;
        let algorithm = Algorithm::from_str(algorithm)?;
        let hash = match algorithm {
            Algorithm::Sha256 => decode(hex).map(Hash::Sha256),
            Algorithm::Sha512 => decode(hex).map(Hash::Sha512),
        };
        hash.map(Self).ok_or(InvalidDigest::Hex(algorithm))
    }
}

fn decode<const N: usize>(hex: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if hex.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.algorithm().as_str())?;
        f.write_str(":")?;
        f.write_str(self.write_hex(&mut [0; LONGEST_HEX]))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Digest {
    type Error = InvalidDigest;

    fn try_from(text: String) -> Result<Self, InvalidDigest> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_digest_is_written_as_it_was_read() {
        let digest: Digest = EMPTY.parse().unwrap();
        assert_eq!(digest.to_string(), EMPTY);
        assert_eq!(digest.algorithm(), Algorithm::Sha256);
        assert_eq!(digest.hex(), &EMPTY[7..]);

        let long = format!("sha512:{}", "0f".repeat(64));
        assert_eq!(long.parse::<Digest>().unwrap().to_string(), long);
    }

    #[test]
    fn a_digest_that_is_not_one_says_why() {
        let upper = EMPTY.to_uppercase().replace("SHA256", "sha256");
        for (text, expected) in [
            ("", "has no algorithm"),
            ("e3b0", "has no algorithm"),
            ("md5:d41d8cd98f00b204e9800998ecf8427e", "not supported"),
            ("sha256:", "exactly 64"),
            ("sha256:e3b0", "exactly 64"),
            ("sha512:e3b0", "exactly 128"),
            (upper.as_str(), "lower-case"),
            ("sha256:../../../../../../../../../../../../../../../../../../../../../../", "exactly 64"),
        ] {
            let error = text.parse::<Digest>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
