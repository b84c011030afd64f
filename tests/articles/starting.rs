//! How the articles start a registry.

use crate::machine::Machine;
use anyhow::Result;
use std::fs;

/// The variables that turn TLS on for files in the home folder.
pub(crate) fn tls(machine: &Machine) -> [(&'static str, String); 2] {
    let file = |name: &str| machine.path(name).display().to_string();
    [
        ("REGISTRY_HTTP_TLS_CERTIFICATE", file("certs/domain.crt")),
        ("REGISTRY_HTTP_TLS_KEY", file("certs/domain.key")),
    ]
}

/// Variables as [`Machine::serve`] takes them.
pub(crate) fn borrowed<'a>(variables: &'a [(&'a str, String)]) -> Vec<(&'a str, &'a str)> {
    variables.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[test]
fn without_any_configuration() -> Result<()> {
    let machine = Machine::new()?;
    let _registry = machine.serve(&[], "http://localhost:5000/v2/")?;
    assert_eq!(machine.sh("curl --silent http://localhost:5000/v2/")?, "{}");
    Ok(())
}

#[test]
fn with_a_level_and_a_secret_from_variables() -> Result<()> {
    let machine = Machine::new()?;
    let variables = [("REGISTRY_LOG_LEVEL", "debug"), ("REGISTRY_HTTP_SECRET", "abcdef12345")];
    let registry = machine.serve(&variables, "http://localhost:5000/v2/")?;
    machine.sh("curl http://localhost:5000/v2/")?;
    let log = registry.log();
    let listening = log.lines().find(|line| line.contains("listening on")).unwrap_or_default();
    assert!(listening.starts_with("time=\"") && listening.contains(" level=info msg=\""), "{log}");
    assert!(listening.contains(" service=registry") && listening.contains(" version="), "{log}");
    assert!(!log.contains("abcdef12345"), "{log}");
    Ok(())
}

#[test]
fn with_a_configuration_file_of_ones_own() -> Result<()> {
    let machine = Machine::new()?;
    let file = machine.path("config.yml");
    fs::write(
        &file,
        "version: 0.1\nstorage:\n cache:\n    blobdescriptor: inmemory\n filesystem:\n    \
         rootdirectory: /var/lib/registry\n delete:\n    enabled: true\nhttp:\n  addr: :5000\n",
    )?;
    let _registry = machine.serve_file(&file, &[], "http://localhost:5000/v2/")?;
    machine.push("localhost:5000/app:1", "")?;
    machine.sh("skopeo delete --tls-verify=false docker://localhost:5000/app:1").map(drop)
}

#[test]
fn on_port_443_with_a_self_signed_certificate() -> Result<()> {
    let machine = Machine::new()?;
    let made = [
        "openssl req -newkey rsa:4096 -nodes -sha256 -keyout domain.key -x509 -days 5000 \
         -subj '/C=FR/ST=Foo/L=Foo/O=Foo/CN=myregistrydomain.com' -out domain.crt",
        "printf '%s\\n' FR Foo Foo Foo . registry.example.com . | \
         openssl req -newkey rsa:4096 -nodes -sha256 -keyout domain.key -x509 -days 365 -out domain.crt",
        "openssl req -newkey rsa:4096 -nodes -sha256 -keyout domain.key -x509 -days 365 -out domain.crt \
         -subj '/CN=registry.example.com' -addext 'subjectAltName=DNS:registry.example.com,IP:192.168.1.100'",
    ];
    for command in made {
        machine.sh(&format!("cd /srv/registry && {command}"))?;
        let variables = [
            ("REGISTRY_HTTP_ADDR", "0.0.0.0:443"),
            ("REGISTRY_HTTP_TLS_CERTIFICATE", "/srv/registry/domain.crt"),
            ("REGISTRY_HTTP_TLS_KEY", "/srv/registry/domain.key"),
        ];
        let registry = machine.serve(&variables, "https://localhost:443")?;
        let root = machine.sh("curl -k --silent --include https://localhost:443")?;
        assert!(root.lines().next().is_some_and(|status| status.contains(" 200")), "{root}");
        let catalog = machine.sh("curl -kv https://localhost:443/v2/_catalog")?;
        assert!(catalog.contains("{\"repositories\":[]}"), "{catalog}");
        registry.stop()?;
    }
    let trusted = "curl --silent --cacert /srv/registry/domain.crt https://registry.example.com/v2/";
    let _registry = machine.serve(
        &[
            ("REGISTRY_HTTP_ADDR", "0.0.0.0:443"),
            ("REGISTRY_HTTP_TLS_CERTIFICATE", "/srv/registry/domain.crt"),
            ("REGISTRY_HTTP_TLS_KEY", "/srv/registry/domain.key"),
        ],
        "https://localhost:443",
    )?;
    assert_eq!(machine.sh(trusted)?, "{}");
    Ok(())
}

#[test]
fn with_an_empty_address_which_is_the_default_one() -> Result<()> {
    let machine = Machine::new()?;
    machine.sh(CERTIFICATE)?;
    let mut variables = tls(&machine).to_vec();
    variables.push(("REGISTRY_HTTP_ADDR", String::new()));
    let _registry = machine.serve(&borrowed(&variables), "https://localhost:5000")?;
    assert_eq!(machine.sh("curl -k --silent https://localhost:5000/v2/")?, "{}");
    Ok(())
}

#[test]
fn as_a_service_with_its_certificate_in_secrets() -> Result<()> {
    let machine = Machine::new()?;
    machine.sh(CERTIFICATE)?;
    machine.sh("mkdir /run/secrets && cp certs/domain.* /run/secrets")?;
    let variables = [
        ("REGISTRY_HTTP_ADDR", "0.0.0.0:443"),
        ("REGISTRY_HTTP_TLS_CERTIFICATE", "/run/secrets/domain.crt"),
        ("REGISTRY_HTTP_TLS_KEY", "/run/secrets/domain.key"),
    ];
    let _registry = machine.serve(&variables, "https://localhost:443")?;
    assert_eq!(machine.sh("curl -k --silent https://localhost:443/v2/")?, "{}");
    Ok(())
}

/// A small key, where an article's own command is not what is tested.
pub(crate) const CERTIFICATE: &str = "openssl req -newkey rsa:2048 -nodes -sha256 -keyout certs/domain.key -x509 \
    -days 365 -out certs/domain.crt -subj '/CN=registry.example.com' \
    -addext 'subjectAltName=DNS:registry.example.com,DNS:registry.local,DNS:localhost,IP:192.168.1.100'";

#[test]
fn as_a_mirror_of_another_registry_with_a_login_from_variables() -> Result<()> {
    let machine = Machine::new()?;
    let elsewhere = [
        ("REGISTRY_HTTP_ADDR", ":5001"),
        ("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", "/srv/registry/elsewhere"),
    ];
    let _elsewhere = machine.serve(&elsewhere, "http://localhost:5001/v2/")?;
    machine.push("localhost:5001/library/app:1", "")?;
    let proxy = [
        ("REGISTRY_PROXY_REMOTEURL", "http://localhost:5001"),
        ("REGISTRY_PROXY_USERNAME", "dockerhub_user"),
        ("REGISTRY_PROXY_PASSWORD", "dockerhub_token"),
    ];
    let mirror = machine.serve(&proxy, "http://localhost:5000/v2/")?;
    machine.sh(
        "skopeo --insecure-policy copy --quiet --src-tls-verify=false docker://localhost:5000/library/app:1 dir:pulled",
    )?;
    assert!(!mirror.log().contains("dockerhub_token"), "{}", mirror.log());
    Ok(())
}
