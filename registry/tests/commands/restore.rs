//! `registry restore`.

use crate::fixture::*;

#[test]
fn what_was_deleted_is_listed_and_brought_back() {
    let fixture = Fixture::new();
    let digest = sha256(fixture.push_image("team/app", "1", "layer").to_string());
    fixture.delete("team/app", "1");
    let list = fixture.run("restore", &["--list", "team/app"]);
    assert!(
        list.lines()[0].starts_with("DELETED") && list.lines()[1].contains(&digest.hex()[..12]),
        "{list:?}"
    );
    let document = fixture.run("restore", &["--list", "--json", "team/app:1"]).json();
    assert_eq!(document["trash"][0]["digest"], digest.to_string());
    assert_eq!(
        fixture.run("restore", &["--list", "--json", "team/app:2"]).json()["trash"],
        serde_json::json!([])
    );

    let said = fixture.run("restore", &["team/app:1"]);
    assert_eq!(
        said.lines(),
        [format!("restored team/app@{digest}"), "restored team/app:1".to_owned()],
        "{said:?}"
    );
    assert!(fixture.run("ls", &["team/app"]).stdout.contains(&digest.hex()[..12]));
}

#[test]
fn what_is_not_in_the_trash_is_said_to_be_unknown() {
    let fixture = Fixture::new();
    fixture.push_image("app", "1", "layer");
    let said = fixture.run("restore", &["app:1"]);
    assert!(said.code == 1 && said.stderr.contains("does not have the manifest 1"), "{said:?}");
    let said = fixture.run("restore", &["app"]);
    assert!(said.code == 0 && said.stderr.contains("nothing of app is in the trash"), "{said:?}");
}

#[test]
fn a_tag_that_was_pushed_meanwhile_is_left_and_told() {
    let fixture = Fixture::new();
    fixture.push_image("app", "1", "old");
    fixture.delete("app", "1");
    fixture.push_image("app", "1", "new");
    let said = fixture.run("restore", &["app"]);
    assert!(said.code == 0 && said.stderr.contains("app:1 was pushed to meanwhile"), "{said:?}");
    assert_eq!(fixture.run("restore", &["--force", "app:1"]).code, 0);
}
