//! Configurations of programs that bring a registry along.

use super::{load_yaml, owned};
use crate::config::{Address, Debug, IndexPlatforms, Options, Storage, load};

const IMAGE_DEFAULT: &str = super::IMAGE_DEFAULT;

/// The chart twuni/docker-registry: a file, and what its template puts into the environment.
const TWUNI: &str = "
version: 0.1
log: {fields: {service: registry}}
storage: {cache: {blobdescriptor: inmemory}}
http: {addr: ':5000', headers: {X-Content-Type-Options: [nosniff]}, debug: {addr: ':5001', prometheus: {enabled: false, path: /metrics}}}
health: {storagedriver: {enabled: true, interval: 10s, threshold: 3}}
";

#[test]
fn the_chart_twuni_is_served_with_a_volume() {
    let variables = [
        ("REGISTRY_AUTH", "htpasswd"),
        ("REGISTRY_AUTH_HTPASSWD_REALM", "Registry Realm"),
        ("REGISTRY_AUTH_HTPASSWD_PATH", "/auth/htpasswd"),
        ("REGISTRY_HTTP_SECRET", "0123456789012345"),
        ("REGISTRY_HTTP_TLS_CERTIFICATE", "/etc/ssl/docker/tls.crt"),
        ("REGISTRY_HTTP_TLS_KEY", "/etc/ssl/docker/tls.key"),
        ("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", "/var/lib/registry"),
        ("REGISTRY_STORAGE_DELETE_ENABLED", "true"),
    ];
    let loaded = load_yaml(TWUNI, &variables).unwrap();
    assert!(loaded.config.rules.delete_enabled && loaded.config.http.tls.is_some());
    assert_eq!(loaded.config.htpasswd.unwrap().realm, "Registry Realm");
    let address = Address { host: None, port: 5001 };
    assert_eq!(loaded.config.debug, Some(Debug { address, metrics_path: None }));
    assert!(loaded.ignored_variables.is_empty(), "{:?}", loaded.ignored_variables);
    assert_eq!(loaded.warnings.len(), 1, "the cache: {:?}", loaded.warnings);
}

#[test]
fn the_chart_twuni_keeps_images_in_s3_and_becomes_a_mirror_when_told() {
    let s3 = [
        ("REGISTRY_STORAGE_S3_REGION", "eu-west-1"),
        ("REGISTRY_STORAGE_S3_BUCKET", "images"),
        ("REGISTRY_STORAGE_S3_ACCESSKEY", "0123"),
        ("REGISTRY_STORAGE_S3_SECRETKEY", "456"),
        ("REGISTRY_STORAGE_S3_FORCEPATHSTYLE", "true"),
    ];
    let Storage::S3(s3) = load_yaml(TWUNI, &s3).unwrap().config.storage else { panic!("not in S3") };
    assert_eq!((s3.bucket.as_str(), s3.region.as_str()), ("images", "eu-west-1"));
    assert_eq!(s3.credentials.unwrap().access_key, "0123");
    let mirror =
        [("REGISTRY_PROXY_REMOTEURL", "https://registry-1.docker.io"), ("REGISTRY_PROXY_USERNAME", "")];
    let mirrors = load_yaml(TWUNI, &mirror).unwrap().config.mirrors;
    assert_eq!((mirrors[0].upstream.as_str(), &mirrors[0].prefix), ("docker.io", &None));
}

#[test]
fn the_environment_of_openshifts_operator_is_understood() {
    let variables = [
        ("REGISTRY_HTTP_ADDR", ":5000"),
        ("REGISTRY_HTTP_NET", "tcp"),
        ("REGISTRY_HTTP_SECRET", "8f3c"),
        ("REGISTRY_HTTP_TLS_CERTIFICATE", "/etc/secrets/tls.crt"),
        ("REGISTRY_HTTP_TLS_KEY", "/etc/secrets/tls.key"),
        ("REGISTRY_HTTP_TLS_MINVERSION", "VersionTLS12"),
        ("REGISTRY_HTTP_TLS_CIPHERSUITES", "[TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256]"),
        ("REGISTRY_HEALTH_STORAGEDRIVER_ENABLED", "true"),
        ("REGISTRY_HEALTH_STORAGEDRIVER_INTERVAL", "10s"),
        ("REGISTRY_HEALTH_STORAGEDRIVER_THRESHOLD", "1"),
        ("REGISTRY_LOG_LEVEL", "info"),
        ("REGISTRY_STORAGE", "filesystem"),
        ("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", "/registry"),
        ("REGISTRY_STORAGE_CACHE_BLOBDESCRIPTOR", "inmemory"),
        ("REGISTRY_STORAGE_DELETE_ENABLED", "true"),
        ("REGISTRY_STORAGE_REDIRECT_DISABLE", "true"),
        ("REGISTRY_STORAGE_MAINTENANCE_READONLY", "{enabled: true}"),
        ("REGISTRY_OPENSHIFT_QUOTA_ENABLED", "true"),
        ("REGISTRY_OPENSHIFT_SERVER_ADDR", "image-registry.openshift-image-registry.svc:5000"),
    ];
    let loaded = load_yaml(IMAGE_DEFAULT, &variables).unwrap();
    assert_eq!(loaded.config.storage, Storage::Filesystem { root: "/registry".into() });
    assert!(loaded.config.rules.read_only && loaded.config.rules.delete_enabled);
    assert_eq!(loaded.config.http.tls.unwrap().cipher_suites.len(), 1);
    assert_eq!(loaded.config.health.storage.unwrap().threshold, 1);
    let fork = [
        "REGISTRY_HTTP_TLS_MINVERSION",
        "REGISTRY_OPENSHIFT_QUOTA_ENABLED",
        "REGISTRY_OPENSHIFT_SERVER_ADDR",
    ];
    assert_eq!(loaded.ignored_variables, fork, "these are settings of its own build of the registry");
}

#[test]
fn openshifts_middleware_is_refused_with_its_place() {
    let middleware = "[{\"name\":\"cloudfront\",\"options\":{\"baseurl\":\"https://d111.cloudfront.net\"}}]";
    let error =
        load_yaml(IMAGE_DEFAULT, &[("REGISTRY_MIDDLEWARE_STORAGE", middleware)]).unwrap_err().to_string();
    assert!(
        error.starts_with("environment variable REGISTRY_MIDDLEWARE_STORAGE: `middleware.storage[0]`: "),
        "{error}"
    );
}

/// What Harbor writes for its registry, on a volume.
const HARBOR: &str = "
version: 0.1
log:
  level: info
  fields:
    service: registry
storage:
  cache:
    layerinfo: redis
  filesystem:
    rootdirectory: /storage
  maintenance:
    uploadpurging:
      enabled: true
      age: 168h
      interval: 24h
      dryrun: false
  delete:
    enabled: true
  redirect:
    disable: false
redis:
  addr: redis:6379
  readtimeout: 10s
  writetimeout: 10s
  dialtimeout: 10s
  enableTLS: false
  sentinelMasterSet:
  password: 'p@ss'
  db: 1
  pool:
    maxidle: 100
    maxactive: 500
    idletimeout: 60s
http:
  addr: :5443
  secret: placeholder
  tls:
    certificate: /etc/harbor/ssl/registry/tls.crt
    key: /etc/harbor/ssl/registry/tls.key
    minimumtls: tls1.2
  debug:
    addr: localhost:5001
auth:
  htpasswd:
    realm: harbor-registry-basic-realm
    path: /etc/registry/passwd
validation:
  disabled: true
compatibility:
  schema1:
    enabled: true
";

#[test]
fn the_file_of_harbor_is_understood_with_a_warning_for_each_part_without_effect() {
    let loaded = load_yaml(HARBOR, &[]).unwrap();
    assert_eq!(loaded.config.storage, Storage::Filesystem { root: "/storage".into() });
    assert_eq!(loaded.config.http.listen.to_string(), ":5443");
    assert_eq!(loaded.config.validation.index_platforms, IndexPlatforms::None);
    let parts: Vec<&str> = loaded.warnings.iter().map(|warning| warning.split('`').nth(1).unwrap()).collect();
    assert_eq!(parts, ["storage.cache", "redis", "compatibility.schema1", "storage.redirect"]);
}

#[test]
fn an_environment_alone_is_a_configuration() {
    let variables = [("REGISTRY_STORAGE", "inmemory"), ("REGISTRY_HTTP_ADDR", "127.0.0.1:0")];
    let loaded = load(None, owned(&variables), &Options::default()).unwrap();
    assert_eq!(loaded.config.storage, Storage::Memory);
    let keys: Vec<&str> = loaded.settings.iter().map(|setting| setting.key.as_str()).collect();
    assert!(!keys.contains(&"storage.filesystem.rootdirectory"), "{keys:?}");
}
