//! How one article keeps images in object storage, with `MinIO` in the place of Amazon's.

use crate::machine::Machine;
use anyhow::Result;
use berth_tests::command::succeed;
use berth_tests::digest::sha256;
use berth_tests::programs::built;
use berth_tests::registry_process::RegistryProcess;
use std::fs;
use std::process::Command;

const BUCKET: &str = "docker-registry";

/// `MinIO` as the article starts it, with the bucket.
fn minio(machine: &Machine, user: &str, password: &str, bucket: &str) -> Result<RegistryProcess> {
    let mut server = machine.command(built("minio")?);
    server.arg("server").arg(machine.path("minio-data")).args(["--console-address", ":9001"]);
    server.env("MINIO_ROOT_USER", user).env("MINIO_ROOT_PASSWORD", password).env("MINIO_UPDATE", "off");
    let server = RegistryProcess::start(&mut server, &machine.path("minio.log"))?;
    // It makes none before all of it is ready.
    server.wait_for(|| {
        let mut make = s3(machine, user, password, &format!("http://minio:9000/{bucket}"));
        make.args(["--fail", "--request", "PUT"]);
        make
    })?;
    Ok(server)
}

/// A request to the server, for which `curl` may be given more arguments.
fn s3(machine: &Machine, user: &str, password: &str, url: &str) -> Command {
    let mut curl = machine.command("curl");
    curl.args([
        "--silent",
        "--aws-sigv4",
        "aws:amz:us-east-1:s3",
        "--user",
        &format!("{user}:{password}"),
        url,
    ]);
    curl
}

#[test]
fn in_minio_by_variables() -> Result<()> {
    let machine = Machine::new()?;
    let (user, password) = ("minioadmin", "minioadmin123");
    let _minio = minio(&machine, user, password, BUCKET)?;
    machine.sh("htpasswd -Bbn admin S3cur3P@ssw0rd > auth/htpasswd")?;
    let htpasswd = machine.path("auth/htpasswd").display().to_string();
    let variables = [
        ("REGISTRY_AUTH", "htpasswd"),
        ("REGISTRY_AUTH_HTPASSWD_REALM", "Docker Registry"),
        ("REGISTRY_AUTH_HTPASSWD_PATH", &htpasswd),
        ("REGISTRY_STORAGE", "s3"),
        ("REGISTRY_STORAGE_S3_ACCESSKEY", user),
        ("REGISTRY_STORAGE_S3_SECRETKEY", password),
        ("REGISTRY_STORAGE_S3_REGION", "us-east-1"),
        ("REGISTRY_STORAGE_S3_BUCKET", BUCKET),
        ("REGISTRY_STORAGE_S3_REGIONENDPOINT", "http://minio:9000"),
        ("REGISTRY_STORAGE_S3_FORCEPATHSTYLE", "true"),
        ("REGISTRY_STORAGE_DELETE_ENABLED", "true"),
    ];
    let registry = machine.serve(&variables, "http://localhost:5000/v2/")?;
    machine.push("localhost:5000/app:1", "--dest-creds=admin:S3cur3P@ssw0rd")?;
    let url = format!("http://minio:9000/{BUCKET}?list-type=2");
    let listed = succeed(&mut s3(&machine, user, password, &url))?;
    assert!(
        listed.contains("docker/registry/v2/repositories/app/_manifests/tags/1/current/link"),
        "{listed}"
    );
    registry.stop()?;

    let _registry = machine.serve(&variables, "http://localhost:5000/v2/")?;
    let options = "--tls-verify=false --creds=admin:S3cur3P@ssw0rd";
    let pulled = machine.sh(&format!(
        "skopeo inspect {options} docker://localhost:5000/app:1 | jq -r .Digest
        skopeo --insecure-policy copy --quiet --src-tls-verify=false --src-creds=admin:S3cur3P@ssw0rd \
            docker://localhost:5000/app:1 dir:pulled"
    ))?;
    let manifest = fs::read(machine.path("pulled/manifest.json"))?;
    assert_eq!(pulled.trim(), sha256(&manifest));
    machine.sh(&format!("skopeo delete {options} docker://localhost:5000/app:1")).map(drop)
}

#[test]
fn in_a_bucket_by_a_configuration_file() -> Result<()> {
    let machine = Machine::new()?;
    let (user, password) = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
    let _minio = minio(&machine, user, password, "my-docker-registry")?;
    let file = machine.path("config.yml");
    fs::write(
        &file,
        format!(
            "version: 0.1\nstorage:\n  s3:\n    accesskey: {user}\n    secretkey: {password}\n    \
             region: us-east-1\n    bucket: my-docker-registry\n    rootdirectory: /registry\n  \
             delete:\n    enabled: true\n  cache:\n    blobdescriptor: inmemory\n"
        ),
    )?;
    // What the article leaves out, since it is Amazon's there.
    let endpoint = [
        ("REGISTRY_STORAGE_S3_REGIONENDPOINT", "http://minio:9000"),
        ("REGISTRY_STORAGE_S3_FORCEPATHSTYLE", "true"),
    ];
    let _registry = machine.serve_file(&file, &endpoint, "http://localhost:5000/v2/")?;
    machine.push("localhost:5000/app:1", "")?;
    machine.sh("skopeo inspect --tls-verify=false docker://localhost:5000/app:1")?;
    let url = "http://minio:9000/my-docker-registry?list-type=2";
    let listed = succeed(&mut s3(&machine, user, password, url))?;
    assert!(listed.contains("<Key>registry/docker/registry/v2/blobs/sha256/"), "{listed}");
    machine.sh("skopeo delete --tls-verify=false docker://localhost:5000/app:1").map(drop)
}
