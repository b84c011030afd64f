//! `registry retention`.

use crate::fixture::*;

const RULES: &str = "retention: {rules: [{tags: ['v*'], keep: {last: 1}}]}\n";

#[test]
fn a_dry_run_tells_what_would_go_and_why() {
    let fixture = Fixture::new();
    fixture.push_image("app", "v1", "one");
    fixture.push_image("app", "v2", "two");
    let config = fixture.config();
    let text = std::fs::read_to_string(&config).unwrap() + RULES;
    std::fs::write(&config, text).unwrap();
    let run = |arguments: &[&str]| -> Said {
        program().arg("retention").args(arguments).arg(&config).output().unwrap().into()
    };
    let told = run(&["--dry-run"]);
    assert!(told.lines()[1].ends_with("app:v1   rule 1 keeps the last 1"), "{told:?}");
    assert_eq!(told.lines()[2], "1 tag would go to the trash (dry run); kept: 1");
    assert_eq!(fixture.run("ls", &["--json", "app"]).json()["tags"].as_array().unwrap().len(), 2);

    assert_eq!(run(&["--json"]).json()["deleted"][0]["tag"], "v1");
    assert_eq!(run(&[]).lines(), ["0 tags went to the trash; kept: 1"]);
    assert!(fixture.run("restore", &["--list", "app"]).stdout.contains("retention"));
}
