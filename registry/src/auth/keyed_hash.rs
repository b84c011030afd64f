//! Hashes under a key that lives as long as the process: what is remembered under them tells nothing to whoever reads the
//! memory later, and nobody outside can choose where something is remembered.

use ring::{hmac, rand::SystemRandom};

/// A keyed hash of something.
pub(super) type Tag = [u8; 32];

/// The key.
#[derive(Debug)]
pub(super) struct KeyedHash(Option<hmac::Key>);

impl KeyedHash {
    pub(super) fn new() -> Self {
        Self(hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok())
    }

    /// The tag of these parts; `None` if the system had no randomness for a key, and nothing can be remembered.
    pub(super) fn tag(&self, parts: &[&[u8]]) -> Option<Tag> {
        let mut context = hmac::Context::with_key(self.0.as_ref()?);
        for part in parts {
            // The length keeps ("ab", "c") and ("a", "bc") apart.
            context.update(&part.len().to_be_bytes());
            context.update(part);
        }
        context.sign().as_ref().try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_parts_have_equal_tags_and_others_have_others() {
        let hash = KeyedHash::new();
        assert!(hash.tag(&[b"bob", b"secret"]).is_some());
        assert_eq!(hash.tag(&[b"bob", b"secret"]), hash.tag(&[b"bob", b"secret"]));
        assert_ne!(hash.tag(&[b"bob", b"secret"]), hash.tag(&[b"bobs", b"ecret"]));
        assert_ne!(hash.tag(&[b"bob"]), KeyedHash::new().tag(&[b"bob"]));
    }
}
