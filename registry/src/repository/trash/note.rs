//! One note in the trash, and its name.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use berth_oci::{Digest, MediaType, Reference, RepositoryName, Tag};
use berth_storage::Key;
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::repository::layout;

/// Something that was deleted and can be brought back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trashed {
    /// The manifest.
    pub digest: Digest,
    /// Its kind.
    pub media_type: MediaType,
    /// The tag that was deleted; without one it was the manifest itself.
    pub tag: Option<Tag>,
    /// When it was deleted.
    pub deleted_at: Timestamp,
    /// The user who deleted it, or what did so, if that is known.
    pub deleted_by: Option<String>,
    /// Until when it can be brought back.
    pub until: Timestamp,
}

impl Trashed {
    /// Whether the reference names it: its tag, or its manifest.
    pub fn is_of(&self, reference: &Reference) -> bool {
        match reference {
            Reference::Tag(tag) => self.tag.as_ref() == Some(tag),
            Reference::Digest(digest) => self.digest == *digest,
        }
    }

    pub(super) fn encode(&self) -> Bytes {
        // A document of texts and times can always be written.
        serde_json::to_vec(self).unwrap_or_default().into()
    }

    /// The note in these bytes; `None` when they are damaged.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// A time as the trash tells it.
pub(super) fn to_microseconds(time: SystemTime) -> Timestamp {
    let time = Timestamp::try_from(time).unwrap_or(Timestamp::MAX);
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}

/// The digest and the name of the note at `key`.
pub(super) fn parse(key: &Key, repository: &RepositoryName) -> Option<(Digest, NoteName)> {
    let (digest, name) = layout::parts_of_trashed_manifest(key, repository)?;
    Some((digest, name.parse().ok()?))
}

/// The name of the note, or of the link, at `key`.
pub(super) fn name_of(key: &Key) -> Option<NoteName> {
    key.as_str().rsplit('/').next()?.parse().ok()
}

/// The name of a note: `<until>-<random>`, in microseconds since 1970 and hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoteName {
    until: Timestamp,
    /// Tells it from others of the same time.
    random: u32,
}

impl NoteName {
    /// A new name for a note that holds until then.
    pub(super) fn new(until: SystemTime) -> Self {
        Self { until: to_microseconds(until), random: Uuid::new_v4().as_fields().0 }
    }

    /// Until when the note holds.
    pub(super) fn until(&self) -> Timestamp {
        self.until
    }
}

impl fmt::Display for NoteName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:017}-{:08x}", self.until.as_microsecond(), self.random)
    }
}

/// A text that is the name of no note.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoNote;

impl FromStr for NoteName {
    type Err = NoNote;

    fn from_str(text: &str) -> Result<Self, NoNote> {
        let (until, random) = text.split_once('-').ok_or(NoNote)?;
        let until = Timestamp::from_microsecond(until.parse().map_err(|_| NoNote)?).map_err(|_| NoNote)?;
        Ok(Self { until, random: u32::from_str_radix(random, 16).map_err(|_| NoNote)? })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_name_of_a_note_tells_until_when_it_holds() {
        let until = SystemTime::UNIX_EPOCH + Duration::from_micros(1_790_000_000_123_456);
        let name = NoteName::new(until);
        assert!(name.to_string().starts_with("01790000000123456-"), "{name}");
        assert_eq!(name.to_string().parse(), Ok(name));
        assert_eq!(SystemTime::from(name.until()), until);
        assert_ne!(NoteName::new(until), name, "two notes of one moment differ");
    }

    #[test]
    fn other_names_are_those_of_no_note() {
        for text in ["", "link", "1-", "-1", "x-00000000"] {
            assert_eq!(text.parse::<NoteName>(), Err(NoNote), "{text}");
        }
    }
}
