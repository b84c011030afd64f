//! Answers: every status of success and every header of the protocol is written here.

use std::{
    fmt::{Display, Write as _},
    ops::RangeInclusive,
};

use axum::{
    Json,
    body::Body,
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{
            ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, LINK, LOCATION,
            RANGE,
        },
    },
    response::{IntoResponse, Response},
};
use berth_oci::{Descriptor, Digest, MediaType, RepositoryName, Tag, UploadId};
use berth_storage::{Body as Content, Names};
use form_urlencoded::byte_serialize;
use futures::{StreamExt, stream::BoxStream};
use jiff::{Timestamp, Unit};
use serde::Serialize;
use serde_json::json;

use crate::auth::Issued;
use crate::repository::{
    BlobContent, BlobInfo, Listing, PresignedBlob, ReadOnlySwitch, Rebuilt, Restored, Retention, Run,
    StoredManifest, TagNames, TagSummary, Trashed,
};
use crate::server::Files;

/// The name and value by which clients know a registry.
pub(super) const API_VERSION: (HeaderName, HeaderValue) =
    (HeaderName::from_static("docker-distribution-api-version"), HeaderValue::from_static("registry/2.0"));
/// The id under which the log tells of a request.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");
const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
const OCI_TAG: HeaderName = HeaderName::from_static("oci-tag");
const OCI_FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");

const JSON_LINES: HeaderValue = HeaderValue::from_static("application/jsonl");
const OCTET_STREAM: HeaderValue = HeaderValue::from_static("application/octet-stream");
/// What is found under a digest never changes.
const FOR_A_YEAR: HeaderValue = HeaderValue::from_static("max-age=31536000");
const NOT_TO_BE_KEPT: HeaderValue = HeaderValue::from_static("no-store");
const BYTES: HeaderValue = HeaderValue::from_static("bytes");

/// A header value of text that is known to have none but visible ASCII characters.
fn value(text: &impl Display) -> HeaderValue {
    // Room for a digest, which most values are.
    let mut value = String::with_capacity(80);
    let _ = write!(value, "{text}");
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static(""))
}

fn etag(digest: &Digest) -> HeaderValue {
    value(&format_args!("\"{digest}\""))
}

/// A token, under both names that clients look for (token specification of Distribution, RFC 6749).
pub(super) struct Token(pub(super) Issued);

impl IntoResponse for Token {
    fn into_response(self) -> Response {
        let Issued { token, lifetime, since, refresh_token } = self.0;
        let since = Timestamp::try_from(since).ok().and_then(|since| since.round(Unit::Second).ok());
        let mut body = json!({
            "token": token,
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": lifetime.as_secs(),
            "issued_at": since,
        });
        if let Some(refresh_token) = refresh_token {
            body["refresh_token"] = json!(refresh_token);
        }
        ([(CACHE_CONTROL, HeaderValue::from_static("no-store"))], Json(body)).into_response()
    }
}

/// The bytes that an upload has, as clients read it: `0-0` also when there are none.
pub(super) fn upload_range(size: u64) -> HeaderValue {
    value(&format_args!("0-{}", size.saturating_sub(1)))
}

/// The length of a blob, for who has asked for bytes that it does not have.
pub(super) fn unsatisfied_range(size: u64) -> HeaderValue {
    value(&format_args!("bytes */{size}"))
}

/// 200: this is a registry.
pub(super) struct Version;

impl IntoResponse for Version {
    fn into_response(self) -> Response {
        Json(json!({})).into_response()
    }
}

/// 304: the client has this content.
pub(super) struct NotModified(pub(super) Digest);

impl IntoResponse for NotModified {
    fn into_response(self) -> Response {
        let headers = [(ETAG, etag(&self.0)), (CONTENT_DIGEST, value(&self.0))];
        (StatusCode::NOT_MODIFIED, headers).into_response()
    }
}

/// 304: the client has this blob, and may keep it for as long as if it had got it now (RFC 9110, section 15.4.5).
pub(super) struct BlobNotModified(pub(super) Digest);

impl IntoResponse for BlobNotModified {
    fn into_response(self) -> Response {
        ([(CACHE_CONTROL, FOR_A_YEAR)], NotModified(self.0)).into_response()
    }
}

/// 200 without the bytes: a blob exists.
pub(super) struct BlobHead(pub(super) BlobInfo);

impl IntoResponse for BlobHead {
    fn into_response(self) -> Response {
        let BlobInfo { digest, size } = self.0;
        (blob_headers(&digest), [(CONTENT_LENGTH, value(&size))], Body::empty()).into_response()
    }
}

/// 200 with a blob, or 206 with a part of it.
pub(super) struct BlobBody {
    pub(super) content: BlobContent,
    /// Where pieces of files are left, if the connection can send them.
    pub(super) files: Option<Files>,
}

impl IntoResponse for BlobBody {
    fn into_response(self) -> Response {
        let BlobContent { digest, size, range, body } = self.content;
        let headers = blob_headers(&digest);
        let body = body_of(body, self.files);
        match range {
            None => (headers, [(CONTENT_LENGTH, value(&size))], body).into_response(),
            Some(range) => {
                let mut response = (StatusCode::PARTIAL_CONTENT, headers, body).into_response();
                describe_part(&range, size, response.headers_mut());
                response
            }
        }
    }
}

/// Tells which part of a blob of this size is in the body.
pub(super) fn describe_part(range: &RangeInclusive<u64>, size: u64, headers: &mut HeaderMap) {
    let (first, last) = (range.start(), range.end());
    headers.insert(CONTENT_LENGTH, HeaderValue::from(last - first + 1));
    headers.insert(CONTENT_RANGE, value(&format_args!("bytes {first}-{last}/{size}")));
}

/// The body of an answer with this content: stand-ins for pieces of files, where these can be sent.
pub(super) fn body_of(content: Content, files: Option<Files>) -> Body {
    match (content, files) {
        (Content::File(range), Some(files)) => {
            let pieces = range.pieces(Files::LONGEST);
            Body::from_stream(pieces.map(move |piece| piece.map(|piece| files.stand_in(piece))))
        }
        (content, _) => Body::from_stream(content),
    }
}

/// 307: the blob is to be read from the storage. Nobody may keep the URL, which is a secret and will expire.
pub(super) struct BlobRedirect(pub(super) PresignedBlob);

impl IntoResponse for BlobRedirect {
    fn into_response(self) -> Response {
        let PresignedBlob { blob: BlobInfo { digest, .. }, url } = self.0;
        let mut location = value(&url.reveal());
        location.set_sensitive(true);
        let headers =
            [(LOCATION, location), (CONTENT_DIGEST, value(&digest)), (CACHE_CONTROL, NOT_TO_BE_KEPT)];
        (StatusCode::TEMPORARY_REDIRECT, headers).into_response()
    }
}

fn blob_headers(digest: &Digest) -> [(HeaderName, HeaderValue); 5] {
    [
        (CONTENT_TYPE, OCTET_STREAM),
        (CONTENT_DIGEST, value(&digest)),
        (ETAG, etag(digest)),
        (CACHE_CONTROL, FOR_A_YEAR),
        (ACCEPT_RANGES, BYTES),
    ]
}

/// 201: the repository has the blob.
pub(super) struct BlobCreated {
    pub(super) location: String,
    pub(super) digest: Digest,
}

impl IntoResponse for BlobCreated {
    fn into_response(self) -> Response {
        let headers = [(LOCATION, value(&self.location)), (CONTENT_DIGEST, value(&self.digest))];
        (StatusCode::CREATED, headers).into_response()
    }
}

/// Where an upload stands, after a step or on request.
pub(super) struct UploadProgress {
    pub(super) location: String,
    pub(super) id: UploadId,
    pub(super) size: u64,
}

impl UploadProgress {
    /// 202: the client may send more.
    pub(super) fn accepted(self) -> Response {
        (StatusCode::ACCEPTED, self.headers()).into_response()
    }

    /// 204: the answer to a question.
    pub(super) fn status(self) -> Response {
        (StatusCode::NO_CONTENT, self.headers()).into_response()
    }

    fn headers(&self) -> [(HeaderName, HeaderValue); 3] {
        [(LOCATION, value(&self.location)), (RANGE, upload_range(self.size)), (UPLOAD_UUID, value(&self.id))]
    }
}

/// 204: the upload is gone.
pub(super) struct Cancelled;

impl IntoResponse for Cancelled {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

/// 202: it is deleted.
pub(super) struct Deleted;

impl IntoResponse for Deleted {
    fn into_response(self) -> Response {
        StatusCode::ACCEPTED.into_response()
    }
}

/// 200 with a manifest; for HEAD, the bytes are left out later.
pub(super) struct ManifestBody(pub(super) StoredManifest);

impl IntoResponse for ManifestBody {
    fn into_response(self) -> Response {
        let StoredManifest { digest, media_type, bytes } = self.0;
        let headers =
            [(CONTENT_TYPE, value(&media_type)), (CONTENT_DIGEST, value(&digest)), (ETAG, etag(&digest))];
        (headers, bytes).into_response()
    }
}

/// 201: the repository has the manifest.
pub(super) struct ManifestCreated {
    pub(super) location: String,
    pub(super) digest: Digest,
    pub(super) subject: Option<Digest>,
    /// The tags that the client has asked for as parameters.
    pub(super) tags: Vec<Tag>,
}

impl IntoResponse for ManifestCreated {
    fn into_response(self) -> Response {
        let headers = [(LOCATION, value(&self.location)), (CONTENT_DIGEST, value(&self.digest))];
        let mut response = (StatusCode::CREATED, headers).into_response();
        if let Some(subject) = self.subject {
            // It tells the client that the referrer needs no fallback tag.
            response.headers_mut().insert(OCI_SUBJECT, value(&subject));
        }
        if !self.tags.is_empty() {
            let tags: Vec<&str> = self.tags.iter().map(Tag::as_str).collect();
            response.headers_mut().insert(OCI_TAG, value(&tags.join(", ")));
        }
        response
    }
}

/// 200 with a page of tags.
pub(super) struct TagList {
    /// Of the list itself.
    pub(super) path: String,
    pub(super) name: RepositoryName,
    pub(super) tags: TagNames,
    pub(super) limit: Option<usize>,
}

impl IntoResponse for TagList {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Document<'a> {
            name: &'a RepositoryName,
            tags: &'a Names,
        }
        let document = Document { name: &self.name, tags: &self.tags.names };
        page(&self.path, self.limit, self.tags.next.as_deref(), &document)
    }
}

/// 200 with a page of tags and what they point at.
pub(super) struct TagSummaries {
    /// Of the list itself.
    pub(super) path: String,
    pub(super) name: RepositoryName,
    pub(super) tags: Listing<TagSummary>,
    pub(super) limit: usize,
}

impl IntoResponse for TagSummaries {
    fn into_response(self) -> Response {
        let document = json!({ "name": self.name, "tags": self.tags.items });
        page(&self.path, Some(self.limit), self.tags.next.as_deref(), &document)
    }
}

/// 200 with a page of repository names.
pub(super) struct Catalog {
    /// Of the list itself.
    pub(super) path: String,
    pub(super) repositories: Listing<RepositoryName>,
    pub(super) limit: usize,
}

impl IntoResponse for Catalog {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Document<'a> {
            repositories: &'a [RepositoryName],
        }
        let Listing { items, next } = &self.repositories;
        page(&self.path, Some(self.limit), next.as_deref(), &Document { repositories: items })
    }
}

fn page(path: &str, limit: Option<usize>, next: Option<&str>, document: &impl Serialize) -> Response {
    let mut response = Json(document).into_response();
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
pub(super) struct ReferrersIndex {
    /// Of the list itself.
    pub(super) path: String,
    /// Only referrers of this type were asked for.
    pub(super) artifact_type: Option<String>,
    pub(super) referrers: Listing<Descriptor>,
    pub(super) limit: Option<usize>,
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

/// 200 with what this server offers beyond the specification (extension `_oci` of the specification).
pub(super) struct Extensions {
    /// Where our own endpoints are described.
    pub(super) documentation: String,
    pub(super) endpoints: &'static [&'static str],
}

impl IntoResponse for Extensions {
    fn into_response(self) -> Response {
        let own = json!({
            "name": "_berth",
            "url": self.documentation,
            "description": "deletes and restores repositories and images, copies images, lists tags with what they point at, \
                collects garbage",
            "endpoints": self.endpoints,
        });
        let discovery = json!({
            "name": "_oci",
            "url": "https://github.com/opencontainers/distribution-spec/blob/main/extensions/_oci.md",
            "description": "lists the extensions",
            "endpoints": ["_oci/ext/discover"],
        });
        Json(json!({ "extensions": [own, discovery] })).into_response()
    }
}

/// 200 with a page for people.
pub(super) struct Documentation(pub(super) &'static str);

impl IntoResponse for Documentation {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "text/markdown; charset=utf-8")], self.0).into_response()
    }
}

/// 200 with what was deleted from a repository and can be brought back.
#[derive(Serialize)]
pub(super) struct TrashList {
    pub(super) name: RepositoryName,
    pub(super) trash: Vec<Trashed>,
}

impl IntoResponse for TrashList {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

/// 200 with what is back.
#[derive(Serialize)]
pub(super) struct RestoredManifests {
    pub(super) name: RepositoryName,
    pub(super) restored: Vec<Restored>,
}

impl IntoResponse for RestoredManifests {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

/// 200 with what the rules of retention come to.
pub(super) struct RetentionReport(pub(super) Retention);

impl IntoResponse for RetentionReport {
    fn into_response(self) -> Response {
        Json(self.0).into_response()
    }
}

/// 200 with whether the registry is read-only, and since when it was switched so.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReadOnlyState {
    pub(super) read_only: bool,
    /// The switch, when it is on; the configuration may make the registry read-only as well.
    pub(super) switch: Option<ReadOnlySwitch>,
}

impl IntoResponse for ReadOnlyState {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

/// 200 with what was changed in the indexes of referrers.
pub(super) struct RebuiltIndex(pub(super) Rebuilt);

impl IntoResponse for RebuiltIndex {
    fn into_response(self) -> Response {
        Json(self.0).into_response()
    }
}

/// A run of the garbage collection.
pub(super) enum CollectionRun {
    /// As it is now, with the status that tells what became of the request.
    Told { status: StatusCode, location: String, run: Box<Run> },
    /// As it goes on: 200 with a JSON document a line.
    Watched(BoxStream<'static, Run>),
}

impl IntoResponse for CollectionRun {
    fn into_response(self) -> Response {
        match self {
            Self::Told { status, location, run } => {
                (status, [(LOCATION, value(&location))], Json(run)).into_response()
            }
            Self::Watched(runs) => {
                let lines = runs.map(|run| serde_json::to_string(&run).map(|line| line + "\n"));
                ([(CONTENT_TYPE, JSON_LINES)], Body::from_stream(lines)).into_response()
            }
        }
    }
}
