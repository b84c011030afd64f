//! Public keys that verify tokens, and the names that issuers give them.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use rustls::pki_types::alg_id::{ECDSA_P256, ECDSA_P384, ED25519, RSA_ENCRYPTION};

use super::der::{BIT_STRING, INTEGER, SEQUENCE, element, take};

/// The shortest modulus of RSA, in bytes: 2048 bits.
const SHORTEST_MODULUS: usize = 256;
const LONGEST_MODULUS: usize = 1024;

/// A key of a kind that is supported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::auth) enum PublicKey {
    /// Modulus and exponent, without zeros in front.
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// A point of NIST's curve, not compressed.
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl PublicKey {
    /// A key of RSA, if its length is one that is safe and bearable.
    pub(super) fn rsa(n: &[u8], e: &[u8]) -> Option<Self> {
        let (n, e) = (without_zeros(n), without_zeros(e));
        let is_fit = (SHORTEST_MODULUS..=LONGEST_MODULUS).contains(&n.len()) && (1..=4).contains(&e.len());
        is_fit.then(|| Self::Rsa { n: n.to_vec(), e: e.to_vec() })
    }

    /// A point of a curve by its name in JSON Web Keys.
    pub(super) fn elliptic(curve: &str, x: &[u8], y: &[u8]) -> Option<Self> {
        let point =
            |length: usize| (x.len() == length && y.len() == length).then(|| [&[4][..], x, y].concat());
        match curve {
            "P-256" => point(32).map(Self::P256),
            "P-384" => point(48).map(Self::P384),
            _ => None,
        }
    }

    /// A point of Edwards' curve.
    pub(in crate::auth) fn edwards(x: &[u8]) -> Option<Self> {
        (x.len() == 32).then(|| Self::Ed25519(x.to_vec()))
    }

    /// Reads the content of a `SubjectPublicKeyInfo`.
    pub(super) fn from_info(mut info: &[u8]) -> Option<Self> {
        let algorithm = take(&mut info, SEQUENCE)?;
        let (0, key) = take(&mut info, BIT_STRING)?.split_first()? else { return None };
        match algorithm {
            _ if algorithm == RSA_ENCRYPTION.as_ref() => {
                let mut numbers = take(&mut &*key, SEQUENCE)?;
                Self::rsa(take(&mut numbers, INTEGER)?, take(&mut numbers, INTEGER)?)
            }
            _ if algorithm == ED25519.as_ref() => Self::edwards(key),
            _ => {
                let (4, point) = key.split_first()? else { return None };
                let (x, y) = point.split_at(point.len() / 2);
                match algorithm {
                    _ if algorithm == ECDSA_P256.as_ref() => Self::elliptic("P-256", x, y),
                    _ if algorithm == ECDSA_P384.as_ref() => Self::elliptic("P-384", x, y),
                    _ => None,
                }
            }
        }
    }

    /// The names that Distribution 3 knows the key by: its thumbprint (RFC 7638), and the same without the zeros in front of
    /// coordinates, which Distribution leaves out.
    pub(in crate::auth) fn thumbprints(&self) -> Vec<String> {
        let encode = |number: &[u8]| URL_SAFE_NO_PAD.encode(number);
        let hash = |text: String| encode(digest(&SHA256, text.as_bytes()).as_ref());
        let of_curve = |curve: &str, x: &[u8], y: &[u8]| {
            hash(format!(r#"{{"crv":"{curve}","kty":"EC","x":"{}","y":"{}"}}"#, encode(x), encode(y)))
        };
        match self {
            Self::Rsa { n, e } => {
                vec![hash(format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, encode(e), encode(n)))]
            }
            Self::Ed25519(x) => {
                vec![hash(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, encode(x)))]
            }
            Self::P256(point) | Self::P384(point) => {
                let curve = if matches!(self, Self::P256(_)) { "P-256" } else { "P-384" };
                let (x, y) = point[1..].split_at(point.len() / 2);
                vec![of_curve(curve, x, y), of_curve(curve, without_zeros(x), without_zeros(y))]
            }
        }
    }
}

/// The name that Distribution 2 knows a key by: of the hash of its `SubjectPublicKeyInfo`, whose content this is, the first
/// 240 bits in base 32, in groups of four.
pub(super) fn fingerprint(info: &[u8]) -> Option<String> {
    let hash = digest(&SHA256, &element(SEQUENCE, info)?);
    let letters: Vec<char> = base32(&hash.as_ref()[..30]);
    Some(letters.chunks(4).map(String::from_iter).collect::<Vec<_>>().join(":"))
}

/// Five bits a letter; as many as there are.
fn base32(bytes: &[u8]) -> Vec<char> {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bit = |at: usize| usize::from(bytes[at / 8] >> (7 - at % 8) & 1);
    let letter = |at: usize| (0..5).fold(0, |value, offset| value << 1 | bit(at * 5 + offset));
    (0..bytes.len() * 8 / 5).map(|at| char::from(ALPHABET[letter(at)])).collect()
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thumbprint_of_the_specification_comes_out() {
        // RFC 7638, section 3.1, and RFC 8037, appendix A.3.
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let key = PublicKey::rsa(&URL_SAFE_NO_PAD.decode(n).unwrap(), &[0, 1, 0, 1]).unwrap();
        assert_eq!(key.thumbprints(), ["NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"]);
        let x = URL_SAFE_NO_PAD.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        let key = PublicKey::edwards(&x).unwrap();
        assert_eq!(key.thumbprints(), ["kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"]);
    }

    #[test]
    fn five_bits_are_a_letter() {
        assert_eq!(String::from_iter(base32(b"foobar1234")), "MZXW6YTBOIYTEMZU");
    }

    #[test]
    fn keys_that_are_too_short_or_off_their_length_are_none() {
        assert_eq!(PublicKey::rsa(&[1; 128], &[1, 0, 1]), None);
        assert_eq!(PublicKey::rsa(&[1; 256], &[]), None);
        assert_eq!(PublicKey::elliptic("P-256", &[1; 31], &[1; 32]), None);
        assert_eq!(PublicKey::elliptic("P-521", &[1; 66], &[1; 66]), None);
        assert_eq!(PublicKey::edwards(&[1; 31]), None);
        assert_eq!(PublicKey::from_info(&[]), None);
    }
}
