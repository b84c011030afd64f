//! Rules about what a source file may say.

use crate::layout::files;
use berth_tests::workspace;
use std::fs;
use std::path::Path;

fn sources(folder: &str) -> Vec<(String, String)> {
    let rust =
        |path: &String| path.starts_with(folder) && Path::new(path).extension().is_some_and(|it| it == "rs");
    files()
        .into_iter()
        .filter(rust)
        .map(|path| (read(&path), path))
        .map(|(text, path)| (path, text))
        .collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(workspace::root().join(path)).expect("a readable source file")
}

fn assert_silent(folder: &str, except: &str, words: &[&str], reason: &str) {
    for (path, text) in
        sources(folder).into_iter().filter(|(path, _)| except.is_empty() || !path.starts_with(except))
    {
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let found = code.flat_map(|line| words.iter().filter(|word| line.contains(**word))).next();
        assert_eq!(found, None, "{path}: {reason}");
    }
}

#[test]
fn only_the_api_speaks_axum() {
    assert_silent(
        "registry/",
        "registry/src/api",
        &["axum::", "use axum"],
        "axum is used in registry/src/api only",
    );
}

#[test]
fn the_rules_know_neither_http_nor_files() {
    let words = ["crate::api", "hyper::", "http::", "std::fs", "tokio::fs"];
    assert_silent("registry/src/repository/", "", &words, "the registry's rules know no HTTP and no files");
}

#[test]
fn storage_is_reached_through_the_rules() {
    let words = ["berth_storage::Filesystem", "ObjectStore"];
    assert_silent("registry/src/api/", "", &words, "the API asks the repository, never the storage");
    assert_silent(
        "registry/src/archive/",
        "",
        &words,
        "archives are pushed and pulled, and never copied into the storage",
    );
}

#[test]
fn every_module_begins_by_saying_what_it_is_for() {
    for (path, text) in sources("") {
        assert!(text.starts_with("//!"), "{path} must begin with a //! sentence");
    }
}
