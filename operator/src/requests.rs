//! The two gates that every request to the API server passes: one counts it, the other lets a write pass only while this
//! operator leads.

use std::sync::Arc;

use hyper::{Method, Request};
use kube::{Client, client::Body};
use tower::{BoxError, service_fn};

use crate::{leader::Leadership, metrics::Metrics};

/// A write that was not sent, because another operator may lead.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("nothing is written: this operator does not lead any more")]
pub struct NotLeading;

/// A client whose requests are counted.
pub fn counted(client: Client, metrics: Arc<Metrics>) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = service_fn(move |request: Request<Body>| {
        let (client, metrics) = (client.clone(), Arc::clone(&metrics));
        async move {
            let method = request.method().clone();
            let answer = client.send(request).await;
            metrics.asked(&method, answer.as_ref().ok().map(|answer| answer.status().as_u16()));
            answer
        }
    });
    Client::new(service, namespace)
}

/// A client that writes only while this operator leads. The question is asked right before the request goes out, so that
/// neither a process that was paused nor a reconciliation that hangs writes what it once decided.
pub fn fenced(client: Client, leadership: Leadership) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = service_fn(move |request: Request<Body>| {
        let (client, leadership) = (client.clone(), leadership.clone());
        async move {
            if request.method() != Method::GET && !leadership.is_certain() {
                return Err(BoxError::from(NotLeading));
            }
            Ok(client.send(request).await?)
        }
    });
    Client::new(service, namespace)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use hyper::Response;
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::{
        Api,
        api::{Patch, PatchParams},
    };

    use super::*;

    /// A client of an API server that knows one ConfigMap.
    fn client() -> Client {
        let answer = service_fn(async |_: Request<Body>| {
            Ok::<_, Infallible>(Response::new(Body::from(br#"{"metadata": {"name": "hub"}}"#.to_vec())))
        });
        Client::new(answer, "default")
    }

    async fn write(client: Client) -> Result<ConfigMap, kube::Error> {
        let patch = Patch::Apply(serde_json::json!({}));
        Api::default_namespaced(client).patch("hub", &PatchParams::apply("test"), &patch).await
    }

    #[tokio::test]
    async fn the_leader_reads_and_writes() {
        assert!(write(fenced(client(), Leadership::undisputed())).await.is_ok());
    }

    #[tokio::test]
    async fn who_does_not_lead_reads_and_writes_nothing() {
        let fenced = fenced(client(), Leadership::none());
        let refused = write(fenced.clone()).await.unwrap_err();
        assert!(refused.to_string().contains("does not lead"), "{refused}");
        assert!(Api::<ConfigMap>::default_namespaced(fenced).get("hub").await.is_ok());
    }

    #[tokio::test]
    async fn requests_are_counted_by_method_and_answer() {
        let metrics = Arc::new(Metrics::default());
        write(counted(client(), Arc::clone(&metrics))).await.unwrap();
        let line = r#"berth_operator_api_requests_total{method="PATCH",code="200"} 1"#;
        assert!(metrics.render().contains(line), "{}", metrics.render());
    }
}
