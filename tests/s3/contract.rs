//! The contract of the storage, whose sentences `registry/storage` holds against the stores that need no server.

#[path = "../../registry/storage/tests/conformance/fixture.rs"]
mod fixture;
#[path = "../../registry/storage/tests/conformance/listing.rs"]
mod listing;
#[path = "../../registry/storage/tests/conformance/objects.rs"]
mod objects;
#[path = "../../registry/storage/tests/conformance/uploads.rs"]
mod uploads;

use crate::SERVER;
use berth_storage::{Copying, Endpoint, Requests, S3, S3Settings, StaticCredentials, Trust, Writing};
use berth_tests::s3_server::{ACCESS_KEY, BUCKET, REGION, SECRET_KEY};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

pub(crate) use fixture::{Store, body, collect, download, key};

/// An empty folder of the bucket.
pub(crate) fn store() -> Store {
    Store { store: Arc::new(S3::new(settings(&SERVER.url()), |_| None).unwrap()), _folder: None }
}

/// The settings of an empty folder of the bucket, which is asked for at `url`.
pub(crate) fn settings(url: &str) -> S3Settings {
    static FOLDERS: AtomicU32 = AtomicU32::new(0);
    S3Settings {
        bucket: BUCKET.to_owned(),
        region: REGION.to_owned(),
        endpoint: Endpoint::Url { url: url.to_owned(), path_style: true },
        public_endpoint: None,
        create_bucket: false,
        root: format!("folder/{}", FOLDERS.fetch_add(1, Ordering::Relaxed)),
        credentials: Some(StaticCredentials {
            access_key: ACCESS_KEY.to_owned(),
            secret_key: SECRET_KEY.to_owned(),
            session_token: None,
        }),
        trust: Trust::System,
        writing: Writing::default(),
        copying: Copying::default(),
        requests: Requests::default(),
    }
}
