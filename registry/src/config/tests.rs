//! Whole configurations: those of the registry image, of tutorials, and of the operator.

use super::*;

fn load_yaml(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yml");
    std::fs::write(&path, text).unwrap();
    load(Some(&path), owned(variables), &Options::default())
}

fn owned(variables: &[(&str, &str)]) -> Vec<(String, String)> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

const IMAGE_DEFAULT: &str = "
version: 0.1
log: {fields: {service: registry}}
storage:
  cache: {blobdescriptor: inmemory}
  filesystem: {rootdirectory: /var/lib/registry}
http:
  addr: :5000
  headers: {X-Content-Type-Options: [nosniff]}
health:
  storagedriver: {enabled: true, interval: 10s, threshold: 3}
";

#[test]
fn nothing_at_all_serves_a_local_folder_on_port_5000() {
    let config = load(None, [], &Options::default()).unwrap().config;
    assert_eq!(config.storage, Storage::Filesystem { root: "data".into() });
    assert_eq!(config.http.listen.to_string(), ":5000");
    assert!(config.http.tls.is_none() && config.htpasswd.is_none());
}

#[test]
fn the_default_file_of_the_image_is_accepted() {
    let loaded = load_yaml(IMAGE_DEFAULT, &[]).unwrap();
    assert_eq!(loaded.config.storage, Storage::Filesystem { root: "/var/lib/registry".into() });
    assert_eq!(loaded.config.http.headers[0].0, "x-content-type-options");
    assert_eq!(loaded.config.log.fields["service"], "registry");
    assert_eq!(loaded.config.health.storage, Some(Pace { interval: Duration::from_secs(10), threshold: 3 }));
    assert_eq!(loaded.warnings.len(), 1, "{:?}", loaded.warnings);
}

#[test]
fn the_file_of_the_operator_is_accepted_without_a_warning() {
    let loaded = load_yaml(
        "
version: 0.1
log: {level: info, formatter: json, fields: {service: registry, registry: team/hub}}
storage:
  filesystem: {rootdirectory: /var/lib/registry}
  delete: {enabled: true}
  maintenance: {readonly: {enabled: false}}
http:
  addr: ':5000'
  tls: {certificate: /etc/berth/tls/tls.crt, key: /etc/berth/tls/tls.key}
auth: {htpasswd: {realm: Berth, path: /etc/berth/auth/htpasswd}}
access: {path: /etc/berth/auth/access.yml}
",
        &[],
    )
    .unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    assert_eq!(loaded.config.log.format, LogFormat::Json);
    assert_eq!(loaded.config.access_rules, Some("/etc/berth/auth/access.yml".into()));
}

#[test]
fn the_environment_of_a_tls_and_password_tutorial_is_understood() {
    let config = load_yaml(
        IMAGE_DEFAULT,
        &[
            ("REGISTRY_AUTH", "htpasswd"),
            ("REGISTRY_AUTH_HTPASSWD_REALM", "Registry Realm"),
            ("REGISTRY_AUTH_HTPASSWD_PATH", "/auth/htpasswd"),
            ("REGISTRY_HTTP_ADDR", "0.0.0.0:443"),
            ("REGISTRY_HTTP_TLS_CERTIFICATE", "/certs/domain.crt"),
            ("REGISTRY_HTTP_TLS_KEY", "/certs/domain.key"),
        ],
    )
    .unwrap()
    .config;
    assert_eq!(
        config.htpasswd,
        Some(Htpasswd { realm: "Registry Realm".into(), path: "/auth/htpasswd".into() })
    );
    assert_eq!(config.http.listen.to_string(), "0.0.0.0:443");
    assert_eq!(config.http.tls.unwrap().key, PathBuf::from("/certs/domain.key"));
}

#[test]
fn realm_and_path_without_the_choice_of_htpasswd_are_enough() {
    let variables = [
        ("REGISTRY_AUTH_HTPASSWD_REALM", "Registry Realm"),
        ("REGISTRY_AUTH_HTPASSWD_PATH", "/auth/htpasswd"),
    ];
    assert!(load_yaml(IMAGE_DEFAULT, &variables).unwrap().config.htpasswd.is_some());
}

#[test]
fn the_environment_of_a_compose_file_is_understood() {
    let variables = [
        ("REGISTRY_AUTH", "htpasswd"),
        ("REGISTRY_AUTH_HTPASSWD_REALM", "Docker Registry"),
        ("REGISTRY_AUTH_HTPASSWD_PATH", "/auth/htpasswd"),
        ("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", "/data"),
        ("REGISTRY_STORAGE_DELETE_ENABLED", "true"),
        ("REGISTRY_LOG_LEVEL", "debug"),
        ("REGISTRY_HTTP_SECRET", "abcdef12345"),
        ("REGISTRY_HTTP_ADDR", ""),
    ];
    let config = load_yaml(IMAGE_DEFAULT, &variables).unwrap().config;
    assert_eq!(config.storage, Storage::Filesystem { root: "/data".into() });
    assert!(config.rules.delete_enabled);
    assert_eq!(config.log.level, tracing::Level::DEBUG);
    assert_eq!(config.http.listen.to_string(), ":5000");
}

#[test]
fn object_storage_is_refused_in_words_that_say_what_to_use() {
    let variables = [("REGISTRY_STORAGE", "s3"), ("REGISTRY_STORAGE_S3_BUCKET", "docker-registry")];
    let error = load_yaml(IMAGE_DEFAULT, &variables).unwrap_err().to_string();
    assert!(error.contains("REGISTRY_STORAGE") && error.contains("use storage.filesystem"), "{error}");
}

#[test]
fn a_mirror_is_refused_in_words_that_say_what_to_do() {
    let text = format!("{IMAGE_DEFAULT}proxy: {{remoteurl: 'https://registry-1.docker.io'}}\n");
    let error = load_yaml(&text, &[]).unwrap_err().to_string();
    assert!(error.contains("`proxy`") && error.contains("remove the section"), "{error}");
}

#[test]
fn htpasswd_without_its_file_names_the_missing_key() {
    let error = load_yaml(IMAGE_DEFAULT, &[("REGISTRY_AUTH", "htpasswd")]).unwrap_err().to_string();
    assert!(
        error.starts_with("environment variable REGISTRY_AUTH: `auth.htpasswd.realm` is missing"),
        "{error}"
    );
}

#[test]
fn an_unknown_authentication_lists_those_that_exist() {
    let error = load_yaml(IMAGE_DEFAULT, &[("REGISTRY_AUTH", "htpaswd")]).unwrap_err().to_string();
    assert!(error.contains("did you mean `htpasswd`?"), "{error}");
}

#[test]
fn a_file_without_its_version_is_refused() {
    let error = load_yaml("storage: inmemory\n", &[]).unwrap_err().to_string();
    assert!(
        error.ends_with("config.yml:1: `version` is missing: begin the file with `version: 0.1`"),
        "{error}"
    );
}

#[test]
fn access_rules_without_authentication_are_refused() {
    let error = load_yaml("version: 0.1\naccess: {path: /a.yml}\n", &[]).unwrap_err().to_string();
    assert!(error.contains("config.yml:1: `auth.htpasswd` is missing"), "{error}");
}

#[test]
fn a_certificate_without_its_key_is_refused() {
    let error = load(None, owned(&[("REGISTRY_HTTP_TLS_CERTIFICATE", "/c.crt")]), &Options::default());
    let error = error.unwrap_err().to_string();
    assert!(
        error.starts_with("environment variable REGISTRY_HTTP_TLS_CERTIFICATE: `http.tls.key` is missing"),
        "{error}"
    );
}

#[test]
fn the_command_line_wins_over_file_and_environment() {
    let options = Options { root: Some("/srv".into()), addr: Some("127.0.0.1:0".into()) };
    let config = load(None, owned(&[("REGISTRY_HTTP_ADDR", ":80")]), &options).unwrap().config;
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:0");
    assert_eq!(config.storage, Storage::Filesystem { root: "/srv".into() });
}

fn config(more: &str) -> Config {
    load_yaml(&format!("version: 0.1\n{more}"), &[]).unwrap().config
}

fn error(more: &str) -> String {
    let error = load_yaml(&format!("version: 0.1\n{more}"), &[]).unwrap_err().to_string();
    error.split_once("config.yml:").map_or(error.clone(), |(_, told)| told.to_owned())
}

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
    indexes: {platforms: list, platformlist: [{architecture: amd64, os: linux}]}
",
    )
    .validation;
    assert_eq!(validation.urls_allow, ["^https://example\\.com/"]);
    let platform = Platform { architecture: "amd64".into(), os: "linux".into() };
    assert_eq!(validation.index_platforms, IndexPlatforms::List(vec![platform]));
    assert_eq!(config("").validation.index_platforms, IndexPlatforms::All);
    assert_eq!(config("validation: {disabled: true}").validation.index_platforms, IndexPlatforms::None);
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
