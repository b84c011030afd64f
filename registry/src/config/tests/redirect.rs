//! What `storage.redirect` means.

use super::{config, error, load_yaml};
use crate::config::{Config, Loaded, Redirect, Storage};
use berth_storage::Endpoint;
use std::time::Duration;

const IN_S3: &str = "s3: {bucket: hub, region: eu-west-1}";

fn loaded(storage: &str) -> Loaded {
    load_yaml(&format!("version: 0.1\nstorage:\n  {storage}\n"), &[]).unwrap()
}

fn asked(more: &str) -> Option<Redirect> {
    config(&format!("storage:\n  {IN_S3}\n  redirect: {{disable: false, {more}}}\n")).redirect
}

fn warnings(storage: &str) -> Vec<String> {
    let told = |warning: String| warning.split_once("config.yml:").unwrap().1.to_owned();
    loaded(storage).warnings.into_iter().map(told).collect()
}

#[test]
fn nobody_is_redirected_unless_it_is_asked_for() {
    for storage in [IN_S3.to_owned(), format!("{IN_S3}\n  redirect: {{disable: true}}")] {
        let Loaded { config: Config { redirect, .. }, warnings, .. } = loaded(&storage);
        assert_eq!((redirect, warnings), (None, Vec::<String>::new()));
    }
    assert_eq!(asked("").unwrap().lifetime, Duration::from_mins(20));
}

#[test]
fn clients_and_the_lifetime_are_read() {
    let redirect = asked(
        "lifetime: 90s, networks: {only: [10.0.0.0/8, 'fd00::/8'], except: 10.9.0.0/16}, \
         useragents: {only: [containerd/*], except: ['*windows*']}",
    )
    .unwrap();
    assert_eq!(redirect.lifetime, Duration::from_secs(90));
    assert!(redirect.includes(&["10.1.0.1".parse().unwrap()], "containerd/v2.0"));
    assert!(!redirect.includes(&["10.9.0.1".parse().unwrap()], "containerd/v2.0"));
    assert!(!redirect.includes(&["10.1.0.1".parse().unwrap()], "curl/8.0"));
    let variables = [
        ("REGISTRY_STORAGE_REDIRECT_DISABLE", "false"),
        ("REGISTRY_STORAGE_REDIRECT_NETWORKS_ONLY", "[10.0.0.0/8]"),
        ("REGISTRY_STORAGE_REDIRECT_USERAGENTS_EXCEPT_0", "curl/*"),
    ];
    let redirect =
        load_yaml(&format!("version: 0.1\nstorage: {{{IN_S3}}}"), &variables).unwrap().config.redirect;
    assert!(redirect.unwrap().includes(&["10.1.0.1".parse().unwrap()], "containerd/v2.0"));
}

#[test]
fn a_wrong_value_is_told_with_its_line_and_with_what_is_expected() {
    for (wrong, told) in [
        (
            "lifetime: 0s",
            "4: `storage.redirect.lifetime` must be a duration from 1s to 168h, such as 20m, but is \"0s\"",
        ),
        ("lifetime: 169h", "4: `storage.redirect.lifetime` must be a duration from 1s to 168h"),
        (
            "networks: {only: [10.0.0.0/8, hub]}",
            "4: `storage.redirect.networks.only[1]` must be a network, such as 10",
        ),
        (
            "useragents: {except: ['']}",
            "4: `storage.redirect.useragents.except[0]` must be what clients call",
        ),
        ("networks: {onyl: []}", "4: there is no key `storage.redirect.networks.onyl`; did you mean `only`?"),
    ] {
        let error = error(&format!("storage:\n  {IN_S3}\n  redirect: {{{wrong}}}\n"));
        assert!(error.starts_with(told), "{error}");
    }
}

#[test]
fn what_changes_nothing_is_told_with_what_would() {
    assert_eq!(
        warnings("inmemory:\n  redirect: {disable: false, lifetime: 5m}"),
        [
            "4: `storage.redirect` has no effect: blobs are redirected to S3 only, and served by this server itself"
        ]
    );
    assert!(warnings("inmemory:\n  redirect: {disable: true}").is_empty());
    assert_eq!(
        warnings(&format!("{IN_S3}\n  redirect: {{networks: {{only: 10.0.0.0/8}}}}")),
        [
            "4: `storage.redirect.networks` has no effect: blobs are redirected with `storage.redirect.disable: false` only"
        ]
    );
    let endpoint = "s3: {bucket: hub, region: x, redirectendpoint: 'https://s3.example.com'}";
    assert_eq!(
        warnings(endpoint),
        [
            "3: `storage.s3.redirectendpoint` has no effect: blobs are redirected with `storage.redirect.disable: false` only"
        ]
    );
    assert!(warnings(&format!("{endpoint}\n  redirect: {{disable: true}}")).is_empty());
}

#[test]
fn the_endpoint_of_clients_is_named_like_that_of_the_server() {
    let endpoint = |keys: &str| {
        let Storage::S3(s3) = loaded(&format!("s3: {{bucket: hub, region: x, {keys}}}")).config.storage
        else {
            panic!("not in S3")
        };
        s3.public_endpoint
    };
    let server = |url: &str, path_style| Some(Endpoint::Url { url: url.to_owned(), path_style });
    assert_eq!(endpoint(""), None);
    assert_eq!(
        endpoint("redirectendpoint: 'https://s3.example.com/'"),
        server("https://s3.example.com", true)
    );
    assert_eq!(
        endpoint("redirectendpoint: s3.example.com, forcepathstyle: false"),
        server("https://s3.example.com", false)
    );
    for wrong in ["ftp://s3.example.com", "https://s3.example.com?a=b"] {
        let error =
            error(&format!("storage: {{s3: {{bucket: hub, region: x, redirectendpoint: '{wrong}'}}}}"));
        assert!(error.contains("`storage.s3.redirectendpoint` must be the address of a server"), "{error}");
    }
}

#[test]
fn what_holds_for_redirects_is_shown_where_there_can_be_some() {
    let shown = |storage: &str| -> Vec<(String, String)> {
        let settings = loaded(storage).settings.into_iter();
        let settings = settings.filter(|setting| setting.key.starts_with("storage.redirect"));
        settings.map(|setting| (setting.key, setting.value)).collect()
    };
    let line = |key: &str, value: &str| (format!("storage.redirect.{key}"), value.to_owned());
    assert_eq!(shown(IN_S3), [line("disable", "true"), line("lifetime", "20m")]);
    assert_eq!(
        shown(&format!("{IN_S3}\n  redirect: {{disable: false, networks: {{only: [10.0.0.0/8]}}}}")),
        [line("disable", "false"), line("lifetime", "20m"), line("networks.only", "[10.0.0.0/8]")]
    );
    assert!(shown("inmemory:\n  redirect: {disable: false}").is_empty());
}
