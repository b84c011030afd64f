//! The state of a hash that is not finished, as Go's `crypto/sha256` and `crypto/sha512` write it.
//!
//! Distribution keeps such states beside an upload; so an upload can be begun by one server and finished by
//! the other. The form: a word that names the algorithm, eight words of state, the block that is not full yet
//! with zeros behind, and the length so far; big-endian.

use berth_oci::Algorithm;
use sha2::digest::common::hazmat::{SerializableState, SerializedState};
use sha2::{Sha256, Sha512};

use super::hasher::Hasher;

/// Where the parts of a state are. The `sha2` crate writes the words of state and the number of full blocks, both
/// little-endian, then the length of the pending block and its bytes.
struct Form {
    /// The name that Go gives the algorithm.
    magic: [u8; 4],
    /// The length of a word in bytes; there are eight.
    word: usize,
    /// The length of the number of blocks in the form of the crate, in bytes.
    counter: usize,
    /// The length of a block in bytes.
    block: usize,
}

const SHA256: Form = Form { magic: *b"sha\x03", word: 4, counter: 8, block: 64 };
const SHA512: Form = Form { magic: *b"sha\x07", word: 8, counter: 16, block: 128 };

/// The length of the length.
const LENGTH: usize = 8;

/// Writes the state of `hasher` down.
pub(super) fn encode(hasher: &Hasher) -> Vec<u8> {
    match hasher {
        Hasher::Sha256(hasher) => SHA256.to_go(&hasher.serialize()),
        Hasher::Sha512(hasher) => SHA512.to_go(&hasher.serialize()),
    }
}

/// The hasher of a written state, and how many bytes it has taken in. `None` when the state is damaged.
pub(super) fn decode(algorithm: Algorithm, go: &[u8]) -> Option<(Hasher, u64)> {
    match algorithm {
        Algorithm::Sha256 => {
            let (hasher, length) = SHA256.revive::<Sha256>(go)?;
            Some((Hasher::Sha256(hasher), length))
        }
        Algorithm::Sha512 => {
            let (hasher, length) = SHA512.revive::<Sha512>(go)?;
            Some((Hasher::Sha512(hasher), length))
        }
    }
}

impl Form {
    fn words(&self) -> usize {
        8 * self.word
    }

    fn to_go(&self, state: &[u8]) -> Vec<u8> {
        let (words, rest) = state.split_at(self.words());
        let (blocks, rest) = rest.split_at(self.counter);
        let (pending, block) = rest.split_at(1);
        let pending = usize::from(pending[0]);
        let length = little_endian(blocks) * self.block as u64 + pending as u64;

        let mut go = self.magic.to_vec();
        go.extend(self.swapped(words));
        go.extend_from_slice(&block[..pending]);
        go.resize(self.magic.len() + self.words() + self.block, 0);
        go.extend_from_slice(&length.to_be_bytes());
        go
    }

    fn revive<H: SerializableState>(&self, go: &[u8]) -> Option<(H, u64)> {
        let rest = go.strip_prefix(&self.magic)?;
        if rest.len() != self.words() + self.block + LENGTH {
            return None;
        }
        let (words, rest) = rest.split_at(self.words());
        let (block, length) = rest.split_at(self.block);
        let length = u64::from_be_bytes(length.try_into().ok()?);
        let pending = length % self.block as u64;

        let mut state: Vec<u8> = self.swapped(words).collect();
        state.extend_from_slice(&(length / self.block as u64).to_le_bytes());
        state.resize(self.words() + self.counter, 0);
        state.push(u8::try_from(pending).ok()?);
        state.extend_from_slice(&block[..usize::try_from(pending).ok()?]);
        state.resize(self.words() + self.counter + self.block, 0);
        let state = SerializedState::<H>::try_from(state.as_slice()).ok()?;
        Some((H::deserialize(&state).ok()?, length))
    }

    fn swapped(&self, words: &[u8]) -> impl Iterator<Item = u8> {
        words.chunks(self.word).flat_map(|word| word.iter().rev().copied())
    }
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hasher(algorithm: Algorithm, content: impl AsRef<[u8]>) -> Hasher {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(content.as_ref());
        hasher
    }

    fn thousand() -> Vec<u8> {
        (0..=255_u8).cycle().take(1000).collect()
    }

    #[test]
    fn a_hash_goes_on_from_its_written_state() {
        let content = thousand();
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let whole = hasher(algorithm, &content).finish();
            for cut in [0, 1, 63, 64, 65, 127, 128, 129, 999, 1000] {
                let state = encode(&hasher(algorithm, &content[..cut]));
                let (mut hasher, length) = decode(algorithm, &state).unwrap();
                assert_eq!(length, cut as u64);
                hasher.update(&content[cut..]);
                assert_eq!(hasher.finish(), whole, "{algorithm} cut at {cut}");
            }
        }
    }

    #[test]
    fn the_state_is_written_as_go_writes_it() {
        // What `MarshalBinary` of Go's crypto/sha256 gives for "abc": the initial words, then the pending block.
        let abc = "6a09e667bb67ae853c6ef372a54ff53a510e527f9b05688c1f83d9ab5be0cd19616263";
        assert_eq!(hex(&encode(&hasher(Algorithm::Sha256, "abc"))), go_state(abc, 3));

        // And for the bytes 0, 1, 2 … of which there are a thousand: words of fifteen full blocks.
        let content = "dbbb2b134d0fa14b252dac65baa9a3e475c8e283bee1b5f03f3b2d1293f5e692\
                       c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7";
        assert_eq!(hex(&encode(&hasher(Algorithm::Sha256, thousand()))), go_state(content, 1000));
    }

    /// The whole state: the magic word, what `start` says, zeros up to the end of the block, the length.
    fn go_state(start: &str, length: u64) -> String {
        format!("73686103{start:0<192}{length:016x}")
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    }

    #[test]
    fn the_long_state_is_written_as_go_writes_it() {
        // What `MarshalBinary` of Go's crypto/sha512 gives for "abc".
        let words = "6a09e667f3bcc908bb67ae8584caa73b3c6ef372fe94f82ba54ff53a5f1d36f1510e527fade682d19b05688c2b3e6c1f1f83d9abfb41bd6b5be0cd19137e2179";
        let expected = format!("73686107{words}{:0<256}{:016x}", "616263", 3);
        assert_eq!(hex(&encode(&hasher(Algorithm::Sha512, "abc"))), expected);
    }

    #[test]
    fn a_damaged_state_is_not_believed() {
        let state = encode(&hasher(Algorithm::Sha256, "abc"));
        assert!(decode(Algorithm::Sha256, &state[..50]).is_none());
        assert!(decode(Algorithm::Sha512, &state).is_none());
        assert!(decode(Algorithm::Sha256, b"").is_none());
        assert!(decode(Algorithm::Sha256, &vec![0; state.len()]).is_none());
    }
}
