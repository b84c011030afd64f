//! `space`: how much of the storage pushes leave free.

use crate::{
    config::{error::Error, settings::Settings},
    repository::Reserve,
};

pub(super) fn reserve(settings: &Settings) -> Result<Reserve, Error> {
    const EXPECTED: &str = "auto, 0, a part of the disk such as 5%, or a size such as 512MiB or 10GiB";
    settings.require("space.reserve", EXPECTED, parse)
}

fn parse(text: &str) -> Option<Reserve> {
    if text == "auto" {
        return Some(Reserve::Automatic);
    }
    if let Some(percent) = text.strip_suffix('%') {
        let percent = percent.trim_end().parse().ok().filter(|percent| *percent < 100)?;
        return Some(Reserve::Percent(percent));
    }
    bytes(text).map(Reserve::Bytes)
}

/// A length with a unit, in powers of 1024 or of 1000, or without one in bytes.
pub(super) fn bytes(text: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 8] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
        ("kB", 1000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
    ];
    let unit = UNITS.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)));
    let (number, unit) = unit.unwrap_or((text, 1));
    number.trim_end().parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_is_a_part_of_the_disk_or_a_size() {
        assert_eq!(parse("auto"), Some(Reserve::Automatic));
        assert_eq!(parse("0"), Some(Reserve::Bytes(0)));
        assert_eq!(parse("5%"), Some(Reserve::Percent(5)));
        assert_eq!(parse("512MiB"), Some(Reserve::Bytes(512 << 20)));
        assert_eq!(parse("10 GB"), Some(Reserve::Bytes(10_000_000_000)));
        for wrong in ["", "much", "-1", "100%", "5 parts", "1.5GiB", "99999999TiB"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
