//! The rights that a request needs, as the registry of Docker lists them in the `detail` of UNAUTHORIZED and DENIED.

use std::fmt::Write as _;

use axum::http::{Method, Uri};
use berth_oci::RepositoryName;
use serde::Serialize;

use super::fold_name::name_in;
use crate::auth::Action;

/// One right to one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AccessRecord {
    r#type: &'static str,
    /// Told empty: this registry has one class of repositories.
    class: &'static str,
    name: String,
    action: String,
}

impl AccessRecord {
    /// To do something to a repository.
    pub(super) fn repository(name: &RepositoryName, action: Action) -> Self {
        Self::new("repository", name.as_str(), &action)
    }

    /// To administer the registry.
    pub(super) fn administration() -> Self {
        Self::new("registry", "*", &Action::Administer)
    }

    /// To list the repositories.
    pub(super) fn catalog() -> Self {
        Self::new("registry", "catalog", &"*")
    }

    fn new(r#type: &'static str, name: &str, action: &impl ToString) -> Self {
        Self { r#type, class: "", name: name.to_owned(), action: action.to_string() }
    }

    /// Everything that a request needs, as its path and method tell; nothing where every user may go.
    pub(super) fn needed(method: &Method, uri: &Uri) -> Vec<Self> {
        match uri.path() {
            "/v2/_catalog" => vec![Self::catalog()],
            path if path.starts_with("/v2/_berth/") => vec![Self::administration()],
            path => match name_in(path).and_then(|name| name.replace("%2F", "/").parse().ok()) {
                Some(name) => Self::needed_of(&name, method, uri),
                None => Vec::new(),
            },
        }
    }

    fn needed_of(name: &RepositoryName, method: &Method, uri: &Uri) -> Vec<Self> {
        let of_upload = uri.path().contains("/blobs/uploads/");
        let actions: &[Action] = match *method {
            _ if uri.path().ends_with("/_berth/restore") => &[Action::Delete, Action::Pull, Action::Push],
            _ if uri.path().ends_with("/_berth/trash") => &[Action::Delete],
            Method::GET | Method::HEAD if !of_upload => &[Action::Pull],
            Method::DELETE if !of_upload => &[Action::Delete],
            _ => &[Action::Pull, Action::Push],
        };
        let own = actions.iter().map(|action| Self::repository(name, *action));
        let source = mounted_from(uri).map(|source| Self::repository(&source, Action::Pull));
        own.chain(source).collect()
    }
}

/// Rights as clients ask for them at the endpoint of tokens: the actions on each thing, with spaces between the things.
pub(super) fn scope(records: &[AccessRecord]) -> String {
    let mut scope = String::new();
    for (at, record) in records.iter().enumerate() {
        match at.checked_sub(1).map(|before| &records[before]) {
            Some(before) if (before.r#type, &before.name) == (record.r#type, &record.name) => scope.push(','),
            before => {
                let space = if before.is_some() { " " } else { "" };
                // Writing to a text does not fail.
                let _ = write!(scope, "{space}{}:{}:", record.r#type, record.name);
            }
        }
        scope.push_str(&record.action);
    }
    scope
}

/// The repository from which a blob is to be mounted.
fn mounted_from(uri: &Uri) -> Option<RepositoryName> {
    let (_, from) =
        form_urlencoded::parse(uri.query()?.as_bytes()).find(|(parameter, _)| parameter == "from")?;
    from.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needed(method: &Method, uri: &str) -> Vec<String> {
        let records = AccessRecord::needed(method, &uri.parse().unwrap());
        let told = |record: AccessRecord| format!("{} {} {}", record.r#type, record.name, record.action);
        records.into_iter().map(told).collect()
    }

    #[test]
    fn a_scope_names_each_thing_once_with_its_actions() {
        let scope = |method, uri: &str| scope(&AccessRecord::needed(&method, &uri.parse().unwrap()));
        assert_eq!(scope(Method::GET, "/v2/"), "");
        assert_eq!(scope(Method::GET, "/v2/_catalog"), "registry:catalog:*");
        assert_eq!(
            scope(Method::POST, "/v2/a%2Fb/blobs/uploads/?mount=sha256:0&from=c"),
            "repository:a/b:pull,push repository:c:pull"
        );
    }

    #[test]
    fn method_and_path_tell_what_is_needed() {
        let pull = ["repository a/b pull"].as_slice();
        let push = ["repository a/b pull", "repository a/b push"].as_slice();
        let table = [
            (Method::GET, "/v2/", [].as_slice()),
            (Method::GET, "/v2/_catalog", &["registry catalog *"]),
            (Method::POST, "/v2/_berth/garbage-collection", &["registry * administer"]),
            (Method::GET, "/v2/a%2Fb/manifests/latest", pull),
            (Method::HEAD, "/v2/a%2Fb/blobs/sha256:0", pull),
            (Method::GET, "/v2/a%2Fb/tags/list", pull),
            (Method::DELETE, "/v2/a%2Fb/manifests/latest", &["repository a/b delete"]),
            (Method::PUT, "/v2/a%2Fb/manifests/latest", push),
            (Method::POST, "/v2/a%2Fb/blobs/uploads/", push),
            (Method::DELETE, "/v2/a%2Fb/blobs/uploads/1", push),
            (Method::DELETE, "/v2/a%2Fb/_berth/repository", &["repository a/b delete"]),
            (Method::GET, "/v2/a%2Fb/_berth/trash", &["repository a/b delete"]),
            (
                Method::POST,
                "/v2/a%2Fb/blobs/uploads/?mount=sha256:0&from=c%2Fd",
                &["repository a/b pull", "repository a/b push", "repository c/d pull"],
            ),
        ];
        for (method, uri, expected) in table {
            assert_eq!(needed(&method, uri), expected, "{method} {uri}");
        }
    }
}
