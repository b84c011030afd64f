//! What `mirrors` and `proxy` mean.

use std::time::Duration;

use berth_oci::RepositoryName;

use super::{config, error, load_yaml};
use crate::{
    config::{Mirror, MirrorCredentials},
    http_client::Authorities,
};

fn mirrors(items: &str) -> Vec<Mirror> {
    config(&format!("mirrors:\n{items}\n")).mirrors
}

fn prefix(mirror: &Mirror) -> Option<&str> {
    mirror.prefix.as_ref().map(RepositoryName::as_str)
}

#[test]
fn an_upstream_alone_is_mirrored_under_its_own_name() {
    let mirrors = mirrors("- {upstream: docker.io}\n- {upstream: 'Quay.io'}");
    assert_eq!(prefix(&mirrors[0]), Some("docker.io"));
    assert_eq!(mirrors[0].url, "https://registry-1.docker.io");
    assert_eq!(
        (mirrors[1].upstream.as_str(), &mirrors[1].credentials),
        ("quay.io", &MirrorCredentials::None)
    );
    assert_eq!((mirrors[1].ttl, mirrors[1].limit, mirrors[1].offline), (Duration::from_mins(1), None, false));
}

#[test]
fn every_key_of_a_mirror_is_read() {
    let mirrors = mirrors(
        "- {upstream: 'hub.example.com:5000', prefix: team/hub, remoteurl: 'http://10.0.0.1', username: u, passwordfile: /p, \
         ttl: 0s, keep: 48h, ca: /ca.pem, limit: 2GiB, offline: true, \
         prefetch: {images: ['app:1', 'team/app'], interval: 1h}}",
    );
    let mirror = &mirrors[0];
    assert_eq!(prefix(mirror), Some("team/hub"));
    assert_eq!(
        mirror.credentials,
        MirrorCredentials::PasswordFile { username: "u".into(), path: "/p".into() }
    );
    assert_eq!((mirror.keep, mirror.limit), (Some(Duration::from_hours(48)), Some(2 << 30)));
    let prefetch = mirror.prefetch.as_ref().unwrap();
    assert_eq!(prefetch.images[1].1.to_string(), "latest");
    assert_eq!(prefetch.interval, Duration::from_hours(1));
}

#[test]
fn authorities_are_in_a_file_or_in_the_configuration_itself() {
    let pem = "-----BEGIN CERTIFICATE-----\\nMA==\\n-----END CERTIFICATE-----\\n";
    let mirrors = mirrors(&format!("- {{upstream: a.io, ca: /ca.pem}}\n- {{upstream: b.io, ca: \"{pem}\"}}"));
    assert_eq!(mirrors[0].ca, Some(Authorities::File("/ca.pem".into())));
    assert!(matches!(&mirrors[1].ca, Some(Authorities::Text(text)) if text.ends_with("-----\n")));
}

#[test]
fn credentials_come_from_variables_files_and_helpers() {
    let variables = [
        ("REGISTRY_MIRRORS_0_UPSTREAM", "quay.io"),
        ("REGISTRY_MIRRORS_0_USERNAME", "robot"),
        ("REGISTRY_MIRRORS_0_PASSWORD", "0123"),
        ("REGISTRY_MIRRORS_1_UPSTREAM", "ghcr.io"),
        ("REGISTRY_MIRRORS_1_EXEC_COMMAND", "docker-credential-x"),
        ("REGISTRY_MIRRORS_1_EXEC_LIFETIME", "5m"),
    ];
    let loaded = load_yaml("version: 0.1\n", &variables).unwrap();
    let credentials: Vec<_> = loaded.config.mirrors.iter().map(|mirror| mirror.credentials.clone()).collect();
    assert_eq!(
        credentials,
        [
            MirrorCredentials::Password { username: "robot".into(), password: "0123".into() },
            MirrorCredentials::Exec {
                command: "docker-credential-x".into(),
                lifetime: Some(Duration::from_mins(5))
            },
        ]
    );
    assert!(!format!("{credentials:?}").contains("0123"));
}

#[test]
fn a_proxy_is_a_mirror_without_a_prefix_that_forgets_after_its_ttl() {
    let proxy = "proxy: {remoteurl: 'https://registry-1.docker.io', cachewritetimeout: 1m";
    let mirror = &config(&format!("{proxy}}}\n")).mirrors[0];
    assert_eq!((mirror.upstream.as_str(), &mirror.prefix, mirror.ttl), ("docker.io", &None, Duration::ZERO));
    assert_eq!(mirror.keep, Some(Duration::from_hours(168)));
    assert_eq!(config(&format!("{proxy}, ttl: 0}}\n")).mirrors[0].keep, None);
    assert!(config("proxy: {remoteurl: ''}\n").mirrors.is_empty());
}

#[test]
fn what_cannot_be_mirrored_is_told_with_its_line() {
    for (text, told) in [
        ("mirrors:\n- {upstream: 'https://quay.io'}", "3: `mirrors[0].upstream` must be the host"),
        ("mirrors:\n- {upstream: 'hub:5000'}", "3: `mirrors[0].prefix` is missing"),
        ("mirrors:\n- {prefix: a}", "3: `mirrors[0].upstream` is missing"),
        ("mirrors:\n- {upstream: a.io, username: u}", "3: `mirrors[0].password` is missing"),
        ("mirrors:\n- {upstream: a.io, password: p}", "3: `mirrors[0].username` is missing"),
        ("mirrors:\n- {upstream: a.io, limit: much}", "3: `mirrors[0].limit` must be a size"),
        ("mirrors:\n- {upstream: a.io}\n- {upstream: a.io, prefix: b}", "4: `mirrors[1].upstream`"),
        ("mirrors:\n- {upstream: a.io}\n- {upstream: b.io, prefix: a.io}", "4: `mirrors[1].prefix`"),
        ("mirrors:\n- {upstream: a.io, remoteurl: 'https://a.io/v2/'}", "3: `mirrors[0].remoteurl`"),
        ("mirrors:\n- {upstream: a.io, prefetch: {images: 'A'}}", "3: `mirrors[0].prefetch.images"),
        (
            "mirrors:\n- {upstream: a.io, username: u, exec: {command: c}}",
            "3: `mirrors[0].exec.command` must be left out",
        ),
        ("proxy: {remoteurl: 'https://a.io'}\nmirrors:\n- {upstream: b.io}", "4: `mirrors[0]`: "),
    ] {
        let error = error(text);
        assert!(error.starts_with(told), "{error}");
    }
}
