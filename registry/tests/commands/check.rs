//! `registry check`.

use std::fs;

use crate::fixture::*;

#[test]
fn a_storage_in_which_nothing_is_wrong_ends_with_success() {
    let fixture = Fixture::new();
    fixture.push_image("app", "1", "layer");
    let said = fixture.run("check", &[]);
    assert_eq!(said.code, 0, "{said:?}");
    let counted = "nothing is wrong: read 3 blobs with ";
    assert!(
        said.stdout.starts_with(counted) && said.stdout.ends_with(", checked 1 repository\n"),
        "{said:?}"
    );
    assert!(said.stderr.is_empty(), "no terminal, no progress: {said:?}");
}

#[test]
fn damage_is_told_and_repaired_when_wanted() {
    let fixture = Fixture::new();
    fixture.push_image("app", "1", "layer");
    let layer = sha256("layer");
    fs::write(data_file(&fixture.root(), &layer), "lay").unwrap();
    let said = fixture.run("check", &[]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.lines()[0].starts_with(&format!("the content of {layer} is damaged")), "{said:?}");
    assert!(said.lines()[1].starts_with("app: the manifest sha256:"), "{said:?}");
    assert!(said.lines()[2].starts_with("2 problems: "), "{said:?}");

    let repaired = fixture.run("check", &["--repair"]);
    assert_eq!(repaired.code, 1, "the image has to be pushed again: {repaired:?}");
    assert!(repaired.lines()[0].ends_with("(repaired)"), "{repaired:?}");
    fixture.push_blob("app", b"layer");
    let healed = fixture.run("check", &[]);
    assert_eq!(healed.code, 0);
    assert!(healed.lines()[0].starts_with("set aside since 20"), "{healed:?}");
    assert!(healed.lines()[0].ends_with(&format!(": {layer}, 3 B")), "{healed:?}");

    let emptied = fixture.run("check", &["--discard-damaged"]);
    assert!(emptied.lines()[0].ends_with(", 3 B (deleted)"), "{emptied:?}");
    assert_eq!(fixture.run("check", &[]).lines().len(), 1);
}

#[test]
fn layers_are_not_missing_where_images_may_be_pushed_without_them() {
    let fixture = Fixture::new();
    fixture.push_image("app", "1", "layer");
    fixture.delete_blob("app", &sha256("layer"));
    for (layers, code) in [("all", 1), ("none", 0)] {
        let mut check = fixture.command("check", &[]);
        check.env("REGISTRY_VALIDATION_MANIFESTS_IMAGES_LAYERS", layers);
        let said = Said::from(check.output().unwrap());
        assert_eq!(said.code, code, "{layers}: {said:?}");
    }
}

#[test]
fn programs_get_an_object_a_line() {
    let fixture = Fixture::new();
    let digest = fixture.push_blob("app", b"blob");
    fs::remove_file(data_file(&fixture.root(), &digest)).unwrap();
    let said = fixture.run("check", &["--json", "--repair", "--repository", "app"]);
    assert_eq!(said.code, 0, "{said:?}");
    let lines: Vec<serde_json::Value> =
        said.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["problem"], "blob-without-content");
    assert_eq!(lines[0]["digest"], digest.to_string());
    assert_eq!((&lines[0]["repository"], &lines[0]["repaired"]), (&"app".into(), &true.into()));
    assert_eq!(lines[1]["summary"]["problems"], 1);
}

#[test]
fn a_check_that_could_not_be_done_ends_with_2() {
    let fixture = Fixture::new();
    let said = fixture.run("check", &["--repository", "app"]);
    assert!(said.code == 2 && said.stderr.contains("there is no repository app"), "{said:?}");
    let nowhere: Said = program().args(["check", "--root", "/nonexistent"]).output().unwrap().into();
    assert_eq!(nowhere.code, 2);
}
