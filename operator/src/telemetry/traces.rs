//! Where spans go: to an OpenTelemetry collector, by `http/protobuf`, when the `OTEL_*` variables name one.
//!
//! The variables are those of the OpenTelemetry specification; `OTEL_TRACES_SAMPLER`, `OTEL_BSP_*` and
//! `OTEL_RESOURCE_ATTRIBUTES` are read by its library. Spans are sent in batches, and nothing waits for the collector.

use std::{error::Error as StdError, time::Duration};

use hyper::{Uri, http::uri::InvalidUri};
use kube::client::ConfigExt as _;
use opentelemetry::{KeyValue, global};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{Resource, resource::EnvResourceDetector, trace::SdkTracerProvider};
use rustls::pki_types::{
    CertificateDer,
    pem::{self, PemObject as _},
};
use tracing::{error, warn};

use super::collector::Collector;

/// The name of the service, unless the environment gives it another.
const SERVICE: &str = "berth-operator";

/// How long the last spans may take at the end of the process.
const FLUSH_LIMIT: Duration = Duration::from_secs(5);

/// Why there are no traces although the environment asks for them.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another protocol is asked for.
    #[error(
        "{0} is not spoken by this operator: set OTEL_EXPORTER_OTLP_PROTOCOL to http/protobuf, and the endpoint to the \
         collector's port for it, which is 4318 as a rule"
    )]
    Protocol(String),
    /// The endpoint is not a URL.
    #[error("the endpoint {0:?} must be a URL such as http://collector:4318")]
    Endpoint(String, #[source] InvalidUri),
    /// The file of authorities cannot be read.
    #[error("cannot read certificates from {0}")]
    Authorities(String, #[source] pem::Error),
    /// The collector cannot be spoken to.
    #[error("the collector cannot be spoken to as the endpoint says")]
    Client(#[from] kube::Error),
    /// The library refused the settings.
    #[error("the settings in the OTEL_* variables cannot be used")]
    Exporter(#[from] ExporterBuildError),
}

/// The spans that are on their way.
#[derive(Debug)]
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Sends the spans of this process to where the environment says; `None` when it does not ask for traces, or asks for
    /// what cannot be had, which the log then tells. Has to be called on the runtime.
    pub fn start() -> Option<Self> {
        let provider = provider(|name| std::env::var(name).ok()).unwrap_or_else(|error| {
            let error: &dyn StdError = &error;
            error!(error, "there are no traces, although the OTEL_* variables ask for them");
            None
        })?;
        global::set_tracer_provider(provider.clone());
        Some(Self(provider))
    }

    /// Sends what has not been sent yet. Blocks for a few seconds at most.
    pub fn finish(&self) {
        if let Err(error) = self.0.shutdown_with_timeout(FLUSH_LIMIT) {
            let error: &dyn StdError = &error;
            warn!(error, "the last traces could not be sent");
        }
    }
}

fn provider(variable: impl Fn(&str) -> Option<String>) -> Result<Option<SdkTracerProvider>, Error> {
    let Some(endpoint) = endpoint(&variable) else { return Ok(None) };
    let protocol = first(&variable, &["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"]);
    if let Some(other) = protocol.filter(|protocol| protocol != "http/protobuf") {
        return Err(Error::Protocol(other));
    }
    let uri: Uri = endpoint.parse().map_err(|error| Error::Endpoint(endpoint.clone(), error))?;
    let mut connection = kube::Config::new(uri);
    connection.root_cert =
        first(&variable, &["OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"])
            .map(|file| authorities(&file))
            .transpose()?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Collector::new(connection.rustls_https_connector()?))
        .with_endpoint(endpoint)
        .build()?;
    let service = resource(first(&variable, &["OTEL_SERVICE_NAME"]));
    Ok(Some(SdkTracerProvider::builder().with_resource(service).with_batch_exporter(exporter).build()))
}

fn resource(name: Option<String>) -> Resource {
    Resource::builder_empty()
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_service_name(name.unwrap_or_else(|| SERVICE.to_owned()))
        .with_detector(Box::new(EnvResourceDetector::new()))
        .build()
}

fn authorities(file: &str) -> Result<Vec<Vec<u8>>, Error> {
    let failed = |error| Error::Authorities(file.to_owned(), error);
    let certificates = CertificateDer::pem_file_iter(file).map_err(failed)?;
    certificates.map(|certificate| certificate.map(|der| der.to_vec()).map_err(failed)).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn of<'a>(variables: &'a [(&'static str, &'static str)]) -> impl Fn(&str) -> Option<String> + 'a {
        |name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn traces_are_sent_only_when_an_endpoint_is_named() {
        const BASE: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/");
        assert_eq!(endpoint(&of(&[])), None);
        assert_eq!(endpoint(&of(&[BASE])).as_deref(), Some("http://collector:4318/v1/traces"));
        assert_eq!(endpoint(&of(&[BASE, ("OTEL_SDK_DISABLED", "true")])), None);
        assert!(provider(of(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")])).unwrap().is_none());
    }

    #[test]
    fn settings_that_cannot_work_are_told_with_what_to_write_instead() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317");
        let refused = |other| provider(of(&[endpoint, other])).unwrap_err().to_string();
        let grpc = refused(("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"));
        assert!(grpc.starts_with("grpc is not spoken") && grpc.contains("http/protobuf"), "{grpc}");
        let missing = refused(("OTEL_EXPORTER_OTLP_CERTIFICATE", "/missing/ca.crt"));
        assert_eq!(missing, "cannot read certificates from /missing/ca.crt");
    }
}
