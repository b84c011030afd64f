//! Variables of tutorials, charts and clusters, laid over a file.

use super::*;
use crate::config::{document, key_path::KeyPath, settings::Settings, tree::Value};

fn over(file: &str, variables: &[(&str, &str)]) -> Result<(Node, Vec<String>), Error> {
    let mut tree = document::read(file, &|_| Origin::Default).unwrap();
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let ignored = override_settings(&mut tree, variables)?;
    Ok((tree, ignored))
}

fn with(variables: &[(&str, &str)]) -> (Node, Vec<String>) {
    over("", variables).unwrap()
}

fn text(tree: &Node, key: &str) -> Option<String> {
    Settings::new(tree).text(key).unwrap()
}

fn list(tree: &Node, key: &str) -> Vec<String> {
    Settings::new(tree).list(key).unwrap().into_iter().map(|item| item.text.to_owned()).collect()
}

#[test]
fn a_variable_sets_the_key_that_it_is_named_after() {
    let (tree, ignored) = with(&[("REGISTRY_HTTP_TLS_KEY", "/certs/domain.key")]);
    assert_eq!(text(&tree, "http.tls.key").as_deref(), Some("/certs/domain.key"));
    assert!(ignored.is_empty());
}

#[test]
fn a_string_stays_a_string_even_if_it_looks_like_something_else() {
    for word in ["0123", "1e5", "true", "a: b", "[x", "~", "'quoted'", "# no comment"] {
        let (tree, _) = with(&[("REGISTRY_HTTP_SECRET", word), ("REGISTRY_REDIS_PASSWORD", word)]);
        assert_eq!(text(&tree, "http.secret").as_deref(), Some(word));
        assert_eq!(text(&tree, "redis.password").as_deref(), Some(word));
    }
}

#[test]
fn other_values_are_yaml() {
    let (tree, _) = with(&[
        ("REGISTRY_STORAGE_DELETE_ENABLED", "\"true\""),
        ("REGISTRY_HTTP_TLS_CLIENTCAS", "[/a, /b]"),
        ("REGISTRY_HTTP_HEADERS_Access-Control-Allow-Origin", "[\"*\"]"),
        ("REGISTRY_HTTP_HEADERS_Strict-Transport-Security", "max-age=1; includeSubDomains"),
        ("REGISTRY_HTTP_HEADERS_X-Star", "*"),
        ("REGISTRY_LOG_FIELDS_BUILD", "0123"),
    ]);
    let settings = Settings::new(&tree);
    assert!(settings.flag("storage.delete.enabled").unwrap());
    assert_eq!(list(&tree, "http.tls.clientcas"), ["/a", "/b"]);
    let headers = settings.map("http.headers").unwrap();
    let headers: Vec<_> = headers.iter().map(|(name, values)| (*name, values[0].text)).collect();
    assert_eq!(
        headers,
        [
            ("access-control-allow-origin", "*"),
            ("strict-transport-security", "max-age=1; includeSubDomains"),
            ("x-star", "*"),
        ]
    );
    assert_eq!(settings.map("log.fields").unwrap()[0].1[0].text, "0123");
}

#[test]
fn a_header_of_the_file_is_replaced_whatever_its_case() {
    let (tree, _) = over(
        "http: {headers: {X-Frame-Options: [DENY]}}",
        &[("REGISTRY_HTTP_HEADERS_X-FRAME-OPTIONS", "[A, B]")],
    )
    .unwrap();
    let headers = Settings::new(&tree).map("http.headers").unwrap();
    assert_eq!(headers.len(), 1);
    assert_eq!(headers[0].1.iter().map(|item| item.text).collect::<Vec<_>>(), ["A", "B"]);
}

#[test]
fn items_of_lists_are_changed_and_appended_by_their_number() {
    let file = "notifications: {endpoints: [{name: a, url: 'http://a'}]}";
    let variables = [
        ("REGISTRY_NOTIFICATIONS_ENDPOINTS_1_URL", "http://b"),
        ("REGISTRY_NOTIFICATIONS_ENDPOINTS_1_NAME", "b"),
        ("REGISTRY_NOTIFICATIONS_ENDPOINTS_0_URL", "http://c"),
    ];
    let (tree, _) = over(file, &variables).unwrap();
    let endpoints = Settings::new(&tree).items("notifications.endpoints");
    let urls: Vec<_> = endpoints.iter().map(|endpoint| endpoint.text("url").unwrap().unwrap()).collect();
    assert_eq!(urls, ["http://c", "http://b"]);
    assert_eq!(endpoints[0].text("name").unwrap().as_deref(), Some("a"));
}

#[test]
fn more_than_ten_items_come_in_the_order_of_their_numbers() {
    let names: Vec<_> = (0..12).map(|at| format!("REGISTRY_HTTP_TLS_CLIENTCAS_{at}")).collect();
    let variables: Vec<_> = names.iter().rev().map(|name| (name.as_str(), name.as_str())).collect();
    let (tree, _) = with(&variables);
    assert_eq!(list(&tree, "http.tls.clientcas"), names);
}

#[test]
fn an_item_that_leaves_a_gap_or_is_no_number_is_an_error_that_says_which_is_next() {
    let error = over("", &[("REGISTRY_HEALTH_TCP_1_ADDR", "db:1")]).unwrap_err().to_string();
    assert_eq!(
        error,
        "environment variable REGISTRY_HEALTH_TCP_1_ADDR: the next item of `health.tcp` has the number 0, not 1"
    );
    let error = over("", &[("REGISTRY_HEALTH_TCP_ADDR", "db:1")]).unwrap_err().to_string();
    assert!(error.contains("`health.tcp` is a list: after it comes the number of an item"), "{error}");
}

#[test]
fn the_name_of_an_alternative_selects_it_and_drops_the_section_of_the_file() {
    let file = "storage: {inmemory: {}, delete: {enabled: true}}";
    let variables =
        [("REGISTRY_STORAGE", "filesystem"), ("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", "/data")];
    let (tree, _) = over(file, &variables).unwrap();
    let Some(Value::Mapping(chosen)) = tree.at(&KeyPath::of("storage")).map(|node| &node.value) else {
        panic!()
    };
    assert_eq!(chosen.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["filesystem"]);
    assert_eq!(text(&tree, "storage.filesystem.rootdirectory").as_deref(), Some("/data"));
}

#[test]
fn a_section_is_replaced_by_a_mapping_and_a_list_by_a_list() {
    let file = "storage: {maintenance: {readonly: {enabled: false}}}\nhealth: {tcp: [{addr: a}, {addr: b}]}";
    let variables = [
        ("REGISTRY_STORAGE_MAINTENANCE_READONLY", "{\"enabled\": true}"),
        ("REGISTRY_HEALTH_TCPCHECKERS", "[{addr: c}]"),
    ];
    let (tree, _) = over(file, &variables).unwrap();
    assert!(Settings::new(&tree).flag("storage.maintenance.readonly.enabled").unwrap());
    assert_eq!(Settings::new(&tree).items("health.tcp").len(), 1);
}

#[test]
fn a_secret_is_read_from_its_file_without_the_last_line_break() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), " 0123 \r\n").unwrap();
    let path = file.path().to_str().unwrap();
    let (tree, _) = with(&[
        ("REGISTRY_HTTP_SECRET_FILE", path),
        ("REGISTRY_NOTIFICATIONS_ENDPOINTS_0_HEADERS_AUTHORIZATION_FILE", path),
    ]);
    assert_eq!(text(&tree, "http.secret").as_deref(), Some(" 0123 "));
    let endpoints = Settings::new(&tree).items("notifications.endpoints");
    let headers = endpoints[0].map("headers").unwrap();
    assert_eq!((headers[0].0, headers[0].1[0].text), ("authorization", " 0123 "));
}

#[test]
fn a_secret_whose_file_is_missing_is_an_error_that_names_variable_and_file() {
    let error = over("", &[("REGISTRY_HTTP_SECRET_FILE", "/nonexistent/secret")]).unwrap_err().to_string();
    assert_eq!(error, "environment variable REGISTRY_HTTP_SECRET_FILE: cannot read /nonexistent/secret");
}

#[test]
fn a_secret_is_given_once() {
    let twice = [("REGISTRY_HTTP_SECRET", "a"), ("REGISTRY_HTTP_SECRET_FILE", "/nonexistent/secret")];
    let error = over("", &twice).unwrap_err().to_string();
    assert!(error.contains("REGISTRY_HTTP_SECRET and REGISTRY_HTTP_SECRET_FILE"), "{error}");
}

#[test]
fn variables_of_kubernetes_services_are_harmless() {
    let injected = [
        ("REGISTRY_PORT", "tcp://10.0.0.1:5000"),
        ("REGISTRY_PORT_5000_TCP", "tcp://10.0.0.1:5000"),
        ("REGISTRY_PORT_5000_TCP_ADDR", "10.0.0.1"),
        ("REGISTRY_PORT_5000_TCP_PORT", "5000"),
        ("REGISTRY_PORT_5000_TCP_PROTO", "tcp"),
        ("REGISTRY_SERVICE_HOST", "10.0.0.1"),
        ("REGISTRY_SERVICE_PORT", "5000"),
        ("REGISTRY_SERVICE_PORT_HTTPS", "443"),
        ("REGISTRY_PROXY_PORT", "tcp://10.0.0.2:80"),
        ("REGISTRY_HEALTH_TCP_SERVICE_HOST", "10.0.0.3"),
    ];
    let (tree, ignored) = with(&injected);
    assert!(ignored.is_empty() && !tree.is_written(), "{ignored:?} {tree:?}");
}

#[test]
fn an_empty_variable_sets_nothing_and_an_unknown_one_is_reported() {
    let (tree, ignored) = with(&[
        ("REGISTRY_HTTP_ADDR", ""),
        ("REGISTRY_COLOUR", "blue"),
        ("REGISTRY_VERSION", "3"),
        ("HOME", "/"),
    ]);
    assert!(tree.at(&KeyPath::of("http")).is_none());
    assert_eq!(ignored, ["REGISTRY_COLOUR", "REGISTRY_VERSION"]);
}
