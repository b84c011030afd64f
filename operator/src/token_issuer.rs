//! Who signs the tokens of ServiceAccounts: the issuer and the keys that the API server publishes for those who verify
//! such tokens. They are the cluster's, so they are read once for all Registries, and looked at again every few minutes.

use std::{sync::Arc, time::Duration};

use futures::{Stream, stream};
use hyper::Request;
use kube::Client;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::{
    sync::Mutex,
    time::{sleep, timeout},
};
use tracing::{info, warn};

use crate::context::Context;

const DISCOVERY: &str = "/.well-known/openid-configuration";
const KEYS: &str = "/openid/v1/jwks";

/// How often what is published is looked at: an API server that changes its keys tells nobody.
const LOOK_EVERY: Duration = Duration::from_mins(5);
/// How often while nothing could be read.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// How long an answer is waited for. No Registry waits longer than this for the sake of tokens.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the API server publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenIssuer {
    /// What it calls itself in tokens.
    pub issuer: String,
    /// The public keys that verify them, as a JSON Web Key Set.
    pub jwks: String,
}

/// Why there is nothing to verify tokens with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unpublished {
    /// It is not published, or not for the operator.
    #[error("the API server answers {1} to GET {0}")]
    Refused(&'static str, u16),
    /// There was no answer that could be read.
    #[error("the API server has not answered GET {0} as expected")]
    Unanswered(&'static str),
    /// The registry knows none of the kinds of key.
    #[error("the API server publishes no key that the registry can verify tokens with")]
    NoKey,
}

/// What was found, or why nothing was.
pub type Outcome = Result<Arc<TokenIssuer>, Unpublished>;

/// What is known of the issuer.
#[derive(Debug, Default)]
pub struct Published(Mutex<Option<Outcome>>);

impl Published {
    /// What was published when it was last looked at; the first one who asks looks.
    pub async fn get(&self, client: &Client) -> Outcome {
        let mut known = self.0.lock().await;
        match &*known {
            Some(outcome) => outcome.clone(),
            None => known.insert(read(client).await).clone(),
        }
    }

    /// Looks again. What was found before stays when nothing can be read now.
    async fn look(&self, client: &Client) -> Outcome {
        let found = read(client).await;
        let mut known = self.0.lock().await;
        match (&*known, found) {
            (Some(Ok(before)), Err(error)) => {
                warn!(
                    error = &error as &dyn std::error::Error,
                    "the keys of ServiceAccounts stay as they were"
                );
                Ok(Arc::clone(before))
            }
            (_, found) => known.insert(found).clone(),
        }
    }
}

/// Emits whenever something else is published than before.
pub fn changes(context: Arc<Context>) -> impl Stream<Item = ()> + Send + 'static {
    stream::unfold((context, None), async |(context, seen)| {
        let (published, client) = (&context.token_issuer, &context.client);
        let seen = match seen {
            Some(seen) => seen,
            None => published.get(client).await,
        };
        loop {
            sleep(if seen.is_ok() { LOOK_EVERY } else { LOOK_AGAIN }).await;
            let now = published.look(client).await;
            if now != seen {
                info!("the API server publishes other keys of ServiceAccounts than before");
                return Some(((), (context, Some(now))));
            }
        }
    })
}

async fn read(client: &Client) -> Outcome {
    let discovered: Value = get(client, DISCOVERY).await?;
    let issuer = discovered["issuer"].as_str().ok_or(Unpublished::Unanswered(DISCOVERY))?;
    let published: Value = get(client, KEYS).await?;
    let keys = published["keys"].as_array().ok_or(Unpublished::Unanswered(KEYS))?;
    let jwks = usable(keys).ok_or(Unpublished::NoKey)?;
    Ok(Arc::new(TokenIssuer { issuer: issuer.to_owned(), jwks }))
}

async fn get<T: DeserializeOwned>(client: &Client, path: &'static str) -> Result<T, Unpublished> {
    let request = Request::get(path).body(Vec::new()).map_err(|_| Unpublished::Unanswered(path))?;
    match timeout(PATIENCE, client.request(request)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(kube::Error::Api(status))) => Err(Unpublished::Refused(path, status.code)),
        Ok(Err(_)) | Err(_) => Err(Unpublished::Unanswered(path)),
    }
}

/// The keys of kinds that the registry verifies with, in an order that does not depend on which API server was asked. A
/// file without one of them would keep the registry from starting.
fn usable(keys: &[Value]) -> Option<String> {
    let mut keys: Vec<&Value> = keys.iter().filter(|key| is_usable(key)).collect();
    keys.sort_by_key(ToString::to_string);
    (!keys.is_empty()).then(|| format!("{}\n", json!({ "keys": keys })))
}

fn is_usable(key: &Value) -> bool {
    /// 2048 bits in base 64.
    const SHORTEST_MODULUS: usize = 342;
    let text = |name: &str| key[name].as_str();
    let is_known = match (text("kty"), text("crv")) {
        (Some("RSA"), _) => text("n").is_some_and(|n| n.len() >= SHORTEST_MODULUS),
        (Some("EC"), Some(curve)) => ["P-256", "P-384"].contains(&curve),
        (Some("OKP"), Some(curve)) => curve == "Ed25519",
        _ => false,
    };
    is_known && text("use").is_none_or(|purpose| purpose == "sig")
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex as StdMutex, PoisonError};

    use futures::StreamExt;
    use hyper::Response;
    use kube::client::Body;
    use tower::service_fn;

    use super::*;
    use crate::{fixtures::settings, metrics::Metrics};

    /// An API server that publishes these keys, or answers with a status.
    #[derive(Clone, Default)]
    struct ApiServer(Arc<StdMutex<(u16, Vec<Value>)>>);

    impl ApiServer {
        fn publishing(keys: &[Value]) -> Self {
            let server = Self::default();
            server.answer(200, keys);
            server
        }

        fn answer(&self, status: u16, keys: &[Value]) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (status, keys.to_vec());
        }

        fn context(&self) -> Arc<Context> {
            let state = Arc::clone(&self.0);
            let service = service_fn(move |request: Request<Body>| {
                let (status, keys) = state.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let body = match (status, request.uri().path()) {
                    (200, DISCOVERY) => json!({ "issuer": "https://kubernetes.default.svc" }),
                    (200, _) => json!({ "keys": keys }),
                    _ => json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status }),
                };
                let answer =
                    Response::builder().status(status).body(Body::from(body.to_string().into_bytes()));
                async { answer }
            });
            let metrics = Arc::new(Metrics::default());
            Arc::new(Context::new(Client::new(service, "default"), vec![None], settings(), metrics))
        }
    }

    fn key(name: &str) -> Value {
        json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": name, "n": "n".repeat(342), "e": "AQAB" })
    }

    #[tokio::test]
    async fn what_is_published_is_read_once() {
        let server = ApiServer::publishing(&[key("b"), key("a")]);
        let context = server.context();
        let issuer = context.token_issuer.get(&context.client).await.unwrap();
        assert_eq!(issuer.issuer, "https://kubernetes.default.svc");
        let keys: Value = serde_json::from_str(&issuer.jwks).unwrap();
        assert_eq!(keys, json!({ "keys": [key("a"), key("b")] }));
        server.answer(200, &[key("c")]);
        assert_eq!(context.token_issuer.get(&context.client).await, Ok(issuer));
    }

    #[tokio::test(start_paused = true)]
    async fn other_keys_are_told_and_the_last_ones_stay_while_nothing_can_be_read() {
        let server = ApiServer::publishing(&[key("a")]);
        let context = server.context();
        let before = context.token_issuer.get(&context.client).await;
        let mut changes = Box::pin(changes(Arc::clone(&context)));
        server.answer(500, &[]);
        assert!(timeout(LOOK_EVERY * 3, changes.next()).await.is_err());
        assert_eq!(context.token_issuer.get(&context.client).await, before);
        server.answer(200, &[key("a"), key("b")]);
        assert!(timeout(LOOK_EVERY * 2, changes.next()).await.is_ok());
        assert!(context.token_issuer.get(&context.client).await.unwrap().jwks.contains(r#""kid":"b""#));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_begins_to_publish_is_heard_soon() {
        let server = ApiServer::default();
        server.answer(403, &[]);
        let context = server.context();
        let refused = context.token_issuer.get(&context.client).await;
        assert_eq!(refused, Err(Unpublished::Refused(DISCOVERY, 403)));
        let mut changes = Box::pin(changes(Arc::clone(&context)));
        server.answer(200, &[key("a")]);
        assert!(timeout(LOOK_AGAIN * 2, changes.next()).await.is_ok());
        assert!(context.token_issuer.get(&context.client).await.is_ok());
    }

    #[test]
    fn keys_that_the_registry_could_not_use_are_left_out() {
        let short = json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB" });
        let curve = |curve: &str| json!({ "kty": "EC", "crv": curve, "x": "x", "y": "y" });
        let encryption = json!({ "kty": "EC", "crv": "P-256", "use": "enc", "x": "x", "y": "y" });
        assert_eq!(usable(&[short.clone(), curve("P-521"), encryption.clone()]), None);
        let kept = usable(&[short, curve("P-384"), encryption, curve("P-521")]).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&kept).unwrap(), json!({ "keys": [curve("P-384")] }));
    }
}
