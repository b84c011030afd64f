//! What commands print: tables and sizes for people, JSON for programs.

use std::io::{self, ErrorKind, Write};

use serde::Serialize;

/// Prints with `write`. A reader that has seen enough, such as `head`, is no failure.
pub(super) fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut output = io::BufWriter::new(io::stdout().lock());
    match write(&mut output).and_then(|()| output.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {
            // What is still in the buffer would be written once more.
            let _unread = output.into_parts();
            Ok(())
        }
        printed => printed,
    }
}

/// Prints a document for programs.
pub(super) fn print_json(document: &impl Serialize) -> io::Result<()> {
    print(|output| {
        serde_json::to_writer_pretty(&mut *output, document)?;
        writeln!(output)
    })
}

/// Prints rows in columns as wide as their longest cell, the first `right` of them flush right.
pub(super) fn print_table<const N: usize>(right: usize, rows: &[[String; N]]) -> io::Result<()> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; N] = std::array::from_fn(width);
    print(|output| {
        for row in rows {
            let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| {
                if column < right { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
            });
            writeln!(output, "{}", cells.collect::<Vec<_>>().join("   ").trim_end())?;
        }
        Ok(())
    })
}

/// A number of things, such as `1 blob` or `2 blobs`.
pub(super) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// A length in bytes as people write it, in powers of a thousand.
pub(super) fn human_size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 5] = [
        (1_000_000_000_000_000, "PB"),
        (1_000_000_000_000, "TB"),
        (1_000_000_000, "GB"),
        (1_000_000, "MB"),
        (1000, "kB"),
    ];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{}.{} {name}", bytes / unit, bytes % unit / (unit / 10)),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        let counts = [0, 1, 2].map(|number| counted(number, "repository", "repositories"));
        assert_eq!(counts, ["0 repositories", "1 repository", "2 repositories"]);
    }

    #[test]
    fn sizes_are_short_and_never_larger_than_they_are() {
        let sizes = [0, 999, 1000, 1999, 1_000_000, 12_345_678, 999_999_999, u64::MAX];
        let written = ["0 B", "999 B", "1.0 kB", "1.9 kB", "1.0 MB", "12.3 MB", "999.9 MB", "18446.7 PB"];
        assert_eq!(sizes.map(human_size), written);
    }
}
