//! Pulls that are redirected to a real S3 server, and the clients that follow.

use crate::site::{Site, layer};
use crate::{SERVER, download};
use anyhow::{Context, Result, ensure};
use berth_tests::cluster::wait;
use berth_tests::command::succeed;
use berth_tests::http::{Answer, ask};
use berth_tests::image::{Image, Recipe};
use berth_tests::programs::{built, packaged};
use berth_tests::registry_process::{RegistryProcess, free_port, program};
use berth_tests::s3_server::S3Server;
use std::fs;
use std::process::Command;
use std::time::Duration;

const NAME: &str = "team/app";

/// A registry over a bucket, in which a blob lies.
struct Redirecting {
    site: Site,
    server: RegistryProcess,
    layer: Vec<u8>,
}

impl Redirecting {
    /// With these keys of `storage.redirect`.
    fn with(redirect: &str) -> Result<Self> {
        let root = format!("redirect/{}", free_port()?);
        let section = S3Server::section(&SERVER.url(), &root);
        Self::of(Site::configured(&format!("s3: {section}\n  redirect: {{{redirect}}}"), "")?)
    }

    fn of(site: Site) -> Result<Self> {
        let server = site.serve(program()?)?;
        let layer = layer(b'r', 300_000);
        site.push_blob(NAME, &layer)?;
        Ok(Self { site, server, layer })
    }

    fn pull(&self, arguments: &[&str]) -> Result<Answer> {
        self.site.ask(arguments, &Site::blob(NAME, &self.layer))
    }

    /// Where the storage has the blob.
    fn place(&self) -> Result<String> {
        let answer = self.pull(&[])?.expect(307)?;
        answer.header("location").map(str::to_owned).context("a redirect leads somewhere")
    }

    fn assert_streams(&self, arguments: &[&str]) -> Result<()> {
        let answer = self.pull(arguments)?.expect(200)?;
        assert!(answer.body == self.layer, "{arguments:?}");
        Ok(())
    }
}

#[test]
fn curl_follows_to_the_whole_blob_and_to_a_part_of_it() -> Result<()> {
    let registry = Redirecting::with("disable: false")?;
    let place = registry.place()?;
    assert!(place.starts_with(&format!("{}/hub/redirect/", SERVER.url())), "{place}");
    let url = registry.site.url(&Site::blob(NAME, &registry.layer));
    assert!(download(&url, &["--location"]) == (200, registry.layer.clone()));
    let part = download(&url, &["--location", "--range", "1000-1999"]);
    assert!(part == (206, registry.layer[1000..2000].to_vec()));
    assert_eq!(download(&url, &["--location", "--range", "900000-"]).0, 416);

    let head = registry.pull(&["--head"])?.expect(200)?;
    assert_eq!(head.header("content-length"), Some("300000"));
    registry.server.stop()
}

#[test]
fn nobody_is_redirected_unless_it_is_asked_for() -> Result<()> {
    for redirect in ["", "disable: true", "lifetime: 5m"] {
        Redirecting::with(redirect)?.assert_streams(&[])?;
    }
    Ok(())
}

#[test]
fn a_url_is_refused_when_its_lifetime_is_over() -> Result<()> {
    let registry = Redirecting::with("disable: false, lifetime: 1s")?;
    let place = registry.place()?;
    let expired =
        wait::until("the URL to expire", Duration::from_secs(30), || ask(&mut curl(&place))?.expect(403))?;
    assert!(expired.text().contains("expired"), "{}", expired.text());
    Ok(())
}

#[test]
fn clients_get_the_endpoint_that_is_meant_for_them_and_the_url_is_valid_there_alone() -> Result<()> {
    let section = S3Server::section(&SERVER.url(), "public");
    let section = section.replacen('{', &format!("{{redirectendpoint: '{}', ", SERVER.url_by_name()), 1);
    let storage = format!("s3: {section}\n  redirect: {{disable: false}}");
    let registry = Redirecting::of(Site::configured(&storage, "")?)?;
    let place = registry.place()?;
    assert!(place.starts_with(&format!("{}/hub/public/", SERVER.url_by_name())), "{place}");
    assert!(download(&place, &[]) == (200, registry.layer.clone()));
    assert_eq!(download(&place.replace(&SERVER.url_by_name(), &SERVER.url()), &[]).0, 403);
    Ok(())
}

#[test]
fn clients_are_chosen_by_their_network() -> Result<()> {
    let elsewhere = Redirecting::with("disable: false, networks: {only: [192.0.2.0/24]}")?;
    elsewhere.assert_streams(&[])?;
    elsewhere.assert_streams(&["--header", "X-Forwarded-For: 192.0.2.1"])?;
    let here = Redirecting::with("disable: false, networks: {only: [127.0.0.0/8]}")?;
    here.pull(&[])?.expect(307)?;
    here.assert_streams(&["--header", "X-Forwarded-For: 192.0.2.1"])
}

#[test]
fn clients_are_chosen_by_what_they_call_themselves() -> Result<()> {
    let registry =
        Redirecting::with("disable: false, useragents: {only: ['containerd/*'], except: ['*/0.*']}")?;
    registry.assert_streams(&[])?;
    registry.assert_streams(&["--user-agent", "containerd/0.9"])?;
    registry.pull(&["--user-agent", "containerd/v2.0.1"])?.expect(307).map(drop)
}

#[test]
fn a_url_that_was_made_with_temporary_credentials_carries_their_token() -> Result<()> {
    let [access_key, secret_key, token] = SERVER.temporary_credentials()?;
    let section = format!(
        "{{accesskey: {access_key}, secretkey: {secret_key}, sessiontoken: '{token}', region: harbour, bucket: hub, \
         regionendpoint: '{}', rootdirectory: temporary}}",
        SERVER.url()
    );
    let storage = format!("s3: {section}\n  redirect: {{disable: false}}");
    let registry = Redirecting::of(Site::configured(&storage, "")?)?;
    let place = registry.place()?;
    assert!(place.contains("&X-Amz-Security-Token="), "{place}");
    assert!(download(&place, &[]) == (200, registry.layer.clone()));
    Ok(())
}

/// The clients show their password to the registry, and then follow to another port of the same host.
#[test]
fn skopeo_and_crane_pull_an_image_by_redirects() -> Result<()> {
    let section = S3Server::section(&SERVER.url(), "clients");
    let section = section.replacen('{', &format!("{{redirectendpoint: '{}', ", SERVER.url_by_name()), 1);
    let users = tempfile::NamedTempFile::new()?;
    fs::write(&users, succeed(Command::new(program()?).args(["htpasswd", "-Bbn", "alice", "secret"]))?)?;
    let site = Site::configured(
        &format!("s3: {section}\n  redirect: {{disable: false}}"),
        &format!("auth: {{htpasswd: {{realm: Berth, path: {}}}}}", users.path().display()),
    )?;
    let server = site.serve(program()?)?;
    let image = Image::pack(&Recipe::new().text("motd", "hello").starts(&["/hello"], &[]))?;
    let (layout, back) = (site.folder.path().join("layout"), site.folder.path().join("back"));
    image.write_oci_layout(&layout, "1")?;
    let reference = format!("localhost:{}/{NAME}:1", site.port);

    let skopeo = |arguments: &[&str], from: &str, to: &str| -> Result<String> {
        let mut skopeo = Command::new(packaged("skopeo")?);
        succeed(skopeo.args(["--insecure-policy", "copy"]).args(arguments).args([from, to]))
    };
    let remote = format!("docker://{reference}");
    let push = ["--dest-tls-verify=false", "--dest-creds=alice:secret"];
    skopeo(&push, &format!("oci:{}:1", layout.display()), &remote)?;
    let pull = ["--src-tls-verify=false", "--src-creds=alice:secret"];
    skopeo(&pull, &remote, &format!("oci:{}:1", back.display()))?;
    let index = |folder: &std::path::Path| fs::read_to_string(folder.join("index.json"));
    assert!(index(&back)?.contains(&image.digest()), "{}", index(&back)?);

    let crane = || -> Result<Command> {
        let mut crane = Command::new(built("crane")?);
        crane.env("DOCKER_CONFIG", site.folder.path().join("docker"));
        Ok(crane)
    };
    succeed(crane()?.args([
        "auth",
        "login",
        &format!("localhost:{}", site.port),
        "-u",
        "alice",
        "-p",
        "secret",
    ]))?;
    succeed(crane()?.args(["validate", "--remote", &reference]))?;
    let log = server.log();
    for client in ["skopeo/", "crane/"] {
        let is_redirected = |line: &str| line.contains("status=307") && line.contains(client);
        ensure!(log.lines().any(is_redirected), "{client} was not redirected:\n{log}");
    }
    Ok(())
}

fn curl(url: &str) -> Command {
    let mut curl = Command::new("curl");
    curl.arg(url);
    curl
}
