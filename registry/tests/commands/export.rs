//! `registry export`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use berth_oci::MediaType;
use serde_json::{Value, json};

use crate::archive::*;
use crate::fixture::*;

/// Exports to a file, and returns what is in it.
fn export(fixture: &Fixture, arguments: &[&str]) -> Entries {
    let file = fixture.path("export.tar");
    let said = fixture.run("export", &[arguments, &["-o", file.to_str().unwrap()]].concat());
    assert!(said.code == 0 && said.stdout.is_empty() && said.stderr.is_empty(), "{said:?}");
    read(&file)
}

fn document(entries: &Entries, name: &str) -> Value {
    serde_json::from_slice(&entries[name]).unwrap()
}

fn push_index(fixture: &Fixture, tag: &str) -> [Value; 2] {
    let images = ["amd64", "arm64"].map(|architecture| fixture.push_image("app", architecture, architecture));
    let child = |image: &Value, architecture: &str| {
        let mut child = descriptor(MediaType::OCI_IMAGE, &image.to_string());
        child["platform"] = json!({ "os": "linux", "architecture": architecture });
        child
    };
    let manifests = [child(&images[0], "amd64"), child(&images[1], "arm64")];
    let index = json!({ "schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": manifests });
    fixture.push_manifest("app", tag, &index);
    images
}

#[test]
fn an_image_comes_back_as_it_was() {
    let fixture = Fixture::new();
    let image = fixture.push_image("team/app", "1", "layer");
    let entries = export(&fixture, &["team/app:1"]);
    let index = document(&entries, "index.json");
    assert_eq!(index["manifests"][0]["digest"], sha256(image.to_string()).to_string());
    let other = Fixture::new();
    let file = fixture.path("export.tar");
    assert_eq!(other.run("import", &[file.to_str().unwrap()]).code, 0);
    assert_eq!(
        other.run("ls", &["--json", "team/app:1"]).json(),
        fixture.run("ls", &["--json", "team/app:1"]).json()
    );
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o600, 0o600);
}

#[test]
fn the_same_images_give_the_same_bytes_also_on_standard_output() {
    let fixture = Fixture::new();
    fixture.push_image("app", "1", "layer");
    export(&fixture, &["app:1"]);
    let first = fs::read(fixture.path("export.tar")).unwrap();
    export(&fixture, &["app:1"]);
    assert_eq!(fs::read(fixture.path("export.tar")).unwrap(), first);
    assert_eq!(fixture.command("export", &["app:1"]).output().unwrap().stdout, first);
}

#[test]
fn a_repository_means_all_its_tags_with_all_platforms_and_referrers() {
    let fixture = Fixture::new();
    let images = push_index(&fixture, "all");
    let mut signature = image(CONFIG, "signature");
    signature["subject"] = descriptor(MediaType::OCI_IMAGE, &images[1].to_string());
    fixture.push_blob("app", b"signature");
    let signature = fixture.push_manifest("app", &sha256(signature.to_string()).to_string(), &signature);
    fixture.push_image("base", "1", "layer");
    let entries = export(&fixture, &["app", "base:1"]);
    let listed = document(&entries, "index.json")["manifests"].as_array().unwrap().clone();
    let name =
        |of: &Value| of["annotations"]["org.opencontainers.image.ref.name"].as_str().map(str::to_owned);
    let names: Vec<_> = listed.iter().filter_map(name).collect();
    assert_eq!(names, ["app:all", &format!("app@{signature}"), "app:amd64", "app:arm64", "base:1"]);
    for content in ["amd64", "arm64", "signature", CONFIG] {
        assert!(entries.contains_key(&format!("blobs/sha256/{}", sha256(content).hex())), "{content}");
    }
    let other = Fixture::new();
    let said = other.run("import", &[fixture.path("export.tar").to_str().unwrap()]);
    assert_eq!((said.code, said.lines().len()), (0, 5), "{said:?}");
    assert_eq!(other.run("check", &[]).code, 0);
}

#[test]
fn docker_gets_one_platform_under_the_names_of_the_image() {
    let fixture = Fixture::new();
    let images = push_index(&fixture, "all");
    let entries =
        export(&fixture, &["--format", "docker", "--platform", "linux/arm64", "app:all", "app:arm64"]);
    let list = document(&entries, "manifest.json");
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!(list[0]["RepoTags"], json!(["app:all", "app:arm64"]));
    for path in [&list[0]["Config"], &list[0]["Layers"][0]] {
        assert!(entries.contains_key(path.as_str().unwrap()), "{path}");
    }
    let described = &document(&entries, "index.json")["manifests"][0];
    assert_eq!(described["digest"], sha256(images[1].to_string()).to_string());
    assert_eq!(described["annotations"]["io.containerd.image.name"], "docker.io/library/app:all");

    let said = fixture.run("export", &["--format", "docker", "--platform", "linux/s390x", "app:all"]);
    assert!(
        said.stderr.contains("linux/s390x") && said.stderr.contains("linux/amd64, linux/arm64"),
        "{said:?}"
    );
}

#[test]
fn what_cannot_be_exported_leaves_no_file() {
    let fixture = Fixture::new();
    fixture.push_image("app", "1", "layer");
    let artifact = fixture.push_blob("app", b"chart");
    assert_eq!(artifact, sha256("chart"));
    let mut chart = image(CONFIG, "chart");
    chart["config"]["mediaType"] = "application/vnd.cncf.helm.config.v1+json".into();
    fixture.push_manifest("app", "chart", &chart);
    let file = fixture.path("out.tar");
    fs::write(&file, "older").unwrap();
    let failed = |arguments: &[&str], reason: &str| {
        let said = fixture.run("export", &[arguments, &["-o", file.to_str().unwrap()]].concat());
        assert!(said.code == 1 && said.stderr.contains(reason), "{said:?}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "older");
    };
    failed(&["app:2"], "app:2");
    failed(&["other"], "no repository other");
    failed(&["--format", "docker", "app:chart"], "export it with --format oci");
    fs::write(data_file(&fixture.root(), &sha256("layer")), "laxer").unwrap();
    failed(&["app:1"], "is damaged");
    fs::remove_file(data_file(&fixture.root(), &sha256("layer"))).unwrap();
    failed(&["app:1"], "push it again");
    let beside = fs::read_dir(fixture.path("")).unwrap().count();
    assert_eq!(beside, 2, "the folder of the registry and the older file");
}

#[test]
fn a_device_is_written_to_and_stays_one() {
    let fixture = Fixture::new();
    fixture.push_image("app", "1", "layer");
    assert_eq!(fixture.run("export", &["app:1", "-o", "/dev/null"]).code, 0);
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}

#[test]
fn an_archive_that_goes_on_from_another_has_only_what_came_since() {
    let (fixture, site) = (Fixture::new(), Fixture::new());
    let archive = |name: &str| fixture.path(name).to_str().unwrap().to_owned();
    let names = ["full.tar", "second.tar", "third.tar"].map(archive);
    let export = |arguments: &[&str]| {
        let said = fixture.run("export", arguments);
        assert_eq!(said.code, 0, "{said:?}");
    };
    fixture.push_image("app", "1", "first layer");
    export(&["app", "-o", &names[0]]);
    fixture.push_image("app", "2", "second layer");
    export(&["app", "--since", &names[0], "-o", &names[1]]);
    // The second archive has the second layer, and knows that the site has the first one.
    fixture.push_image("team/other", "1", "first layer");
    fixture.push_image("app", "3", "third layer");
    export(&["app", "team/other", "--since", &names[1], "-o", &names[2]]);
    let entries = read(Path::new(&names[2]));
    let has = |content: &str| entries.contains_key(&format!("blobs/sha256/{}", sha256(content).hex()));
    assert_eq!([has("first layer"), has("second layer"), has("third layer")], [false, false, true]);

    let import = |name: &String| site.run("import", &[name]);
    let refused = import(&names[1]);
    assert!(refused.code == 1 && refused.stderr.contains("import the earlier archive first"), "{refused:?}");
    for name in &names {
        let said = import(name);
        assert_eq!(said.code, 0, "{said:?}");
    }
    for image in ["app:1", "app:2", "app:3", "team/other:1"] {
        let [here, there] = [&fixture, &site].map(|it| it.run("ls", &["--json", image]).json());
        assert_eq!(here["digest"], there["digest"], "{image}");
        assert_eq!(site.run("export", &[image, "-o", "/dev/null"]).code, 0, "{image}");
    }
}
