//! `registry du`.

use crate::fixture::*;

#[test]
fn bytes_are_told_by_repository_and_in_total() {
    let fixture = Fixture::new();
    let manifest = fixture.push_image("one", "1", &"x".repeat(2500)).to_string();
    let whole = 2500 + CONFIG.len() + manifest.len();
    let said = fixture.run("du", &[]);
    let words = |line: usize| said.lines()[line].split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(words(0), "BLOBS OWN SHARED REPOSITORY");
    assert_eq!(words(1), "3 2.9 kB 0 B one");
    assert_eq!(words(3), "3 2.9 kB (total of the storage)");

    let document = fixture.run("du", &["--json"]).json();
    assert_eq!(document["repositories"][0]["own"]["bytes"], whole);
    assert!(fixture.run("du", &["--bytes"]).lines()[1].contains(&whole.to_string()));
}

#[test]
fn one_repository_is_measured_among_all() {
    let fixture = Fixture::new();
    fixture.push_image("one", "1", "shared");
    fixture.push_image("two", "1", "shared");
    let document = fixture.run("du", &["--json", "two"]).json();
    assert_eq!((&document["own"]["blobs"], &document["shared"]["blobs"]), (&0.into(), &3.into()));
    assert!(!fixture.run("du", &["two"]).stdout.contains("total"));
    let missing = fixture.run("du", &["three"]);
    assert!(missing.code == 1 && missing.stderr.contains("there is no repository three"), "{missing:?}");
}
