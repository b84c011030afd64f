//! A registry to test, and the words to test it with.

use std::{collections::HashMap, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use berth_oci::Digest;
use berth_registry::{
    api::{self, Api},
    auth::Auth,
    config::{self, Config, Endpoint, Limits, Options},
    health::Health,
    metrics::Metrics,
    notifications::Notifications,
    reconfiguration,
    repository::{Registry as Rules, Rules as Settings},
    server::{Arrival, Peer, PeerAddress},
};
use berth_storage::{Filesystem, Memory, ObjectStore};
use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::{
    HeaderMap, Method, Request, StatusCode,
    body::{Body, Frame},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha512};

pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// A client on this machine.
const HERE: Peer = Peer { address: PeerAddress::Unix, tls: false };

/// A registry in memory.
pub(crate) struct Registry {
    api: Api,
    auth: Auth,
    /// What every request carries.
    credentials: Option<(String, String)>,
    /// Where every request comes from.
    peer: Peer,
}

impl Registry {
    /// Open to everybody, with deletion switched on.
    pub(crate) fn new() -> Self {
        Self::configured(&[])
    }

    /// With variables of the environment laid over that.
    pub(crate) fn configured(variables: &[(&str, &str)]) -> Self {
        Self::of(&configuration(variables), Arc::new(Memory::new()))
    }

    /// With a configuration that no variable can say.
    pub(crate) fn changed(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = config::load(None, [], &Options::default()).unwrap().config;
        change(&mut config);
        Self::of(&config, Arc::new(Memory::new()))
    }

    /// Whose lists come in pages of at most that many entries.
    pub(crate) fn with_pages_of(limit: usize) -> Self {
        Self::changed(|config| config.limits = Limits { catalog: limit, tags: limit })
    }

    /// That keeps its data below a folder.
    pub(crate) fn over_folder(folder: &Path) -> Self {
        Self::configured_over_folder(&[], folder)
    }

    /// The same with variables of the environment.
    pub(crate) fn configured_over_folder(variables: &[(&str, &str)], folder: &Path) -> Self {
        Self::of(&configuration(variables), Arc::new(Filesystem::new(folder)))
    }

    /// With variables of the environment over storage of a kind of its own.
    pub(crate) fn configured_over(variables: &[(&str, &str)], store: Arc<dyn ObjectStore>) -> Self {
        Self::of(&configuration(variables), store)
    }

    fn of(config: &Config, store: Arc<dyn ObjectStore>) -> Self {
        let settings = Settings { max_manifest_size: 64 * 1024, ..reconfiguration::rules(config) };
        let limit = settings.max_manifest_size;
        let auth = Auth::open(config).unwrap();
        look_for_keys(&auth, &*store);
        let rules = Rules::new(store, settings);
        let api = Api::new(rules, auth.clone(), limit, &config.http)
            .with_limits(config.limits)
            .with_redirect(config.redirect.clone());
        Self { auth, ..Self::over(api) }
    }

    /// One that was put together elsewhere.
    pub(crate) fn over(api: Api) -> Self {
        Self { api, auth: Auth::default(), credentials: None, peer: HERE }
    }

    /// Reads the password file and the access rules again, if they have changed.
    pub(crate) fn read_files_again(&self) {
        for file in self.auth.files() {
            file.refresh();
        }
    }

    /// The same registry, in service only while `health` is well.
    pub(crate) fn with_health(self, health: &Health) -> Self {
        Self { api: self.api.with_health(health.clone()), ..self }
    }

    /// The same registry, counted in `metrics`.
    pub(crate) fn with_metrics(self, metrics: &Metrics) -> Self {
        Self { api: self.api.with_metrics(metrics.clone()), ..self }
    }

    /// The same registry, telling of what requests do.
    pub(crate) fn with_notifications(self, notifications: Notifications) -> Self {
        Self { api: self.api.with_notifications(notifications), ..self }
    }

    /// The same registry, as this user sees it.
    pub(crate) fn as_user(&self, user: &str, password: &str) -> Self {
        let credentials = Some((user.to_owned(), password.to_owned()));
        Self { api: self.api.clone(), auth: self.auth.clone(), credentials, peer: self.peer }
    }

    /// The same registry, as a client at this address sees it.
    pub(crate) fn at_address(&self, address: &str) -> Self {
        let address = PeerAddress::Tcp(SocketAddr::new(address.parse().unwrap(), 4711));
        self.seen_by(Peer { address, tls: false })
    }

    /// The same registry, as a client sees it whose connection this server has encrypted.
    pub(crate) fn over_tls(&self) -> Self {
        self.seen_by(Peer { tls: true, ..self.peer })
    }

    fn seen_by(&self, peer: Peer) -> Self {
        let (api, auth) = (self.api.clone(), self.auth.clone());
        Self { api, auth, credentials: self.credentials.clone(), peer }
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", "hub.example.com");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some((user, password)) = &self.credentials {
            request = request.header("authorization", basic(user, password));
        }
        self.answer(request.body(Full::new(body.into())).unwrap()).await
    }

    /// Sends a body that breaks off after its start.
    pub(crate) async fn send_broken(&self, method: Method, path: &str, start: &'static str) -> Answer {
        let frames = [Ok(Bytes::from(start)), Err(std::io::Error::other("the client has gone"))];
        self.send_stream(method, path, futures::stream::iter(frames)).await
    }

    /// Sends a body piece by piece.
    pub(crate) async fn send_stream(
        &self,
        method: Method,
        path: &str,
        body: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    ) -> Answer {
        let body = StreamBody::new(body.map_ok(Frame::data));
        let request = Request::builder().method(method).uri(path).header("host", "hub.example.com");
        self.answer(request.body(body).unwrap()).await
    }

    async fn answer<B>(&self, request: Request<B>) -> Answer
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let arrival = Arrival { peer: self.peer, files: None };
        let response = api::service(self.api.clone()).answer(request, arrival).await;
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }

    pub(crate) async fn head(&self, path: &str) -> Answer {
        self.send(Method::HEAD, path, &[], "").await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, &[], "").await
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<Bytes>) -> Answer {
        self.send(Method::POST, path, &[], body).await
    }

    pub(crate) async fn patch(&self, path: &str, body: impl Into<Bytes>) -> Answer {
        self.send(Method::PATCH, path, &[], body).await
    }

    pub(crate) async fn put(&self, path: &str, body: impl Into<Bytes>) -> Answer {
        self.send(Method::PUT, path, &[], body).await
    }

    /// Pushes a blob and returns its digest.
    pub(crate) async fn push_blob(&self, name: &str, bytes: &[u8]) -> Digest {
        let digest = digest_of(bytes);
        let path = format!("/v2/{name}/blobs/uploads/?digest={digest}");
        let answer = self.post(&path, bytes.to_vec()).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
        digest
    }

    /// Pushes a manifest and returns the answer.
    pub(crate) async fn push_manifest(&self, name: &str, reference: &str, manifest: &Value) -> Answer {
        let media_type = manifest["mediaType"].as_str().unwrap();
        let path = format!("/v2/{name}/manifests/{reference}");
        self.send(Method::PUT, &path, &[("content-type", media_type)], manifest.to_string()).await
    }

    /// Pushes a small image under a tag and returns the digest of its manifest.
    pub(crate) async fn push_image(&self, name: &str, tag: &str) -> Digest {
        let manifest = self.image(name, tag).await;
        let answer = self.push_manifest(name, tag, &manifest).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
        digest_of(manifest.to_string().as_bytes())
    }

    /// Pushes the blobs of a small image and returns its manifest; `word` tells it from others.
    pub(crate) async fn image(&self, name: &str, word: &str) -> Value {
        let config = json!({ "architecture": "amd64", "os": "linux", "word": word }).to_string();
        let layer = format!("layer of {word}");
        self.push_blob(name, config.as_bytes()).await;
        self.push_blob(name, layer.as_bytes()).await;
        json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor(OCI_CONFIG, config.as_bytes()),
            "layers": [descriptor(OCI_LAYER, layer.as_bytes())],
        })
    }

    /// Starts an upload and returns the path of its location.
    pub(crate) async fn start_upload(&self, name: &str) -> String {
        let answer = self.post(&format!("/v2/{name}/blobs/uploads/"), "").await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
        answer.location_path()
    }
}

/// On a thread of its own: a test's runtime cannot wait inside of what it runs.
fn look_for_keys(auth: &Auth, store: &dyn ObjectStore) {
    let look = || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(auth.look_for_keys(store)).unwrap();
    };
    std::thread::scope(|threads| threads.spawn(look).join().unwrap());
}

fn configuration(variables: &[(&str, &str)]) -> Config {
    let mut all = HashMap::from([("REGISTRY_STORAGE_DELETE_ENABLED", "true")]);
    all.extend(variables.iter().copied());
    let variables = all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    config::load(None, variables, &Options::default()).unwrap().config
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// A header as text; the test fails when it is missing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("{name} is missing: {self:?}")).to_str().unwrap()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The code of the error that the body tells.
    pub(crate) fn code(&self) -> String {
        self.json()["errors"][0]["code"].as_str().unwrap().to_owned()
    }

    /// `Location` without scheme and authority.
    pub(crate) fn location_path(&self) -> String {
        let location = self.header("location");
        location.strip_prefix("http://hub.example.com").unwrap_or(location).to_owned()
    }

    /// Fails unless status and code are these.
    pub(crate) fn assert_error(&self, status: u16, code: &str) {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        assert_eq!(self.code(), code);
        assert_eq!(self.header("content-type"), "application/json");
    }
}

/// An endpoint of notifications where nobody listens, so that what it is to be told stays in the queue.
pub(crate) fn unreachable() -> Endpoint {
    Endpoint {
        name: "mail".to_owned(),
        url: "http://127.0.0.1:9/".parse().unwrap(),
        headers: Vec::new(),
        timeout: Duration::from_secs(1),
        threshold: 1,
        backoff: Duration::from_hours(1),
        ignored_media_types: Vec::new(),
        ignored_actions: Vec::new(),
    }
}

pub(crate) fn digest_of(bytes: &[u8]) -> Digest {
    Digest::sha256(Sha256::digest(bytes).into())
}

pub(crate) fn sha512(bytes: &[u8]) -> Digest {
    Digest::sha512(Sha512::digest(bytes).into())
}

pub(crate) fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": digest_of(bytes).to_string(), "size": bytes.len() })
}

/// A digest that nothing has.
pub(crate) fn absent() -> Digest {
    digest_of(b"nothing that anybody has pushed")
}

pub(crate) fn basic(user: &str, password: &str) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}
