//! What pushes are held against: the client library by itself, with the plainest way to the server.

use anyhow::Result;
use async_trait::async_trait;
use berth_tests::s3_server::{ACCESS_KEY, BUCKET, REGION, SECRET_KEY};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::{
    HttpClient, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse, HttpResponseBody,
    HttpService,
};
use object_store::multipart::MultipartStore as _;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore as _, ObjectStoreExt as _};

/// Connections without any limit.
#[derive(Clone, Debug)]
struct Plain(Client<HttpConnector, HttpRequestBody>);

#[async_trait]
impl HttpService for Plain {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let answer = self.0.request(request).await;
        let answer = answer.map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
        Ok(answer.map(|body| {
            HttpResponseBody::new(http_body_util::BodyExt::map_err(body, |error| {
                HttpError::new(HttpErrorKind::Interrupted, error)
            }))
        }))
    }
}

impl object_store::client::HttpConnector for Plain {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

/// A client, with or without signatures of the bytes that it sends.
pub(crate) fn client(url: &str, is_signed: bool) -> Result<AmazonS3> {
    let builder = AmazonS3Builder::new().with_endpoint(url).with_allow_http(true).with_region(REGION);
    let builder =
        builder.with_unsigned_payload(!is_signed).with_bucket_name(BUCKET).with_access_key_id(ACCESS_KEY);
    let plain = Plain(Client::builder(TokioExecutor::new()).build_http());
    Ok(builder.with_secret_access_key(SECRET_KEY).with_http_connector(plain).build()?)
}

/// Uploads so many parts, all with the same bytes, some at once.
pub(crate) async fn upload(
    client: &AmazonS3,
    name: &str,
    part: &Bytes,
    parts: usize,
    at_once: usize,
) -> Result<()> {
    let path = Path::parse(name)?;
    let id = client.create_multipart(&path).await?;
    let sent = stream::iter(0..parts).map(|index| {
        let (client, path, id, part) = (client.clone(), path.clone(), id.clone(), part.clone());
        async move {
            tokio::spawn(async move { client.put_part(&path, &id, index, part.into()).await })
                .await?
                .map_err(anyhow::Error::from)
        }
    });
    let sent = sent.buffered(at_once).try_collect().await?;
    client.complete_multipart(&path, &id, sent).await?;
    Ok(())
}

/// Deletes all that is in the bucket: what is measured takes much room.
pub(crate) async fn clear(client: &AmazonS3) -> Result<()> {
    let found: Vec<_> = client.list(None).try_collect().await?;
    for object in found {
        client.delete(&object.location).await?;
    }
    Ok(())
}
