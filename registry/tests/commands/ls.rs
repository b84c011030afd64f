//! `registry ls`.

use std::io::Read as _;
use std::process::Stdio;

use crate::fixture::*;

#[test]
fn repositories_are_listed_with_their_number_of_tags() {
    let fixture = Fixture::new();
    fixture.push_image("team/app", "1", "layer");
    fixture.push_image("team/app", "2", "layer");
    fixture.push_image("base", "1", "layer");
    assert_eq!(fixture.run("ls", &[]).lines(), ["TAGS   REPOSITORY", "   1   base", "   2   team/app"]);
}

#[test]
fn tags_are_listed_with_digest_type_and_size() {
    let fixture = Fixture::new();
    let digest = sha256(fixture.push_image("app", "1", "layer").to_string());
    let said = fixture.run("ls", &["app"]);
    assert!(
        said.lines()[1].contains(&digest.hex()[..12]) && !said.stdout.contains(&digest.hex()),
        "{said:?}"
    );
    assert!(said.lines()[1].ends_with("image   1"), "{said:?}");
    assert!(fixture.run("ls", &["--digests", "app"]).stdout.contains(&digest.to_string()));

    let document = fixture.run("ls", &["--json", "app"]).json();
    assert_eq!(document["tags"][0]["digest"], digest.to_string());
    assert_eq!(document["tags"][0]["tag"], "1");
}

#[test]
fn the_parts_of_an_image_are_listed() {
    let fixture = Fixture::new();
    fixture.push_image("app", "1", "layer");
    let said = fixture.run("ls", &["app:1"]);
    let roles: Vec<_> = said.lines().iter().map(|line| line.split_whitespace().rev().nth(1)).collect();
    assert_eq!(roles, [Some("PART"), Some("image"), Some("config"), Some("layer")], "{said:?}");
    let document = fixture.run("ls", &["--json", "app:1"]).json();
    assert_eq!(document["parts"][1]["digest"], sha256("layer").to_string());
}

#[test]
fn the_storage_is_that_of_a_configuration_named_last() {
    let fixture = Fixture::new();
    fixture.push_image("app", "1", "layer");
    let config = fixture.config();
    let run = |arguments: &[&str]| Said::from(program().arg("ls").args(arguments).output().unwrap());
    let config = config.to_str().unwrap();
    assert!(run(&[config]).stdout.contains("app"));
    assert!(run(&["app", config]).stdout.contains("image"));
    let from_environment = program().arg("ls").env("REGISTRY_CONFIGURATION_PATH", config).output().unwrap();
    assert!(Said::from(from_environment).stdout.contains("app"));
}

#[test]
fn what_is_not_there_is_named() {
    let fixture = Fixture::new();
    fixture.push_image("app", "1", "layer");
    let said = |arguments: &[&str]| {
        let said = fixture.run("ls", arguments);
        assert_eq!(said.code, 1, "{said:?}");
        said.stderr
    };
    assert!(said(&["other"]).contains("no repository other"));
    assert!(said(&["app:2"]).contains("does not have the manifest 2"));
    assert!(said(&["Other"]).contains("write REPOSITORY:TAG"));
    let nowhere = program().args(["ls", "--root", "/nonexistent"]).output().unwrap();
    assert!(Said::from(nowhere).stderr.contains("there is no folder /nonexistent"));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let fixture = Fixture::new();
    fixture.push_image("app", "1", "layer");
    let mut child = fixture.command("ls", &[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert!(child.wait().unwrap().success() && stderr.is_empty(), "{stderr}");
}
