//! URLs by which clients read objects from the server themselves.

use std::time::Duration;

use hyper::Method;
use object_store::signer::Signer as _;

use super::bucket::Bucket;
use super::error;
use crate::{Key, PresignedUrl, Result};

impl Bucket {
    /// A URL to `GET` the object. The server is not asked; the name by which clients reach it is part of what is signed.
    pub(super) async fn presigned_url(&self, key: &Key, lifetime: Duration) -> Result<PresignedUrl> {
        let url = self.public.signed_url(Method::GET, &self.path(key)?, lifetime).await;
        url.map(|url| PresignedUrl::new(url.to_string())).map_err(|failure| error::explain(key, failure))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::settings::{Copying, Endpoint, Requests, S3Settings, StaticCredentials, Trust, Writing};

    fn settings(public_endpoint: Option<Endpoint>) -> S3Settings {
        S3Settings {
            bucket: "hub".to_owned(),
            region: "harbour".to_owned(),
            endpoint: Endpoint::Url { url: "http://minio:9000".to_owned(), path_style: true },
            public_endpoint,
            create_bucket: false,
            root: "a folder".to_owned(),
            credentials: Some(StaticCredentials {
                access_key: "A1".to_owned(),
                secret_key: "hunter2".to_owned(),
                session_token: Some("T/1=".to_owned()),
            }),
            trust: Trust::System,
            writing: Writing::default(),
            copying: Copying::default(),
            requests: Requests::default(),
        }
    }

    async fn url(public_endpoint: Option<Endpoint>) -> String {
        let bucket = Bucket::open(settings(public_endpoint), |_| None).unwrap();
        let key = "blobs/data".parse().unwrap();
        bucket.presigned_url(&key, Duration::from_mins(5)).await.unwrap().reveal().to_owned()
    }

    fn server(url: &str, path_style: bool) -> Endpoint {
        Endpoint::Url { url: url.to_owned(), path_style }
    }

    #[tokio::test]
    async fn clients_are_sent_to_the_endpoint_that_is_meant_for_them() {
        let (inside, outside) = (url(None).await, url(Some(server("https://s3.example.com", true))).await);
        assert!(inside.starts_with("http://minio:9000/hub/a%20folder/blobs/data?X-Amz-"), "{inside}");
        assert!(outside.starts_with("https://s3.example.com/hub/a%20folder/blobs/data?"), "{outside}");
        let hosted = url(Some(server("https://s3.example.com", false))).await;
        assert!(hosted.starts_with("https://hub.s3.example.com/a%20folder/blobs/data?"), "{hosted}");
    }

    #[tokio::test]
    async fn the_lifetime_and_the_token_of_temporary_credentials_are_part_of_the_url() {
        let url = url(None).await;
        assert!(
            url.contains("&X-Amz-Expires=300&") && url.contains("&X-Amz-Security-Token=T%2F1%3D&"),
            "{url}"
        );
        assert!(!url.contains("hunter2"), "{url}");
    }
}
