//! What `storage.s3` means.

use super::load_yaml;
use crate::config::{Error, Storage};
use berth_storage::{Copying, Encryption, Endpoint, Requests, S3Settings, Trust, Writing};

fn in_s3(keys: &str) -> Result<S3Settings, Error> {
    let text = format!("version: 0.1\nstorage:\n  s3: {{bucket: hub, region: eu-west-1, {keys}}}\n");
    match load_yaml(&text, &[])?.config.storage {
        Storage::S3(settings) => Ok(*settings),
        storage => panic!("{storage:?}"),
    }
}

#[test]
fn a_bucket_at_amazon_needs_no_more_than_its_name_and_region() {
    let settings = in_s3("").unwrap();
    assert_eq!(settings.endpoint, Endpoint::Amazon { dual_stack: false, accelerate: false, fips: false });
    assert_eq!((settings.root.as_str(), settings.credentials.clone()), ("", None));
    assert_eq!((settings.writing, settings.copying), (Writing::default(), Copying::default()));
    assert_eq!(settings.requests, Requests::default());
}

#[test]
fn another_server_is_named_with_or_without_its_scheme() {
    for (keys, url, path_style) in [
        ("regionendpoint: 'http://minio:9000/'", "http://minio:9000", true),
        ("regionendpoint: 'minio:9000', secure: false", "http://minio:9000", true),
        ("regionendpoint: minio.example.com, forcepathstyle: false", "https://minio.example.com", false),
        ("regionendpoint: minio.example.com, virtualhostedstyle: true", "https://minio.example.com", false),
    ] {
        let url = url.to_owned();
        assert_eq!(in_s3(keys).unwrap().endpoint, Endpoint::Url { url, path_style }, "{keys}");
    }
}

#[test]
fn what_s3_would_refuse_later_is_told_at_once() {
    for (keys, told) in [
        ("accesskey: a", "`storage.s3.secretkey` is missing"),
        ("chunksize: 1000000", "`storage.s3.chunksize` must be at least 5242880"),
        ("objectacl: public-read", "`storage.s3.objectacl` must be private"),
        ("regionendpoint: 'ftp://minio'", "`storage.s3.regionendpoint` must be the address of a server"),
    ] {
        let error = in_s3(keys).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn encryption_class_root_and_trust_are_taken_over() {
    let keys = "encrypt: true, keyid: k, storageclass: STANDARD_IA, rootdirectory: /a/b/, trustedca: /ca.pem";
    let settings = in_s3(keys).unwrap();
    assert_eq!(settings.writing.encryption, Encryption::Kms(Some("k".to_owned())));
    assert_eq!(settings.writing.storage_class.as_deref(), Some("STANDARD_IA"));
    assert_eq!((settings.root.as_str(), settings.trust), ("a/b", Trust::File("/ca.pem".into())));
    assert_eq!(in_s3("trustedca: /ca.pem, skipverify: true").unwrap().trust, Trust::Anything);
}
