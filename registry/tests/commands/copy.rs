//! `registry copy`.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};

use berth_oci::MediaType;
use serde_json::{Value, json};

use crate::fixture::*;

/// A server of a folder, which ends with the test.
struct Served {
    process: Child,
    port: u16,
}

impl Served {
    fn start(fixture: &Fixture) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = fixture.path("server.yml");
        let root = fixture.root();
        let text = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n",
            root.display()
        );
        fs::write(&config, text).unwrap();
        let mut serve = program();
        serve.arg("serve").arg(config).stderr(Stdio::null()).stdout(Stdio::null());
        let server = Self { process: serve.spawn().unwrap(), port };
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::yield_now();
        }
        server
    }

    fn url(&self, image: &str) -> String {
        format!("http://127.0.0.1:{}{image}", self.port)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn copy(arguments: &[&str]) -> Said {
    program().arg("copy").args(arguments).output().unwrap().into()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn report(arguments: &[&str]) -> Value {
    let said = copy(&[arguments, &["--json"]].concat());
    assert!(said.code == 0 && said.stderr.is_empty(), "{said:?}");
    said.json()
}

/// Pushes an index of two images, and a signature of one of them.
fn push_index(fixture: &Fixture) {
    let images = ["amd64", "arm64"].map(|layer| fixture.push_image("app", layer, layer));
    let children = images.clone().map(|image| descriptor(MediaType::OCI_IMAGE, &image.to_string()));
    let index = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": children});
    fixture.push_manifest("app", "latest", &index);
    sign(fixture, &images[0], "signature");
}

fn sign(fixture: &Fixture, image: &Value, layer: &str) {
    fixture.push_blob("app", layer.as_bytes());
    let mut signature = crate::fixture::image(CONFIG, layer);
    signature["subject"] = descriptor(MediaType::OCI_IMAGE, &image.to_string());
    let digest = sha256(signature.to_string()).to_string();
    fixture.push_manifest("app", &digest, &signature);
}

fn ls(fixture: &Fixture, image: &str) -> Value {
    fixture.run("ls", &["--json", image]).json()
}

/// What export writes tells of all content, and of referrers.
fn exported(fixture: &Fixture, image: &str) -> Vec<u8> {
    let file = fixture.path("exported.tar");
    let said = fixture.run("export", &[image, "-o", text(&file)]);
    assert_eq!(said.code, 0, "{said:?}");
    fs::read(file).unwrap()
}

#[test]
fn all_of_a_storage_is_copied_once_with_what_belongs_to_it() {
    let (source, target) = (Fixture::new(), Fixture::new());
    push_index(&source);
    source.push_image("team/other", "1", "amd64");
    let (from, to) = (source.root(), target.path("new"));
    let first = report(&[text(&from), text(&to)]);
    // The config and the layer of the other repository are there already, under another name.
    let expected = json!({
        "images": 4, "copied": 4, "unchanged": 0, "manifests": 5, "blobs": 4, "mounted": 2, "failed": [],
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&first[key], value, "{key}: {first}");
    }
    let again = report(&[text(&from), text(&to)]);
    assert_eq!([&again["copied"], &again["unchanged"], &again["bytes"]], [0, 4, 0], "{again}");
    let copied = program().args(["ls", "--json", "--root", text(&to), "app:latest"]).output().unwrap();
    assert_eq!(Said::from(copied).json()["digest"], ls(&source, "app:latest")["digest"]);
}

#[test]
fn an_image_goes_to_a_server_and_back_with_its_signatures() {
    let (source, middle, target) = (Fixture::new(), Fixture::new(), Fixture::new());
    push_index(&source);
    let server = Served::start(&middle);
    let pushed = report(&[text(&source.root()), &server.url("/mirror"), "--repository", "app"]);
    assert_eq!([&pushed["copied"], &pushed["manifests"]], [3, 4], "{pushed}");
    let pulled = report(&[&server.url("/mirror/app:latest"), text(&target.root())]);
    assert_eq!([&pulled["copied"], &pulled["manifests"]], [1, 4], "{pulled}");
    let (before, after) = (exported(&source, "app:latest"), exported(&target, "mirror/app:latest"));
    assert_eq!(before.len(), after.len());
    assert_eq!(ls(&source, "app:latest")["digest"], ls(&target, "mirror/app:latest")["digest"]);
}

#[test]
fn a_new_signature_of_an_image_that_is_there_is_copied() {
    let (source, target) = (Fixture::new(), Fixture::new());
    let image = source.push_image("app", "1", "layer");
    let (from, to) = (source.root(), target.root());
    report(&[text(&from), text(&to)]);
    sign(&source, &image, "late signature");
    let again = report(&[text(&from), text(&to)]);
    assert_eq!([&again["unchanged"], &again["manifests"], &again["blobs"]], [1, 1, 1], "{again}");
    assert_eq!(exported(&source, "app:1"), exported(&target, "app:1"));
}

#[test]
fn one_image_that_is_broken_keeps_no_other_from_being_copied_and_gets_no_tag() {
    let (source, target) = (Fixture::new(), Fixture::new());
    source.push_image("app", "broken", "lost");
    source.push_image("app", "whole", "layer");
    fs::remove_file(data_file(&source.root(), &sha256("lost"))).unwrap();
    let said = copy(&[text(&source.root()), text(&target.root())]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("app:broken was not copied"), "{said:?}");
    assert!(said.stdout.contains("1 image copied") && said.stdout.contains("1 failed"), "{said:?}");
    let tags = target.run("ls", &["app"]).stdout;
    assert!(tags.contains("whole") && !tags.contains("broken"), "{tags}");
}

#[test]
fn an_image_may_get_another_name_in_the_same_registry_without_being_sent() {
    let fixture = Fixture::new();
    fixture.push_image("app", "1", "layer");
    let server = Served::start(&fixture);
    let done = report(&[&server.url("/app:1"), &server.url("/team/app:stable")]);
    assert_eq!([&done["copied"], &done["blobs"], &done["mounted"]], [1, 0, 2], "{done}");
    assert_eq!(ls(&fixture, "app:1")["digest"], ls(&fixture, "team/app:stable")["digest"]);
}

#[test]
fn what_is_not_there_is_told_and_the_kubelet_hears_of_it() {
    let (source, target) = (Fixture::new(), Fixture::new());
    source.push_image("app", "1", "layer");
    let server = Served::start(&source);
    let log = target.path("termination-log");
    let said = copy(&[&server.url("/app:2"), text(&target.root()), "--termination-log", text(&log)]);
    assert!(said.code == 1 && said.stderr.contains("does not have the manifest 2"), "{said:?}");
    let told: Value = serde_json::from_slice(&fs::read(&log).unwrap()).unwrap();
    assert_eq!([&told["failed"], &told["copied"]], [1, 0], "{told}");
    let nowhere = copy(&["http://127.0.0.1:1/app:1", text(&target.root()), "--src-username", "ann"]);
    assert!(nowhere.stderr.contains("--src-password-file"), "{nowhere:?}");
}

#[test]
fn what_an_index_lists_and_the_source_lacks_is_left_out_if_the_destination_allows_that() {
    let (source, target) = (Fixture::new(), Fixture::new());
    let image = source.push_image("app", "1", "layer");
    let lost = source.push_image("app", "lost", "lost layer");
    let children = [&image, &lost].map(|image| descriptor(MediaType::OCI_IMAGE, &image.to_string()));
    let index = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": children});
    let digest = source.push_manifest("app", "latest", &index);
    source.delete("app", &sha256(lost.to_string()).to_string());
    let refused = copy(&[text(&source.root()), text(&target.root())]);
    assert!(refused.code == 1 && refused.stderr.contains("app:latest was not copied"), "{refused:?}");
    let config = target.config();
    let strict = fs::read_to_string(&config).unwrap();
    fs::write(&config, strict + "validation: {manifests: {indexes: {platforms: none}}}\n").unwrap();
    let done = report(&[text(&source.root()), text(&config)]);
    assert_eq!([&done["copied"], &done["unchanged"]], [1, 1], "{done}");
    assert_eq!(ls(&target, "app:latest")["digest"], digest.to_string());
}

#[test]
fn of_all_tags_only_those_that_match_are_copied_and_their_signatures_with_them() {
    let (source, target) = (Fixture::new(), Fixture::new());
    let images = ["1.0", "1.1", "2.0", "edge"].map(|tag| source.push_image("app", tag, tag));
    let by_tag = |image: &Value| format!("{}.sig", sha256(image.to_string()).to_string().replace(':', "-"));
    for image in [&images[0], &images[2]] {
        source.push_image("app", &by_tag(image), "signature under a tag");
    }
    sign(&source, &images[1], "signature");
    let (from, to) = (source.root(), target.root());
    let done = report(&[text(&from), text(&to), "--tag", "1.*", "--tag", "/^e/"]);
    assert_eq!([&done["copied"], &done["manifests"]], [4, 5], "{done}");
    let tags = target.run("ls", &["app"]).stdout;
    for (tag, is_there) in [("1.0", true), ("1.1", true), ("edge", true), ("2.0", false)] {
        assert_eq!(tags.contains(tag), is_there, "{tag}: {tags}");
    }
    assert!(tags.contains(&by_tag(&images[0])) && !tags.contains(&by_tag(&images[2])), "{tags}");
    assert_eq!(exported(&source, "app:1.1"), exported(&target, "app:1.1"));
    let wrong = copy(&[text(&from), text(&to), "--tag", "/(/"]);
    assert!(wrong.code == 2 && wrong.stderr.contains("is no pattern of tags"), "{wrong:?}");
}

#[test]
fn a_dry_run_writes_nothing_and_tells_what_the_copy_will_send() {
    let (source, target) = (Fixture::new(), Fixture::new());
    push_index(&source);
    source.push_image("team/other", "1", "amd64");
    target.push_image("app", "amd64", "amd64");
    let (from, to) = (source.root(), target.path("new"));
    let would = report(&[text(&from), text(&to), "--dry-run"]);
    let is_empty = !to.exists() || fs::read_dir(&to).unwrap().next().is_none();
    assert!(is_empty, "something was written");
    let does = report(&[text(&from), text(&to)]);
    assert_eq!(would, does, "it does what was told");
    assert_eq!(does["copiedImages"], json!(["app:amd64", "app:arm64", "app:latest", "team/other:1"]));

    let server = Served::start(&target);
    let arguments = [text(&from), &server.url(""), "--repository", "app", "--dry-run"];
    let said = copy(&arguments);
    assert_eq!(said.code, 0, "{said:?}");
    let [images @ .., summary] = &said.stdout.lines().collect::<Vec<_>>()[..] else { panic!("{said:?}") };
    assert_eq!(images, ["app:arm64", "app:latest"]);
    assert!(summary.starts_with("2 images to copy, 1 unchanged; 2 blobs with "), "{summary}");
    let really = report(&arguments[..4]);
    assert_eq!([&really["blobs"], &really["copied"], &really["unchanged"]], [2, 2, 1], "{really}");
}
