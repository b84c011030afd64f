//! How much of everything there is.

use clap::ValueEnum;

/// The size of the whole benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Size {
    /// Every row, in seconds: whether the benchmark works.
    Small,
    /// What is to be known.
    Full,
    /// Ten times as much of it, and ten times as many clients: whether what a request costs stays the same. Best with `--only`.
    Large,
}

/// How many times as much there is of everything when it is large.
const TIMES: usize = 10;

/// The numbers and sizes that a run has.
#[derive(Debug, Clone)]
pub(crate) struct Sizes {
    /// The blobs that are asked for, in bytes; the last is also that of the layer that is pushed.
    pub(crate) blobs: [u64; 3],
    /// How much of a blob is asked for at once.
    pub(crate) range: u64,
    /// The connections that manifests are asked for with.
    pub(crate) connections: [usize; 3],
    /// How many clients pull images.
    pub(crate) pulls: [usize; 2],
    /// How many images are pushed, and of how many the manifests are asked for in turn.
    pub(crate) images: usize,
    /// The size of each of their five layers.
    pub(crate) layer: usize,
    /// How many tags a repository has whose tags are listed.
    pub(crate) tags: usize,
    /// How many repositories are listed.
    pub(crate) repositories: usize,
    /// How long a page of those lists is.
    pub(crate) page: usize,
    /// How many manifests there are when the garbage is collected, half of them without a tag.
    pub(crate) manifests: [usize; 2],
}

impl Sizes {
    /// Those of a run.
    pub(crate) fn of(size: Size) -> Self {
        match size {
            Size::Small => Self {
                blobs: [64 << 10, 1 << 20, 4 << 20],
                range: 4 << 10,
                connections: [1, 4, 8],
                pulls: [2, 8],
                images: 8,
                layer: 4 << 10,
                tags: 150,
                repositories: 120,
                page: 100,
                manifests: [20, 40],
            },
            Size::Full => Self {
                blobs: [1 << 20, 64 << 20, 1 << 30],
                range: 64 << 10,
                connections: [1, 32, 256],
                pulls: [16, 256],
                images: 200,
                layer: 256 << 10,
                tags: 10_000,
                repositories: 5_000,
                page: 100,
                manifests: [2_000, 20_000],
            },
            Size::Large => Self::of(Size::Full).times(TIMES),
        }
    }

    /// So many times as much, but for what is a size of the protocol: the length of a range, of a layer of an image, of a page.
    fn times(self, times: usize) -> Self {
        Self {
            blobs: self.blobs.map(|size| size * times as u64),
            connections: self.connections.map(|count| count * times),
            pulls: self.pulls.map(|count| count * times),
            images: self.images * times,
            tags: self.tags * times,
            repositories: self.repositories * times,
            manifests: self.manifests.map(|count| count * times),
            ..self
        }
    }
}

/// A size for people.
pub(crate) fn human(bytes: u64) -> String {
    let (value, unit) = match bytes {
        0..0x10_0000 => (bytes >> 10, "KiB"),
        0x10_0000..0x4000_0000 => (bytes >> 20, "MiB"),
        _ => (bytes >> 30, "GiB"),
    };
    format!("{value} {unit}")
}
