//! As much of DER as a public key is written in: elements of a tag, a length and content.

pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const SEQUENCE: u8 = 0x30;

/// Takes an element of this tag off the front of the input, and returns its content.
pub(super) fn take<'a>(input: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (&[found, first], rest) = input.split_first_chunk()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => rest.split_first().map(|(length, rest)| (usize::from(*length), rest))?,
        0x82 => rest.split_first_chunk().map(|(length, rest)| (u16::from_be_bytes(*length).into(), rest))?,
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    *input = rest;
    (found == tag).then_some(content)
}

/// An element of less than 64 KiB.
pub(super) fn element(tag: u8, content: &[u8]) -> Option<Vec<u8>> {
    let [high, low] = u16::try_from(content.len()).ok()?.to_be_bytes();
    let mut element = match (high, low) {
        (0, 0..=0x7f) => vec![tag, low],
        (0, _) => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    element.extend_from_slice(content);
    Some(element)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_of_every_length_come_back() {
        for length in [0, 1, 127, 128, 255, 256, 65_535] {
            let content = vec![7; length];
            let mut written = element(SEQUENCE, &content).unwrap();
            written.push(9);
            let mut input = &*written;
            assert_eq!(take(&mut input, SEQUENCE), Some(&*content), "{length}");
            assert_eq!(input, [9]);
        }
        assert_eq!(element(SEQUENCE, &vec![0; 65_536]), None);
    }

    #[test]
    fn what_is_cut_off_or_of_another_tag_is_not_taken() {
        for mut input in
            [&[][..], &[0x30], &[0x30, 1], &[0x30, 0x81], &[0x30, 0x82, 1], &[0x30, 0x84, 0], &[2, 0]]
        {
            assert_eq!(take(&mut input, SEQUENCE), None);
        }
    }
}
