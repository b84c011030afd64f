//! Lists, page by page: of tags, repositories and referrers.

use axum::{
    http::{
        HeaderValue,
        header::{CONTENT_TYPE, LINK},
    },
    response::{IntoResponse, Response},
};
use berth_oci::{Descriptor, MediaType, RepositoryName};
use form_urlencoded::byte_serialize;
use serde_json::json;

use super::{JSON, OCI_FILTERS_APPLIED, value};
use crate::repository::{Listing, TagNames, TagSummary};

/// 200 with a page of tags.
pub(in crate::api) struct TagList {
    /// Of the list itself.
    pub(in crate::api) path: String,
    pub(in crate::api) name: RepositoryName,
    pub(in crate::api) tags: TagNames,
    pub(in crate::api) limit: Option<usize>,
}

impl IntoResponse for TagList {
    fn into_response(self) -> Response {
        let TagNames { names, next } = &self.tags;
        let mut document = String::with_capacity(names.length() + names.len() * 3 + 512);
        document.extend(["{\"name\":\"", self.name.as_str(), "\",\"tags\":"]);
        list(&mut document, names.iter());
        document.push('}');
        page(&self.path, self.limit, next.as_deref(), document)
    }
}

/// 200 with a page of tags and what they point at.
pub(in crate::api) struct TagSummaries {
    /// Of the list itself.
    pub(in crate::api) path: String,
    pub(in crate::api) name: RepositoryName,
    pub(in crate::api) tags: Listing<TagSummary>,
    pub(in crate::api) limit: usize,
}

impl IntoResponse for TagSummaries {
    fn into_response(self) -> Response {
        let document = json!({ "name": self.name, "tags": self.tags.items });
        page(&self.path, Some(self.limit), self.tags.next.as_deref(), document.to_string())
    }
}

/// 200 with a page of repository names.
pub(in crate::api) struct Catalog {
    /// Of the list itself.
    pub(in crate::api) path: String,
    pub(in crate::api) repositories: Listing<RepositoryName>,
    pub(in crate::api) limit: usize,
}

impl IntoResponse for Catalog {
    fn into_response(self) -> Response {
        let Listing { items, next } = &self.repositories;
        let mut document = "{\"repositories\":".to_owned();
        list(&mut document, items.iter().map(RepositoryName::as_str));
        document.push('}');
        page(&self.path, Some(self.limit), next.as_deref(), document)
    }
}

/// Adds a list of names, in which nothing has to be escaped. There may be a hundred thousand of them.
fn list<'a>(document: &mut String, names: impl Iterator<Item = &'a str>) {
    document.push('[');
    for (place, name) in names.enumerate() {
        document.push_str(if place == 0 { "\"" } else { ",\"" });
        document.push_str(name);
        document.push('"');
    }
    document.push(']');
}

fn page(path: &str, limit: Option<usize>, next: Option<&str>, document: String) -> Response {
    let mut response = ([(CONTENT_TYPE, JSON)], document).into_response();
    link_next(&mut response, path, "", limit, next);
    response
}

/// Tells where the next page is, if there is one. `filter` is nothing, or parameters that end in `&`.
fn link_next(response: &mut Response, path: &str, filter: &str, limit: Option<usize>, next: Option<&str>) {
    if let Some(last) = next {
        let limit = limit.map(|limit| format!("n={limit}&")).unwrap_or_default();
        let link = format!("<{path}?{filter}{limit}last={last}>; rel=\"next\"");
        response.headers_mut().insert(LINK, value(&link));
    }
}

/// 200 with an index of what refers to a manifest, or a page of it.
pub(in crate::api) struct ReferrersIndex {
    /// Of the list itself.
    pub(in crate::api) path: String,
    /// Only referrers of this type were asked for.
    pub(in crate::api) artifact_type: Option<String>,
    pub(in crate::api) referrers: Listing<Descriptor>,
    pub(in crate::api) limit: Option<usize>,
}

impl IntoResponse for ReferrersIndex {
    fn into_response(self) -> Response {
        let index = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_INDEX,
            "manifests": self.referrers.items,
        });
        // Clients compare the type literally, so that no parameter may follow it.
        let mut response = ([(CONTENT_TYPE, MediaType::OCI_INDEX)], index.to_string()).into_response();
        let mut filter = String::new();
        if let Some(artifact_type) = &self.artifact_type {
            response.headers_mut().insert(OCI_FILTERS_APPLIED, HeaderValue::from_static("artifactType"));
            filter.extend(["artifactType="].into_iter().chain(byte_serialize(artifact_type.as_bytes())));
            filter.push('&');
        }
        link_next(&mut response, &self.path, &filter, self.limit, self.referrers.next.as_deref());
        response
    }
}
