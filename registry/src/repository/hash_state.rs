//! The state of a SHA-256 that is not finished, as Go's `crypto/sha256` writes it.
//!
//! Distribution keeps such states beside an upload; so an upload can be begun by one server and finished by
//! the other. The form: `sha\x03`, eight 32-bit words, the block that is not full yet with zeros behind, and
//! the length so far; big-endian.

use sha2::Sha256;
use sha2::digest::common::hazmat::{SerializableState as _, SerializedState};

const MAGIC: &[u8; 4] = b"sha\x03";
const BLOCK: usize = 64;
const GO_LENGTH: usize = 4 + 32 + BLOCK + 8;

/// Where the parts of the state are in the form of the `sha2` crate, which is little-endian and counts
/// blocks.
const WORDS: std::ops::Range<usize> = 0..32;
const BLOCKS: std::ops::Range<usize> = 32..40;
const PENDING: usize = 40;

/// Writes the state of `hasher` down.
pub(super) fn encode(hasher: &Sha256) -> Vec<u8> {
    let state = hasher.serialize();
    let pending = usize::from(state[PENDING]);
    let block = &state[PENDING + 1..][..pending];
    let length = little_endian(&state[BLOCKS]) * BLOCK as u64 + pending as u64;

    let mut go = Vec::with_capacity(GO_LENGTH);
    go.extend_from_slice(MAGIC);
    go.extend(swapped_words(&state[WORDS]));
    go.extend_from_slice(block);
    go.resize(GO_LENGTH - 8, 0);
    go.extend_from_slice(&length.to_be_bytes());
    go
}

/// The hasher of a written state, and how many bytes it has taken in. `None` when the state is damaged.
pub(super) fn decode(go: &[u8]) -> Option<(Sha256, u64)> {
    let rest = go.strip_prefix(MAGIC).filter(|_| go.len() == GO_LENGTH)?;
    let (words, rest) = rest.split_at(32);
    let (block, length) = rest.split_at(BLOCK);
    let length = u64::from_be_bytes(length.try_into().ok()?);
    let pending = usize::try_from(length % BLOCK as u64).ok()?;

    let mut state = SerializedState::<Sha256>::default();
    state[WORDS].copy_from_slice(&swapped_words(words).collect::<Vec<_>>());
    state[BLOCKS].copy_from_slice(&(length / BLOCK as u64).to_le_bytes());
    state[PENDING] = u8::try_from(pending).ok()?;
    state[PENDING + 1..][..pending].copy_from_slice(&block[..pending]);
    Some((Sha256::deserialize(&state).ok()?, length))
}

fn swapped_words(bytes: &[u8]) -> impl Iterator<Item = u8> {
    bytes.chunks(4).flat_map(|word| word.iter().rev().copied())
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use sha2::Digest as _;

    use super::*;

    #[test]
    fn a_hash_goes_on_from_its_written_state() {
        let content: Vec<u8> = (0..=255_u8).cycle().take(1000).collect();
        let whole = Sha256::digest(&content);
        for cut in [0, 1, 63, 64, 65, 127, 128, 999, 1000] {
            let state = encode(&Sha256::new_with_prefix(&content[..cut]));
            let (mut hasher, length) = decode(&state).unwrap();
            assert_eq!(length, cut as u64);
            hasher.update(&content[cut..]);
            assert_eq!(hasher.finalize(), whole, "cut at {cut}");
        }
    }

    #[test]
    fn the_state_is_written_as_go_writes_it() {
        // What `MarshalBinary` of Go's crypto/sha256 gives for "abc": the initial words, then the pending block.
        let abc = "6a09e667bb67ae853c6ef372a54ff53a510e527f9b05688c1f83d9ab5be0cd19616263";
        assert_eq!(hex(&encode(&Sha256::new_with_prefix("abc"))), go_state(abc, 3));

        // And for the bytes 0, 1, 2 … of which there are a thousand: words of fifteen full blocks.
        let content: Vec<u8> = (0..=255_u8).cycle().take(1000).collect();
        let thousand = "dbbb2b134d0fa14b252dac65baa9a3e475c8e283bee1b5f03f3b2d1293f5e692\
                        c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7";
        assert_eq!(hex(&encode(&Sha256::new_with_prefix(&content))), go_state(thousand, 1000));
    }

    /// The whole state: the magic word, what `start` says, zeros up to the end of the block, the length.
    fn go_state(start: &str, length: u64) -> String {
        format!("73686103{start:0<192}{length:016x}")
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    }

    #[test]
    fn a_damaged_state_is_not_believed() {
        let state = encode(&Sha256::new_with_prefix("abc"));
        assert!(decode(&state[..50]).is_none());
        assert!(decode(b"").is_none());
        assert!(decode(&[0; GO_LENGTH]).is_none());
    }
}
