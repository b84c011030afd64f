//! A configuration is loaded or refused with a sentence, whatever stands in the file and in the environment, and the same
//! way each time.

#![no_main]

use std::{path::Path, sync::LazyLock};

use berth_registry::config::{self, Options};
use libfuzzer_sys::fuzz_target;
use tempfile::NamedTempFile;

static FILE: LazyLock<NamedTempFile> =
    LazyLock::new(|| NamedTempFile::new().expect("a temporary file can be made"));

fuzz_target!(|input: &str| {
    // The file, and behind a NUL the lines of the environment.
    let (text, environment) = input.split_once('\0').unwrap_or((input, ""));
    std::fs::write(FILE.path(), text).expect("a temporary file can be written");
    let load = |file: Option<&Path>| config::load(file, variables(environment), &Options::default());
    match (load(Some(FILE.path())), load(Some(FILE.path()))) {
        (Ok(one), Ok(other)) => assert_eq!(format!("{one:?}"), format!("{other:?}")),
        (Err(one), Err(other)) => {
            assert_eq!(one.to_string(), other.to_string());
            assert!(!one.to_string().is_empty());
        }
        _ => panic!("the same file was loaded and refused"),
    }
    let _without_a_file = load(None);
});

/// Those that name files of secrets are left out: the fuzzer would name devices that never end.
fn variables(lines: &str) -> impl Iterator<Item = (String, String)> {
    let variables = lines.lines().filter_map(|line| line.split_once('='));
    let variables = variables.map(|(name, value)| (format!("REGISTRY_{name}"), value.to_owned()));
    variables.filter(|(name, _)| !name.to_ascii_uppercase().ends_with("_FILE"))
}
