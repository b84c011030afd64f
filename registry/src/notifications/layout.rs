//! Where events wait in the storage: `docker/registry/v2/_berth/notifications/<endpoint>/…`, a folder of our own beside
//! those of Distribution, which its walks never enter. Nobody else builds these keys.
//!
//! Events wait in *batches*, one object each, whose names tell without reading in which order they were written, what
//! they hold and how much of it.

use std::{fmt, str::FromStr};

use berth_storage::Key;

/// The folder of all endpoints.
pub(super) fn root() -> Key {
    ["docker", "registry", "v2", "_berth", "notifications"]
        .into_iter()
        .fold(Key::default(), |key, word| key.join(word))
}

/// The folder of an endpoint. `%` is written as keys write what may not stand in them, so that no two names meet.
pub(super) fn endpoint(name: &str) -> Key {
    root().join(name.replace('%', "%25"))
}

/// The batches that wait for an endpoint.
pub(super) fn queue(endpoint: &str) -> Key {
    self::endpoint(endpoint).join("queue")
}

/// Who delivers to an endpoint at the moment.
pub(super) fn lease(endpoint: &str) -> Key {
    self::endpoint(endpoint).join("lease")
}

/// The name of a batch: `<stamp>-<writer>-<kind>-<length>`. The order of the names is the order of the stamps.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BatchName {
    /// When it was written, in microseconds since 1970; grows with every batch of a writer.
    pub(super) stamp: u64,
    /// The process that wrote it.
    pub(super) writer: u32,
    /// What it holds.
    pub(super) kind: BatchKind,
    /// How many events it holds.
    pub(super) length: u32,
}

/// What a batch holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum BatchKind {
    /// Pushes, mounts and deletions.
    Changes,
    /// Pulls.
    Pulls,
}

impl fmt::Display for BatchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            BatchKind::Changes => "changes",
            BatchKind::Pulls => "pulls",
        };
        write!(f, "{:017}-{:08x}-{kind}-{}", self.stamp, self.writer, self.length)
    }
}

/// A name that no batch has.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoBatch;

impl FromStr for BatchName {
    type Err = NoBatch;

    fn from_str(text: &str) -> Result<Self, NoBatch> {
        let words: Vec<_> = text.split('-').collect();
        let [stamp, writer, kind, length] = words[..] else { return Err(NoBatch) };
        let name = Self {
            stamp: stamp.parse().map_err(|_| NoBatch)?,
            writer: u32::from_str_radix(writer, 16).map_err(|_| NoBatch)?,
            kind: match kind {
                "changes" => BatchKind::Changes,
                "pulls" => BatchKind::Pulls,
                _ => return Err(NoBatch),
            },
            length: length.parse().map_err(|_| NoBatch)?,
        };
        // A name that is written in another way would be looked for under this one.
        if name.to_string() == text { Ok(name) } else { Err(NoBatch) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_endpoint_has_a_folder_of_its_own() {
        assert_eq!(queue("mail").as_str(), "docker/registry/v2/_berth/notifications/mail/queue");
        assert_eq!(lease("a/b").as_str(), "docker/registry/v2/_berth/notifications/a%2Fb/lease");
        assert_ne!(endpoint("a/b"), endpoint("a%2Fb"));
    }

    #[test]
    fn the_name_of_a_batch_is_read_back() {
        let name =
            BatchName { stamp: 1_790_000_000_000_000, writer: 0xab, kind: BatchKind::Pulls, length: 64 };
        assert_eq!(name.to_string(), "01790000000000000-000000ab-pulls-64");
        assert_eq!(name.to_string().parse(), Ok(name));
        for text in ["", "lease", "1-2-pulls-3", "01790000000000000-000000ab-pulls-064", "a-b-changes-c"] {
            assert_eq!(text.parse::<BatchName>(), Err(NoBatch), "{text}");
        }
    }

    #[test]
    fn names_are_ordered_as_they_were_written() {
        let name =
            |stamp, writer| BatchName { stamp, writer, kind: BatchKind::Changes, length: 1 }.to_string();
        assert!(name(999_999_999_999_999, 9) < name(1_000_000_000_000_000, 1));
    }
}
