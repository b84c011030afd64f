//! What each section of the file means.

use super::{config, error, load_yaml};
use crate::{
    config::*,
    repository::{Keep, VersionLimits},
};

#[test]
fn the_outside_of_the_server_is_read() {
    let http = config(
        "http: {net: unix, addr: /run/registry.sock, prefix: /hub/, http2: {disabled: true}, h2c: {enabled: true}}",
    )
    .http;
    assert_eq!(http.listen, Listen::Unix("/run/registry.sock".into()));
    assert_eq!(http.prefix, "/hub");
    assert!(!http.http2 && http.h2c);
    let http = config("").http;
    assert!(http.http2 && !http.h2c && http.prefix.is_empty());
    assert!(error("http: {net: unix}").contains("`http.addr` is missing: the path of the socket"));
    assert_eq!(
        error("http: {prefix: hub}"),
        "2: `http.prefix` must be a path that begins and ends with a slash, such as /registry/, but is \"hub\""
    );
}

#[test]
fn client_certificates_and_cipher_suites_are_read() {
    let tls = |more: &str| {
        let text = format!("version: 0.1\nhttp: {{tls: {{certificate: /c, key: /k, {more}}}}}");
        load_yaml(&text, &[]).map(|loaded| (loaded.config.http.tls.unwrap(), loaded.warnings))
    };
    let (read, _) = tls("clientcas: [/a, /b]").unwrap();
    let clients = ClientCertificates {
        authorities: vec!["/a".into(), "/b".into()],
        demand: ClientDemand::RequireAndVerify,
    };
    assert_eq!(read.clients, Some(clients));
    for (word, demand) in [
        ("request-client-cert", ClientDemand::Request),
        ("require-any-client-cert", ClientDemand::RequireAny),
        ("verify-client-cert-if-given", ClientDemand::VerifyIfGiven),
        ("require-and-verify-client-cert", ClientDemand::RequireAndVerify),
    ] {
        let (read, _) = tls(&format!("clientcas: /a, clientauth: {word}")).unwrap();
        assert_eq!(read.clients.unwrap().demand, demand);
    }
    let (read, warnings) = tls("clientauth: request-client-cert").unwrap();
    assert!(read.clients.is_none() && warnings[0].contains("without http.tls.clientcas"), "{warnings:?}");

    let (read, warnings) =
        tls("ciphersuites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_RSA_WITH_AES_128_CBC_SHA, TLS_AES_128_GCM_SHA256]")
            .unwrap();
    assert_eq!(read.cipher_suites, [rustls::CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]);
    assert!(warnings[0].contains("TLS_RSA_WITH_AES_128_CBC_SHA has known weaknesses"), "{warnings:?}");
    let (read, _) = tls("ciphersuites: [TLS_AES_128_GCM_SHA256]").unwrap();
    assert_eq!((read.minimum, read.cipher_suites.len()), (TlsVersion::Tls13, 0));
    for wrong in ["ciphersuites: [RC4]", "ciphersuites: [TLS_RSA_WITH_AES_128_CBC_SHA]"] {
        assert!(tls(wrong).unwrap_err().to_string().contains("`http.tls.ciphersuites[0]` must be"));
    }
}

#[test]
fn an_old_version_of_tls_is_raised_with_a_warning() {
    let text = "version: 0.1\nhttp: {tls: {certificate: /c, key: /k, minimumtls: tls1.0}}";
    let loaded = load_yaml(text, &[]).unwrap();
    assert_eq!(loaded.config.http.tls.unwrap().minimum, TlsVersion::Tls12);
    assert!(loaded.warnings[0].contains("1.2 is used"), "{:?}", loaded.warnings);
}

#[test]
fn the_debug_listener_has_an_address_and_perhaps_metrics() {
    let debug = config("http: {debug: {addr: 'localhost:5001', prometheus: {enabled: true}}}").debug.unwrap();
    assert_eq!(debug.address.to_string(), "localhost:5001");
    assert_eq!(debug.metrics_path.as_deref(), Some("/metrics"));
    assert_eq!(config("http: {debug: {addr: ':5001'}}").debug.unwrap().metrics_path, None);
    let loaded = load_yaml("version: 0.1\nhttp: {debug: {prometheus: {enabled: true}}}", &[]).unwrap();
    assert!(loaded.config.debug.is_none() && loaded.warnings[0].contains("http.debug.addr"));
}

#[test]
fn health_checks_are_read_with_their_defaults() {
    let health = config(
        "
health:
  storagedriver: {enabled: true, interval: 0, threshold: 0}
  file: [{file: /tmp/stop, interval: 1m}]
  http: [{uri: 'https://example.com/up', headers: {Authorization: [Basic YTpi]}, statuscode: 204}]
  tcp: [{addr: 'db:5432', timeout: 3s, threshold: 5}]
",
    )
    .health;
    let seconds = Duration::from_secs;
    assert_eq!(health.storage, Some(Pace { interval: seconds(10), threshold: 3 }));
    assert_eq!(health.files, [FileCheck { path: "/tmp/stop".into(), interval: seconds(60) }]);
    assert_eq!((health.http[0].status.as_u16(), health.http[0].timeout), (204, seconds(10)));
    assert!(!format!("{:?}", health.http).contains("YTpi"), "a secret header is not printed");
    assert_eq!(health.tcp[0].pace, Pace { interval: seconds(10), threshold: 5 });
    assert!(config("").health.storage.is_none());
    assert!(
        error("health: {http: [{uri: example.com}]}").starts_with("2: `health.http[0].uri` must be a URL")
    );
}

#[test]
fn endpoints_of_notifications_are_read() {
    let notifications = config(
        "
notifications:
  events: {includereferences: true}
  endpoints:
  - name: first
    url: https://user:secret@example.com/events
    headers: {Authorization: [Bearer abc]}
    timeout: 500ms
    threshold: 5
    backoff: 2s
    ignoredmediatypes: [application/octet-stream]
    ignore: {mediatypes: [text/plain], actions: [pull]}
  - {name: second, url: 'http://example.com'}
  - {name: third, url: 'http://example.com', disabled: true}
",
    )
    .notifications;
    assert!(notifications.include_references);
    let [first, second] = notifications.endpoints.as_slice() else { panic!("two are enabled") };
    assert_eq!(first.ignored_media_types, ["application/octet-stream", "text/plain"]);
    assert_eq!(first.ignored_actions, ["pull"]);
    assert_eq!((first.timeout, first.backoff), (Duration::from_millis(500), Duration::from_secs(2)));
    assert_eq!((second.timeout, second.threshold), (Duration::from_secs(1), 10));
    for (wrong, told) in [
        ("{url: 'http://a'}", "2: `notifications.endpoints[0].name` is missing"),
        ("{name: a}", "2: `notifications.endpoints[0].url` is missing"),
        (
            "{name: a, url: 'http://a', ignore: {actions: [pul]}}",
            "one of pull, push, mount, delete, but is \"pul\"",
        ),
        ("{name: a, url: 'http://a'}, {name: a, url: 'http://b'}", "a name that no other endpoint has"),
    ] {
        let error = error(&format!("notifications: {{endpoints: [{wrong}]}}"));
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn limits_of_lists_and_the_dry_run_of_purging_are_read() {
    assert_eq!(config("catalog: {maxentries: 5}\ntags: {maxtags: 7}").limits, Limits { catalog: 5, tags: 7 });
    assert_eq!(config("catalog: {maxentries: -1}").limits, Limits::default());
    let purging = |text: &str| {
        config(&format!("storage: {{maintenance: {{uploadpurging: {{{text}}}}}}}")).upload_purging
    };
    let hours = Duration::from_hours;
    let default = UploadPurging { age: hours(168), interval: hours(24), dry_run: false };
    assert_eq!(purging("enabled: true"), Some(default));
    assert_eq!(
        purging("dryrun: true, age: 3600000000000"),
        Some(UploadPurging { age: hours(1), dry_run: true, ..default })
    );
    assert_eq!(purging("enabled: false"), None);
}

#[test]
fn the_validation_of_manifests_is_read() {
    let validation = config(
        "
validation:
  manifests:
    urls: {allow: ['^https://example\\.com/'], deny: [secret]}
    images: {layers: none}
    indexes: {platforms: list, platformlist: [{architecture: amd64, os: linux}]}
",
    )
    .validation;
    assert_eq!(validation.urls_allow.patterns(), ["^https://example\\.com/"]);
    let platform = Platform { architecture: "amd64".into(), os: "linux".into() };
    assert_eq!(validation.index_platforms, IndexPlatforms::List(vec![platform]));
    assert_eq!(validation.image_layers, ImageLayers::None);
    assert_eq!(config("").validation, Validation::default());
    let disabled = config("validation: {disabled: true}").validation;
    assert_eq!(disabled, Validation { index_platforms: IndexPlatforms::None, ..Validation::default() });
    let both = config("validation: {enabled: true, disabled: true}").validation;
    assert_eq!(both.index_platforms, IndexPlatforms::All);
    assert!(error("validation: {manifests: {urls: {deny: ['(']}}}").contains("must be a regular expression"));
    assert!(
        error("validation: {manifests: {indexes: {platforms: list}}}").contains("`platforms: list` needs")
    );
}

#[test]
fn middleware_is_refused_unless_it_is_disabled() {
    assert!(
        error("middleware: {storage: [{name: cloudfront, options: {baseurl: a}}]}")
            .starts_with("2: `middleware.storage[0]`: this server has no middleware")
    );
    config("middleware: {storage: [{name: redirect, disabled: true}], registry: []}");
}

#[test]
fn two_storages_are_told_with_their_places() {
    let error = error("storage: {filesystem: {rootdirectory: /a}, inmemory: {}}");
    assert!(error.starts_with("2) and storage.inmemory ("), "{error}");
}

#[test]
fn the_old_key_of_the_log_level_holds_while_nobody_writes_the_new_one() {
    assert_eq!(config("loglevel: debug").log.level, tracing::Level::DEBUG);
    assert_eq!(config("loglevel: debug\nlog: {level: warn}").log.level, tracing::Level::WARN);
}

#[test]
fn rules_of_retention_are_read() {
    let rules = config(
        "
retention:
  rules:
  - {repositories: [team/**], tags: [pr-*, '/^b[0-9]+$/'], keep: {last: 10, newerthan: 336h}}
  - {keep: {semver: {majors: 2}}}
",
    )
    .retention;
    let keep = Keep { last: Some(10), newer_than_seconds: Some(336 * 3600), semver: None };
    let tags = ["pr-*".to_owned(), "/^b[0-9]+$/".to_owned()];
    assert_eq!(rules[0], RetentionRule::new(&["team/**".to_owned()], &tags, keep).unwrap());
    let semver = Some(VersionLimits { majors: Some(2), ..VersionLimits::default() });
    let keep = Keep { semver, ..Keep::default() };
    assert_eq!(rules[1], RetentionRule::new(&[], &[], keep).unwrap());
    for (wrong, told) in [
        ("{tags: [v1]}", "`retention.rules[0].keep` is missing: say what the rule keeps"),
        ("{tags: [/(/], keep: {last: 1}}", "`retention.rules[0].tags` must be names of tags"),
        ("{repositories: [Team], keep: {last: 1}}", "`retention.rules[0].repositories` must be names of"),
        ("{keep: {last: many}}", "`retention.rules[0].keep.last` must be a number"),
    ] {
        let error = error(&format!("retention: {{rules: [{wrong}]}}"));
        assert!(error.contains(told), "{error}");
    }
}
