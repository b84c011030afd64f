//! Whole configurations: those of the registry image, of tutorials, and of the operator.

mod every_key;
mod in_the_wild;
mod mirrors;
mod redirect;
mod s3;
mod sections;

use super::*;
use crate::auth::Algorithm;

fn load_yaml(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yml");
    std::fs::write(&path, text).unwrap();
    load(Some(&path), owned(variables), &Options::default())
}

fn owned(variables: &[(&str, &str)]) -> Vec<(String, String)> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn config(more: &str) -> Config {
    load_yaml(&format!("version: 0.1\n{more}"), &[]).unwrap().config
}

fn error(more: &str) -> String {
    let error = load_yaml(&format!("version: 0.1\n{more}"), &[]).unwrap_err().to_string();
    error.split_once("config.yml:").map_or(error.clone(), |(_, told)| told.to_owned())
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
serviceaccounts: {issuer: 'https://kubernetes.default.svc', audiences: [hub.team.svc], keys: /etc/berth/auth/jwks.json}
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
        Some(Htpasswd { realm: "Registry Realm".into(), path: "/auth/htpasswd".into(), overlap: false })
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
fn other_object_storage_is_refused_in_words_that_say_what_to_use() {
    let variables = [("REGISTRY_STORAGE", "gcs"), ("REGISTRY_STORAGE_GCS_BUCKET", "docker-registry")];
    let error = load_yaml(IMAGE_DEFAULT, &variables).unwrap_err().to_string();
    assert!(error.contains("REGISTRY_STORAGE") && error.contains("use storage.s3"), "{error}");
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
fn tokens_of_somebody_else_are_read_as_distribution_reads_them() {
    let text = format!(
        "{IMAGE_DEFAULT}auth: {{token: {{realm: 'https://a/token', service: hub, issuer: a, rootcertbundle: /a.pem, \
         signingalgorithms: [RS256, EdDSA]}}}}\n"
    );
    let token = load_yaml(&text, &[]).unwrap().config.token.unwrap();
    assert_eq!(token.realm, TokenRealm::Url("https://a/token".into()));
    assert_eq!((token.certificates, token.jwks), (Some("/a.pem".into()), None));
    assert_eq!(token.algorithms, [Algorithm::Rs256, Algorithm::EdDsa]);
    let redirected = load_yaml(&text, &[("REGISTRY_AUTH_TOKEN_AUTOREDIRECT", "true")]).unwrap();
    assert_eq!(redirected.config.token.unwrap().realm, TokenRealm::Path("/auth/token".into()));
}

#[test]
fn tokens_that_nothing_could_verify_are_refused_with_the_missing_key() {
    let all = [("REALM", "https://a"), ("SERVICE", "hub"), ("ISSUER", "a"), ("JWKS", "/a.json")];
    let variables = all.map(|(key, value)| (format!("REGISTRY_AUTH_TOKEN_{key}"), value));
    for (at, missing) in ["realm", "service", "issuer", "rootcertbundle"].iter().enumerate() {
        let mut some: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        some.remove(at);
        let error = load_yaml(IMAGE_DEFAULT, &some).unwrap_err().to_string();
        assert!(error.contains(&format!("`auth.token.{missing}` is missing")), "{error}");
    }
    let mut keyed: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    keyed.push(("REGISTRY_AUTH_TOKEN_SIGNINGALGORITHMS", "[HS256]"));
    let error = load_yaml(IMAGE_DEFAULT, &keyed).unwrap_err().to_string();
    assert!(error.contains("must be a list of RS256"), "{error}");
}

#[test]
fn service_accounts_need_all_that_says_whose_tokens_are_good_and_for_what() {
    let text = format!(
        "{IMAGE_DEFAULT}auth: {{htpasswd: {{realm: Berth, path: /htpasswd}}}}\naccess: {{path: /access.yml}}\n\
         serviceaccounts: {{issuer: 'https://kubernetes.default.svc', audiences: [hub.default.svc], keys: /jwks.json}}\n"
    );
    let accounts = load_yaml(&text, &[]).unwrap().config.service_accounts.unwrap();
    assert_eq!((&*accounts.issuer, accounts.keys), ("https://kubernetes.default.svc", "/jwks.json".into()));
    assert_eq!(accounts.audiences, ["hub.default.svc"]);
    for (removed, missing) in [
        ("issuer: 'https://kubernetes.default.svc', ", "serviceaccounts.issuer"),
        ("audiences: [hub.default.svc], ", "serviceaccounts.audiences"),
        ("hub.default.svc]", "serviceaccounts.audiences"),
        (", keys: /jwks.json", "serviceaccounts.keys"),
        ("access: {path: /access.yml}", "access.path"),
        ("auth: {htpasswd: {realm: Berth, path: /htpasswd}}", "auth.htpasswd"),
    ] {
        let replacement = if removed.ends_with(']') { "]" } else { "" };
        let error = load_yaml(&text.replace(removed, replacement), &[]).unwrap_err().to_string();
        assert!(error.contains(&format!("`{missing}` is missing")), "{removed}: {error}");
    }
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
