//! `registry import`.

use std::fs::{self, File};
use std::os::unix::fs::symlink;

use berth_oci::MediaType;
use serde_json::{Value, json};

use crate::archive::*;
use crate::fixture::*;

/// Imports the bytes, and returns how it ended.
fn import(fixture: &Fixture, archive: &[u8], options: &[&str]) -> Said {
    let file = fixture.path("archive.tar");
    fs::write(&file, archive).unwrap();
    fixture.run("import", &[options, &[file.to_str().unwrap()]].concat())
}

fn one_image(name: Option<&str>) -> (Value, Entries) {
    let image = image(CONFIG, "layer");
    let layout = oci_layout(&[(&image, name)], &[CONFIG, "layer"]);
    (image, layout)
}

/// The repositories with the number of their tags, and the problems of the storage.
fn state(fixture: &Fixture) -> (Value, i32) {
    (fixture.run("ls", &["--json"]).json()["repositories"].clone(), fixture.run("check", &[]).code)
}

#[test]
fn an_oci_layout_is_taken_in_from_every_kind_of_source() {
    let (image, layout) = one_image(Some("team/app:1"));
    let plain = tar(&layout);
    let expected = format!("team/app:1@{}\n", sha256(image.to_string()));
    for archive in [&plain, &gzip(&plain), &zstd(&plain)] {
        let fixture = Fixture::new();
        assert_eq!(import(&fixture, archive, &[]).stdout, expected);
        assert_eq!(state(&fixture), (json!([{"name": "team/app", "tags": 1}]), 0));

        let fixture = Fixture::new();
        fs::write(fixture.path("archive"), archive).unwrap();
        let mut command = fixture.command("import", &["-"]);
        let from_stdin = command.stdin(File::open(fixture.path("archive")).unwrap()).output().unwrap();
        assert_eq!(Said::from(from_stdin).stdout, expected);
    }
    let fixture = Fixture::new();
    write_folder(&fixture.path("layout"), &layout);
    assert_eq!(fixture.run("import", &[fixture.path("layout").to_str().unwrap()]).stdout, expected);
}

#[test]
fn what_needs_a_copy_is_copied_to_the_storage_unless_another_folder_is_named() {
    let (_, layout) = one_image(Some("app:1"));
    let archive = gzip(&tar(&layout));
    let fixture = Fixture::new();
    let command = |more: &[(&str, &str)]| {
        let file = fixture.path("archive");
        fs::write(&file, &archive).unwrap();
        let mut command = fixture.command("import", &["-"]);
        command.stdin(File::open(file).unwrap()).envs(more.iter().copied()).output().unwrap().into()
    };
    let said: Said = command(&[("TMPDIR", "/nonexistent")]);
    assert!(said.code == 1 && said.stderr.contains("in /nonexistent: name a folder"), "{said:?}");
    let said: Said = command(&[]);
    assert_eq!(said.code, 0, "{said:?}");
    let left: Vec<_> =
        fs::read_dir(fixture.root()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["docker"], "no temporary file is left");
}

#[test]
fn the_names_of_an_archive_can_be_overruled() {
    let (_, layout) = one_image(Some("1.0"));
    let archive = tar(&layout);
    let fixture = Fixture::new();
    let nameless = import(&fixture, &archive, &[]);
    assert!(nameless.code == 1 && nameless.stderr.contains("give one with --repository"), "{nameless:?}");
    assert!(import(&fixture, &archive, &["--repository", "a/b"]).stdout.starts_with("a/b:1.0@"));
    assert!(import(&fixture, &archive, &["--repository", "a/b", "--tag", "x"]).stdout.starts_with("a/b:x@"));
    assert_eq!(fixture.run("ls", &["a/b"]).lines().len(), 3);
}

#[test]
fn indexes_come_with_their_images_and_images_with_what_refers_to_them() {
    let fixture = Fixture::new();
    let (amd64, arm64) = (image(CONFIG, "amd64"), image(CONFIG, "arm64"));
    let index = json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_INDEX,
        "manifests": [
            descriptor(MediaType::OCI_IMAGE, &amd64.to_string()),
            descriptor(MediaType::OCI_IMAGE, &arm64.to_string()),
        ],
    });
    let mut signature = image(CONFIG, "signature");
    signature["subject"] = descriptor(MediaType::OCI_INDEX, &index.to_string());
    let images = [amd64.to_string(), arm64.to_string()];
    let content = [CONFIG, "amd64", "arm64", "signature", &images[0], &images[1]];
    let layout = oci_layout(&[(&signature, None), (&index, Some("docker.io/library/app:1"))], &content);
    let said = import(&fixture, &tar(&layout), &[]);
    let expected =
        [format!("app@{}", sha256(signature.to_string())), format!("app:1@{}", sha256(index.to_string()))];
    assert_eq!(said.lines(), expected);
    assert_eq!(state(&fixture).1, 0);
    let parts = fixture.run("ls", &["--json", "app:1"]).json()["parts"].as_array().unwrap().len();
    assert_eq!(parts, 5);
}

#[test]
fn an_archive_of_docker_gets_the_same_manifest_each_time() {
    let names = ["app:1", "localhost/app:2", "registry.example.com:5000/other:1"];
    let archive = docker_archive(&names, &["base", "top"]);
    let mut compressed = archive.clone();
    compressed.insert("0/layer.tar".to_owned(), gzip(b"base"));
    compressed.insert("1/layer.tar".to_owned(), zstd(b"top"));
    let mut digests = Vec::new();
    for archive in [tar(&archive), tar(&archive), gzip(&tar(&archive)), tar(&compressed)] {
        let fixture = Fixture::new();
        let said = import(&fixture, &archive, &[]);
        let names: Vec<_> =
            said.lines().iter().map(|line| line.split('@').next().unwrap().to_owned()).collect();
        assert_eq!(names, ["app:1", "app:2", "other:1"], "{said:?}");
        let document = fixture.run("ls", &["--json", "app:1"]).json();
        assert_eq!(document["mediaType"], MediaType::DOCKER_IMAGE);
        assert_eq!(document["parts"][1]["digest"], sha256("base").to_string());
        assert_eq!(state(&fixture).1, 0);
        digests.push(document["digest"].as_str().unwrap().to_owned());
    }
    // Whoever has mirrored such an image relies on this digest.
    let expected = "sha256:c55f7c67a5f3639fc8c5ebb03c4a2281c0597f14b353b55c0ad7e3a387231157";
    assert_eq!(digests, [expected; 4]);
}

#[test]
fn links_between_the_layers_of_old_archives_are_followed() {
    let fixture = Fixture::new();
    let mut entries = docker_archive(&["app:1"], &["same", "same"]);
    entries.remove("1/layer.tar");
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in &entries {
        append(&mut archive, name, content);
    }
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    archive.append_link(&mut header, "1/layer.tar", "../0/layer.tar").unwrap();
    let said = import(&fixture, &archive.into_inner().unwrap(), &[]);
    assert_eq!(said.code, 0, "{said:?}");
}

#[test]
fn a_wrong_archive_changes_no_tag_and_says_what_is_wrong() {
    let (image, layout) = one_image(Some("app:1"));
    let blob = |content: &str| format!("blobs/sha256/{}", sha256(content).hex());
    let without = |name: &str| {
        let mut entries = layout.clone();
        entries.remove(name).unwrap();
        tar(&entries)
    };
    let with = |name: &str, content: &str| {
        let mut entries = layout.clone();
        entries.insert(name.to_owned(), content.into());
        tar(&entries)
    };
    let whole = tar(&layout);
    let compressed = gzip(&whole);
    let mut docker = docker_archive(&["app:1"], &["layer"]);
    docker.insert("0/layer.tar".to_owned(), b"other".to_vec());
    let climbing = |name: &str| {
        let mut archive = whole.clone();
        let length = archive.len() - 1024;
        archive.truncate(length);
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(0);
        header.set_cksum();
        archive.extend_from_slice(header.as_bytes());
        archive.extend_from_slice(&[0; 1024]);
        archive
    };
    let cases = [
        (Vec::new(), "neither an OCI layout"),
        (b"no archive at all".repeat(100), "no tar archive"),
        (tar(&Entries::from([("readme".to_owned(), b"x".to_vec())])), "neither an OCI layout"),
        (whole[..512 + 10].to_vec(), "not copied to its end"),
        (whole[..1024 + 200].to_vec(), "cut off"),
        (compressed[..compressed.len() - 20].to_vec(), "broke off"),
        (zstd(&whole)[..100].to_vec(), "broke off"),
        (without("oci-layout"), "lacks oci-layout"),
        (without(&blob("layer")), "the archive lacks sha256:"),
        (without(&blob(&image.to_string())), "the archive lacks blobs/sha256/"),
        (with(&blob("layer"), "laxer"), "has the digest"),
        (with(&blob("layer"), "longer than that"), "16 bytes, and its manifest says 5"),
        (with(&blob(&image.to_string()), "{"), "is wrong"),
        (with("index.json", "[]"), "index.json in the archive is wrong"),
        (tar(&docker), "has the digest"),
        (climbing("../escape"), "leads out of it"),
        (climbing("/etc/passwd"), "leads out of it"),
    ];
    for (archive, reason) in cases {
        let fixture = Fixture::new();
        let said = import(&fixture, &archive, &[]);
        assert!(said.code == 1 && said.stderr.contains(reason), "{reason}: {said:?}");
        assert_eq!(said.stdout, "");
        let tags = fixture.run("ls", &["--json"]).json()["repositories"].to_string();
        assert!(!tags.contains("\"tags\":1"), "{reason}: {tags}");
    }
}

#[test]
fn a_folder_is_not_left_through_links() {
    let fixture = Fixture::new();
    let (_, layout) = one_image(Some("app:1"));
    let folder = fixture.path("layout");
    write_folder(&folder, &layout);
    let layer = folder.join(format!("blobs/sha256/{}", sha256("layer").hex()));
    fs::write(fixture.path("outside"), "layer").unwrap();
    fs::remove_file(&layer).unwrap();
    symlink(fixture.path("outside"), &layer).unwrap();
    let said = fixture.run("import", &[folder.to_str().unwrap()]);
    assert!(said.code == 1 && said.stderr.contains("leads out of it"), "{said:?}");
}

#[test]
fn the_rules_of_a_push_hold() {
    let fixture = Fixture::new();
    let (_, layout) = one_image(Some("app:1"));
    fs::write(fixture.path("archive.tar"), tar(&layout)).unwrap();
    let config = fixture.config();
    let read_only = "  maintenance: {readonly: {enabled: true}}\n";
    let text = fs::read_to_string(&config).unwrap().replace("storage: {", "storage:\n  ").replace("}}", "}");
    fs::write(&config, text + read_only).unwrap();
    let archive = fixture.path("archive.tar");
    let said: Said = program().arg("import").args([archive, config]).output().unwrap().into();
    assert!(said.code == 1 && said.stderr.contains("read-only"), "{said:?}");
}
