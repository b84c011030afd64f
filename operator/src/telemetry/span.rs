//! The spans of a reconciliation: one for the whole, and below it one for each step and for each request to the API server.
//! Where nobody asks for traces they cost next to nothing.

use std::borrow::Cow;

use hyper::Method;
use opentelemetry::{
    Context, KeyValue, Value, global,
    trace::{FutureExt as _, SpanKind, Status, TraceContextExt as _, Tracer as _},
};

/// The name under which spans are made.
const TRACER: &str = "berth";

/// Runs the whole of a piece of work in a span that begins a new trace. All work is boxed, because some is large.
pub fn root<T>(
    name: &'static str,
    attributes: Vec<KeyValue>,
    work: impl Future<Output = T>,
) -> impl Future<Output = T> {
    let work = Box::pin(work);
    async move { within(begin(&Context::new(), name.into(), SpanKind::Internal, attributes), work).await }
}

/// Runs a step of that work in a span of its own.
pub fn step<T, E: std::error::Error>(
    name: &'static str,
    work: impl Future<Output = Result<T, E>>,
) -> impl Future<Output = Result<T, E>> {
    let work = Box::pin(work);
    let told = async move {
        let outcome = work.await;
        if let Err(error) = &outcome {
            fail(&error.to_string());
        }
        outcome
    };
    async move { within(begin(&Context::current(), name.into(), SpanKind::Internal, Vec::new()), told).await }
}

/// The same for a step that waits for nothing.
pub fn decide<T>(name: &'static str, work: impl FnOnce() -> T) -> T {
    let context = begin(&Context::current(), name.into(), SpanKind::Internal, Vec::new());
    let outcome = {
        let _active = context.clone().attach();
        work()
    };
    context.span().end();
    outcome
}

/// Runs a request to the API server in a span of its own, if it is part of some work; `status` reads the answer's code.
pub async fn request<T>(
    method: &Method,
    path: &str,
    work: impl Future<Output = T>,
    status: impl FnOnce(&T) -> Option<u16>,
) -> T {
    let parent = Context::current();
    if !parent.span().span_context().is_valid() {
        return work.await;
    }
    let name = format!("{method} {}", resource(path));
    let attributes = vec![
        KeyValue::new("http.request.method", method.to_string()),
        KeyValue::new("url.path", path.to_owned()),
    ];
    let told = async {
        let answer = work.await;
        match status(&answer) {
            Some(code) => tell_status(code),
            None => fail("no answer"),
        }
        answer
    };
    within(begin(&parent, name.into(), SpanKind::Client, attributes), told).await
}

/// Tells something of the current span.
pub fn tell(name: &'static str, value: impl Into<Value>) {
    Context::current().span().set_attribute(KeyValue::new(name, value));
}

/// Tells that what the current span is about has failed.
pub fn fail(why: &str) {
    Context::current().span().set_status(Status::error(why.to_owned()));
}

/// The id of the current trace, for the log, if the trace is sent somewhere.
pub fn trace_id() -> Option<String> {
    let context = Context::current();
    let span = context.span().span_context().clone();
    (span.is_valid() && span.is_sampled()).then(|| span.trace_id().to_string())
}

fn begin(parent: &Context, name: Cow<'static, str>, kind: SpanKind, attributes: Vec<KeyValue>) -> Context {
    let tracer = global::tracer(TRACER);
    let span = tracer
        .span_builder(name)
        .with_kind(kind)
        .with_attributes(attributes)
        .start_with_context(&tracer, parent);
    parent.with_span(span)
}

async fn within<T>(context: Context, work: impl Future<Output = T>) -> T {
    let outcome = work.with_context(context.clone()).await;
    context.span().end();
    outcome
}

/// A conflict or an object that does not exist is an answer like others; the step knows whether it is a failure.
fn tell_status(code: u16) {
    tell("http.response.status_code", i64::from(code));
    if code >= 500 {
        tell("error.type", code.to_string());
        fail("");
    }
}

/// The kind of object that a path of the API server is about, such as `deployments`: names of spans must be few.
fn resource(path: &str) -> &str {
    let mut segments = path.trim_start_matches('/').split('/');
    // A group has a name and a version, and the core has only a version.
    let beginning = if segments.next() == Some("apis") { 2 } else { 1 };
    let mut rest = segments.skip(beginning).peekable();
    let first = rest.next().unwrap_or("/");
    // What is in a namespace comes after its name.
    rest.nth(1).filter(|_| first == "namespaces").unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_named_after_the_kind_of_object() {
        for (path, expected) in [
            ("/apis/apps/v1/namespaces/default/deployments/hub", "deployments"),
            ("/apis/berth.dev/v1alpha1/namespaces/default/registries/hub/status", "registries"),
            ("/api/v1/namespaces/default/secrets/hub-tls", "secrets"),
            ("/apis/storage.k8s.io/v1/storageclasses", "storageclasses"),
            ("/api/v1/namespaces/default", "namespaces"),
            ("/version", "/"),
        ] {
            assert_eq!(resource(path), expected, "{path}");
        }
    }

    #[tokio::test]
    async fn without_a_collector_the_work_is_done_all_the_same() {
        let done = root("reconcile", Vec::new(), async {
            assert_eq!(trace_id(), None);
            let get = request(&Method::GET, "/version", async { 1 }, |_| Some(200)).await;
            step("observe", async { Ok::<_, std::fmt::Error>(get + decide("decide", || 2)) }).await
        });
        assert_eq!(done.await, Ok(3));
    }
}
