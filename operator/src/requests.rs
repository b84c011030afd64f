//! The gate that every request to the API server passes, is counted at, and gets its span at.

use std::sync::Arc;

use hyper::{Request, Response};
use kube::{Client, client::Body};
use tower::service_fn;

use crate::{metrics::Metrics, telemetry::span};

/// A client whose requests are counted.
pub fn counted(client: Client, metrics: Arc<Metrics>) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = service_fn(move |request: Request<Body>| {
        let (client, metrics) = (client.clone(), Arc::clone(&metrics));
        async move {
            let (method, path) = (request.method().clone(), request.uri().path().to_owned());
            let answer = span::request(&method, &path, client.send(request), status).await;
            metrics.asked(&method, status(&answer));
            answer
        }
    });
    Client::new(service, namespace)
}

fn status(answer: &Result<Response<Body>, kube::Error>) -> Option<u16> {
    answer.as_ref().ok().map(|answer| answer.status().as_u16())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

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
    async fn requests_are_counted_by_method_and_answer() {
        let metrics = Arc::new(Metrics::default());
        write(counted(client(), Arc::clone(&metrics))).await.unwrap();
        let line = r#"berth_operator_api_requests_total{method="PATCH",code="200"} 1"#;
        assert!(metrics.render().contains(line), "{}", metrics.render());
    }
}
