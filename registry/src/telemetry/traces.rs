//! Traces: one span a request, sent to an OpenTelemetry collector when the `OTEL_*` variables ask for it.
//!
//! A span continues the trace that a client's `traceparent` names. Spans are batched on a thread of their own and sent
//! by `http/protobuf`; requests never wait for the collector. The variables are those of the OpenTelemetry
//! specification, and `OTEL_TRACES_SAMPLER`, `OTEL_BSP_*` and `OTEL_RESOURCE_ATTRIBUTES` are read by its library.

use std::time::Duration;

use hyper::{HeaderMap, Method, StatusCode, http::uri::InvalidUri};
use opentelemetry::{
    KeyValue,
    propagation::TextMapPropagator as _,
    trace::{Span as _, SpanKind, Status, Tracer as _, TracerProvider as _},
};
use opentelemetry_http::HeaderExtractor;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{SdkTracer, SdkTracerProvider, Span},
};

use super::collector::Collector;
use crate::http_client;

/// The name of the service, unless the environment gives it another.
const SERVICE: &str = "berth-registry";

/// How long the last spans may take at the end of the process.
const FLUSH_LIMIT: Duration = Duration::from_secs(5);

/// Why there are no traces although the environment asks for them.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another protocol is asked for.
    #[error(
        "{0} is not spoken by this server: set OTEL_EXPORTER_OTLP_PROTOCOL to http/protobuf, and the endpoint to the \
         collector's port for it, which is 4318 as a rule"
    )]
    Protocol(String),
    /// The endpoint is not a URL.
    #[error("the endpoint {0:?} must be a URL such as http://collector:4318")]
    Endpoint(String, #[source] InvalidUri),
    /// The collector cannot be spoken to.
    #[error("the collector cannot be reached as the endpoint says")]
    Client(#[from] http_client::Error),
    /// The library refused the settings.
    #[error("the settings in the OTEL_* variables cannot be used")]
    Exporter(#[from] ExporterBuildError),
}

/// Where spans go. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl Traces {
    /// Sends spans to where the environment says; `None` when it does not ask for traces.
    ///
    /// Has to be called on the runtime, on which the collector will be spoken to.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, Error> {
        let Some(endpoint) = endpoint(&variable) else { return Ok(None) };
        let protocol =
            first(&variable, &["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"]);
        if let Some(other) = protocol.filter(|protocol| protocol != "http/protobuf") {
            return Err(Error::Protocol(other));
        }
        let uri = endpoint.parse().map_err(|error| Error::Endpoint(endpoint.clone(), error))?;
        let ca =
            first(&variable, &["OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"]);
        let client = http_client::Client::new(&uri, ca.as_deref().map(AsRef::as_ref))?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Collector::new(client))
            .with_endpoint(endpoint)
            .build()?;
        let name = variable("OTEL_SERVICE_NAME").filter(|name| !name.is_empty());
        let service = Resource::builder_empty()
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_service_name(name.unwrap_or_else(|| SERVICE.to_owned()))
            .with_detector(Box::new(opentelemetry_sdk::resource::EnvResourceDetector::new()))
            .build();
        let provider =
            SdkTracerProvider::builder().with_resource(service).with_batch_exporter(exporter).build();
        Ok(Some(Self { tracer: provider.tracer("berth"), provider }))
    }

    /// Begins the span of a request, which is `None` when its trace is not sampled.
    pub fn begin(&self, method: &Method, headers: &HeaderMap) -> Option<RequestSpan> {
        let parent = TraceContextPropagator::new().extract(&HeaderExtractor(headers));
        let span = self
            .tracer
            .span_builder(method.to_string())
            .with_kind(SpanKind::Server)
            .start_with_context(&self.tracer, &parent);
        span.is_recording().then_some(RequestSpan(span))
    }

    /// Sends what has not been sent yet. Blocks for a few seconds at most.
    pub fn finish(&self) {
        if let Err(error) = self.provider.shutdown_with_timeout(FLUSH_LIMIT) {
            tracing::warn!(error = &error as &dyn std::error::Error, "the last traces could not be sent");
        }
    }
}

/// The URL to which spans are posted, if the environment asks for traces.
fn endpoint(variable: &impl Fn(&str) -> Option<String>) -> Option<String> {
    let is = |name: &str, value: &str| variable(name).is_some_and(|found| found.eq_ignore_ascii_case(value));
    if is("OTEL_TRACES_EXPORTER", "none") || is("OTEL_SDK_DISABLED", "true") {
        return None;
    }
    let base = || {
        let base = first(variable, &["OTEL_EXPORTER_OTLP_ENDPOINT"])?;
        Some(format!("{}/v1/traces", base.trim_end_matches('/')))
    };
    first(variable, &["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]).or_else(base)
}

/// The first of these variables that is set to something.
fn first(variable: &impl Fn(&str) -> Option<String>, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| variable(name).filter(|value| !value.is_empty()))
}

/// The span of a request, under the names of OpenTelemetry's semantic conventions for HTTP servers.
#[derive(Debug)]
pub struct RequestSpan(Span);

impl RequestSpan {
    /// The id of the trace, for the log.
    pub fn trace_id(&self) -> String {
        self.0.span_context().trace_id().to_string()
    }

    /// Tells something of the request.
    pub fn set(&mut self, name: &'static str, value: impl Into<opentelemetry::Value>) {
        self.0.set_attribute(KeyValue::new(name, value));
    }

    /// Names the span after the route, once it is known.
    pub fn set_route(&mut self, method: &Method, route: &str) {
        self.0.update_name(format!("{method} {route}"));
        self.set("http.route", route.to_owned());
    }

    /// Ends the span; `status` is `None` when the client has left before the answer.
    pub fn end(&mut self, status: Option<StatusCode>) {
        if let Some(status) = status {
            self.set("http.response.status_code", i64::from(status.as_u16()));
            if status.is_server_error() {
                self.set("error.type", status.as_str().to_owned());
                self.0.set_status(Status::error(""));
            }
        }
        self.0.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(variables: &[(&'static str, &'static str)]) -> Option<String> {
        endpoint(&of(variables))
    }

    fn of<'a>(variables: &'a [(&'static str, &'static str)]) -> impl Fn(&str) -> Option<String> + 'a {
        |name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn traces_are_sent_only_when_an_endpoint_is_named() {
        const BASE: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/");
        assert_eq!(asked(&[]), None);
        assert_eq!(asked(&[BASE]).as_deref(), Some("http://collector:4318/v1/traces"));
        assert_eq!(asked(&[BASE, ("OTEL_TRACES_EXPORTER", "none")]), None);
        assert_eq!(asked(&[BASE, ("OTEL_SDK_DISABLED", "true")]), None);
        let own = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces:4318/own");
        assert_eq!(asked(&[BASE, own]).as_deref(), Some("http://traces:4318/own"));
    }

    #[test]
    fn grpc_is_refused_with_what_to_write_instead() {
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ];
        let error = Traces::from_environment(of(&variables)).unwrap_err().to_string();
        assert!(error.starts_with("grpc is not spoken") && error.contains("http/protobuf"), "{error}");
    }
}
