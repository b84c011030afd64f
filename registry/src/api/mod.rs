//! HTTP: the endpoints of the distribution specification, and a few of our own.
//!
//! The only module that uses axum. A handler takes typed values from the request, asks the rules in `repository` once,
//! and returns a typed answer. Each question of the protocol has one place:
//!
//! | question | place |
//! |---|---|
//! | what every request passes through, in order | [`service()`] |
//! | which path and method leads where | `routes` |
//! | which requests go straight to their handlers | `direct`, `prepared` |
//! | what a request must be like at all | `request_head` |
//! | how a prefix and a name with slashes are routed | `prefix`, `fold_name` |
//! | what a request says | `extract`, `query`, `body`, `location`, `forwarded` |
//! | how another registry can go on with an upload | `upload_state` |
//! | who sends it, and what that user may do | `authenticate`, `challenge`, `authorize`, `access_record` |
//! | which manifest a client can read | `negotiate` |
//! | which blob a client gets from the storage itself | `redirect` |
//! | which headers an answer has | `respond` |
//! | which status, code and body a failure has | `error` |
//! | what is pulled through from another registry first | `mirrored` |
//! | what notifications tell of a request | `notify` |
//! | what every answer carries | `edge`, `cors` |
//! | what the log and the metrics tell of a request | `exchange`, `access_log`, `handler` |
//! | what the debug address answers | [`debug_router`] |

mod access_log;
mod access_record;
mod at_once;
mod authenticate;
mod authorize;
mod base;
mod blobs;
mod body;
mod catalog;
mod challenge;
mod copies;
mod cors;
mod debug;
mod direct;
mod discovery;
mod edge;
mod error;
mod exchange;
mod extract;
mod fold_name;
mod forwarded;
mod garbage_collection;
mod handler;
mod health;
mod location;
mod manifests;
mod mirrored;
mod negotiate;
mod notify;
mod prefix;
mod prepared;
mod query;
mod read_only;
mod redirect;
mod referrers;
mod repositories;
mod request_head;
mod request_id;
mod respond;
mod retention;
mod service;
mod tags;
mod token;
mod trash;
mod upload_state;
mod uploads;

use std::{
    ops::Deref,
    sync::{Arc, PoisonError, RwLock},
};

use axum::{
    Router,
    middleware::from_fn_with_state,
    routing::{delete, get, post},
};
use hyper::header::{HeaderName, HeaderValue};
use ring::hmac;

pub use debug::debug_router;
pub use service::Service;

use self::{cors::Cors, prepared::PreparedAnswers};
use crate::{
    auth::Auth,
    config::{Http, Limits, Redirect},
    health::Health,
    metrics::Metrics,
    mirror::Mirrors,
    notifications::Notifications,
    repository::Registry,
    telemetry::Traces,
};

/// What the handlers work with. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Api(Arc<Components>);

/// What an [`Api`] shares with its clones.
#[derive(Clone, Debug)]
pub struct Components {
    registry: Registry,
    auth: Auth,
    health: Health,
    metrics: Metrics,
    /// Where spans of requests go; `None` when nobody asks for them.
    traces: Option<Traces>,
    /// The largest manifest that is read from a request, in bytes.
    max_manifest_size: u64,
    /// The longest pages of lists.
    limits: Limits,
    notifications: Notifications,
    /// Shared by all clones, so that they change for all.
    answers: Arc<RwLock<Arc<Answers>>>,
    /// Which pulls are redirected; shared in the same way.
    redirect: Arc<RwLock<Option<Arc<Redirect>>>>,
    prepared: Arc<PreparedAnswers>,
    mirrors: Mirrors,
}

impl Deref for Api {
    type Target = Components;

    fn deref(&self) -> &Components {
        &self.0
    }
}

/// What the configuration says of the outside of answers.
#[derive(Debug)]
struct Answers {
    /// Where clients find this server, if they need not be asked: scheme, authority and perhaps a path.
    host: Option<String>,
    /// What every path begins with, as the request arrives here.
    prefix: String,
    relative_urls: bool,
    headers: Vec<(HeaderName, HeaderValue)>,
    cors: Cors,
    /// What signs the states of uploads in their addresses.
    upload_key: Option<hmac::Key>,
}

impl Api {
    /// Puts the parts together.
    pub fn new(registry: Registry, auth: Auth, max_manifest_size: u64, http: &Http) -> Self {
        Self(Arc::new(Components {
            registry,
            auth,
            health: Health::default(),
            metrics: Metrics::default(),
            traces: None,
            max_manifest_size,
            limits: Limits::default(),
            notifications: Notifications::default(),
            answers: Arc::new(RwLock::new(Arc::new(Answers::of(http)))),
            redirect: Arc::default(),
            prepared: Arc::default(),
            mirrors: Mirrors::default(),
        }))
    }

    fn with(mut self, change: impl FnOnce(&mut Components)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// The outside of answers, as it is now.
    fn answers(&self) -> Arc<Answers> {
        Arc::clone(&self.answers.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Gives answers another outside from now on.
    pub fn set_answers(&self, http: &Http) {
        *self.answers.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Answers::of(http));
    }

    /// How pulls are redirected now, if any are.
    fn redirect(&self) -> Option<Arc<Redirect>> {
        self.redirect.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Redirects pulls in another way from now on.
    pub fn set_redirect(&self, redirect: Option<Redirect>) {
        *self.redirect.write().unwrap_or_else(PoisonError::into_inner) = redirect.map(Arc::new);
    }

    /// Redirects pulls to the storage.
    pub fn with_redirect(self, redirect: Option<Redirect>) -> Self {
        self.set_redirect(redirect);
        self
    }

    /// Pulls through these mirrors what belongs to them.
    pub fn with_mirrors(self, mirrors: Mirrors) -> Self {
        self.with(|components| components.mirrors = mirrors)
    }

    /// Answers with lists in pages of at most this length.
    pub fn with_limits(self, limits: Limits) -> Self {
        self.with(|components| components.limits = limits)
    }

    /// Tells `notifications` of what requests do.
    pub fn with_notifications(self, notifications: Notifications) -> Self {
        self.with(|components| components.notifications = notifications)
    }

    /// Answers requests to the registry only while `health` is well.
    pub fn with_health(self, health: Health) -> Self {
        self.with(|components| components.health = health)
    }

    /// Sends a span of each request to `traces`.
    pub fn with_traces(self, traces: Option<Traces>) -> Self {
        self.with(|components| components.traces = traces)
    }

    /// Counts requests in `metrics`.
    pub fn with_metrics(self, metrics: Metrics) -> Self {
        self.with(|components| components.metrics = metrics)
    }
}

impl Answers {
    fn of(http: &Http) -> Self {
        let mut headers = http.headers.clone();
        let cors = Cors::take_from(&mut headers);
        let (host, prefix) = (http.host.clone(), http.prefix.clone());
        let (relative_urls, upload_key) = (http.relative_urls, http.upload_key.clone());
        Self { host, prefix, relative_urls, headers, cors, upload_key }
    }
}

/// The whole service: what every request passes through, and the routes.
pub fn service(api: Api) -> Service {
    let routes = routes()
        .fallback(base::not_found)
        .method_not_allowed_fallback(base::method_not_allowed)
        .layer(from_fn_with_state(api.clone(), authenticate::authenticate))
        .layer(from_fn_with_state(api.clone(), health::refuse_while_unwell))
        .layer(from_fn_with_state(api.clone(), exchange::count))
        .with_state(api.clone());
    Service::new(api, routes)
}

/// The routes of the distribution specification and ours, one line an endpoint.
fn routes() -> Router<Api> {
    Router::new()
        .route("/", get(base::root))
        .route("/livez", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/token", get(token::by_query).post(token::by_form))
        .route("/v2", get(base::version))
        .route("/v2/", get(base::version))
        .route("/v2/_catalog", get(catalog::list))
        .route("/v2/_oci/ext/discover", get(discovery::of_registry))
        .route("/v2/_berth", get(discovery::documentation))
        .route(
            "/v2/_berth/garbage-collection",
            get(garbage_collection::current).post(garbage_collection::start),
        )
        .route(
            "/v2/_berth/read-only",
            get(read_only::current).put(read_only::switch_on).delete(read_only::switch_off),
        )
        .route("/v2/_berth/referrers/rebuild", post(referrers::rebuild))
        .route("/v2/_berth/retention", post(retention::apply))
        .route("/v2/{name}/blobs/{digest}", get(blobs::pull).head(blobs::head).delete(blobs::delete))
        .route("/v2/{name}/blobs/uploads/", post(uploads::start))
        .route(
            "/v2/{name}/blobs/uploads/{upload}",
            get(uploads::status).patch(uploads::append).put(uploads::finish).delete(uploads::cancel),
        )
        .route(
            "/v2/{name}/manifests/{reference}",
            get(manifests::pull).head(manifests::head).put(manifests::push).delete(manifests::delete),
        )
        .route("/v2/{name}/tags/list", get(tags::list))
        .route("/v2/{name}/referrers/{digest}", get(referrers::list))
        .route("/v2/{name}/_oci/ext/discover", get(discovery::of_repository))
        .route("/v2/{name}/_berth/copy", post(copies::create))
        .route("/v2/{name}/_berth/repository", delete(repositories::delete))
        .route("/v2/{name}/_berth/restore", post(trash::restore))
        .route("/v2/{name}/_berth/tags", get(tags::summarize))
        .route("/v2/{name}/_berth/trash", get(trash::list).delete(trash::empty))
}
