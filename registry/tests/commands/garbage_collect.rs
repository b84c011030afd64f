//! `registry garbage-collect`, on the storage itself.

use crate::fixture::*;
use std::fs::File;
use std::time::{Duration, SystemTime};

#[test]
fn garbage_goes_at_once_when_no_server_is_running_and_what_is_needed_stays() {
    let fixture = Fixture::new();
    fixture.push_image("app", "1", "needed");
    let garbage = data_file(&fixture.root(), &fixture.push_blob("app", b"garbage"));
    File::open(&garbage).unwrap().set_modified(SystemTime::now() - Duration::from_hours(48)).unwrap();
    let link = fixture.root().join("docker/registry/v2/repositories/app/_layers/sha256");
    let link = link.join(sha256(b"garbage").hex()).join("link");
    File::open(link).unwrap().set_modified(SystemTime::now() - Duration::from_hours(48)).unwrap();

    let mut command = program();
    command.args(["garbage-collect", "--offline", "--json"]).arg(fixture.config());
    let told = Said::from(command.output().unwrap()).json();
    assert_eq!((&told["state"], &told["blobsDeleted"]), (&"succeeded".into(), &1.into()));
    assert!(!garbage.exists());
    assert_eq!(fixture.run("check", &[]).code, 0);
}
