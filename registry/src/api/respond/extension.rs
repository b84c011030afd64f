//! What is asked of this server beyond the specification.

use axum::{
    Json,
    body::Body,
    http::{
        StatusCode,
        header::{CONTENT_TYPE, LOCATION},
    },
    response::{IntoResponse, Response},
};
use berth_oci::RepositoryName;
use futures::{StreamExt as _, stream::BoxStream};
use serde::Serialize;
use serde_json::json;

use super::{JSON_LINES, value};
use crate::repository::{ReadOnlySwitch, Rebuilt, Restored, Retention, Run, Trashed};

/// 200 with what this server offers beyond the specification (extension `_oci` of the specification).
pub(in crate::api) struct Extensions {
    /// Where our own endpoints are described.
    pub(in crate::api) documentation: String,
    pub(in crate::api) endpoints: &'static [&'static str],
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
pub(in crate::api) struct Documentation(pub(in crate::api) &'static str);

impl IntoResponse for Documentation {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "text/markdown; charset=utf-8")], self.0).into_response()
    }
}

/// 200 with what was deleted from a repository and can be brought back.
#[derive(Serialize)]
pub(in crate::api) struct TrashList {
    pub(in crate::api) name: RepositoryName,
    pub(in crate::api) trash: Vec<Trashed>,
}

impl IntoResponse for TrashList {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

/// 200 with what is back.
#[derive(Serialize)]
pub(in crate::api) struct RestoredManifests {
    pub(in crate::api) name: RepositoryName,
    pub(in crate::api) restored: Vec<Restored>,
}

impl IntoResponse for RestoredManifests {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

/// 200 with what the rules of retention come to.
pub(in crate::api) struct RetentionReport(pub(in crate::api) Retention);

impl IntoResponse for RetentionReport {
    fn into_response(self) -> Response {
        Json(self.0).into_response()
    }
}

/// 200 with whether the registry is read-only, and since when it was switched so.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct ReadOnlyState {
    pub(in crate::api) read_only: bool,
    /// The switch, when it is on; the configuration may make the registry read-only as well.
    pub(in crate::api) switch: Option<ReadOnlySwitch>,
}

impl IntoResponse for ReadOnlyState {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

/// 200 with what was changed in the indexes of referrers.
pub(in crate::api) struct RebuiltIndex(pub(in crate::api) Rebuilt);

impl IntoResponse for RebuiltIndex {
    fn into_response(self) -> Response {
        Json(self.0).into_response()
    }
}

/// A run of the garbage collection.
pub(in crate::api) enum CollectionRun {
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
