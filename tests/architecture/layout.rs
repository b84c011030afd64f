//! The visible top level, and the names that say nothing.

use berth_tests::workspace;
use std::collections::BTreeSet;
use std::process::Command;

/// Every file that git tracks or would track.
pub(crate) fn files() -> Vec<String> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(workspace::root())
        .output()
        .expect("git runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let existing = |path: &&str| workspace::root().join(path).exists();
    String::from_utf8_lossy(&output.stdout).lines().filter(existing).map(str::to_owned).collect()
}

#[test]
fn the_visible_top_level_is_the_product_and_nothing_else() {
    let expected = [
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "README.md",
        "charts",
        "crds",
        "operator",
        "registry",
        "tests",
    ];
    let found: BTreeSet<String> = files()
        .iter()
        .filter_map(|path| path.split('/').next())
        .filter(|name| !name.starts_with('.'))
        .map(str::to_owned)
        .collect();
    let unexpected: Vec<_> = found.iter().filter(|name| !expected.contains(&name.as_str())).collect();
    assert!(unexpected.is_empty(), "{unexpected:?} must not stand at the top level");
}

#[test]
fn no_file_or_folder_has_a_name_that_says_nothing() {
    let empty = ["utils", "util", "common", "helpers", "helper", "types", "manager", "impl", "misc"];
    for path in files() {
        let named =
            path.split('/').map(|part| part.trim_end_matches(".rs")).find(|part| empty.contains(part));
        assert_eq!(named, None, "{path}: name it after what is in it");
    }
}
