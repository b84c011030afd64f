//! Traces of the operator: what a collector gets of a reconciliation.

use std::collections::BTreeSet;

use anyhow::ensure;
use berth_tests::cluster::wait;
use opentelemetry_proto::tonic::{
    common::v1::any_value::Value,
    trace::v1::{Span, span::SpanKind},
};

use crate::{
    collector::Collector,
    fixture::{Namespace, PATIENCE, start_process_with},
};

fn attribute(span: &Span, name: &str) -> Option<Value> {
    span.attributes.iter().find(|attribute| attribute.key == name)?.value.clone()?.value
}

fn text(value: &str) -> Value {
    Value::StringValue(value.to_owned())
}

fn below<'a>(spans: &'a [Span], parent: &Span) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.parent_span_id == parent.span_id).collect()
}

fn names<'a>(spans: &[&'a Span]) -> BTreeSet<&'a str> {
    spans.iter().map(|span| span.name.as_str()).collect()
}

/// What an operator tells of a new Registry until it ends, and its log.
fn traced(namespace: &Namespace) -> (Vec<Span>, String) {
    let collector = Collector::open().unwrap();
    let variables =
        [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint.as_str()), ("BERTH_LOG_LEVEL", "debug")];
    namespace.apply_registry("{}").unwrap();
    namespace.wait_for_objects().unwrap();
    let mut operator = start_process_with(namespace, "traced", &variables);
    // The metrics count the work of every controller; this is the last object of a Registry.
    wait::until("a reconciliation of the Registry", PATIENCE, || {
        let writes = operator.gateway.writes();
        ensure!(
            writes.iter().any(|write| write.path.ends_with("/cronjobs/hub-gc")),
            "none yet:\n{}",
            operator.log()
        );
        Ok(())
    })
    .unwrap();
    operator.stop().unwrap();
    (collector.spans(), operator.log())
}

#[test]
fn a_reconciliation_is_a_trace_of_its_steps_and_their_requests() {
    let namespace = Namespace::create("traced").unwrap();
    let (spans, log) = traced(&namespace);
    let roots: Vec<_> = spans.iter().filter(|span| span.parent_span_id.is_empty()).collect();
    assert_eq!(
        names(&roots),
        BTreeSet::from(["reconcile"]),
        "elections and watches are no work of a Registry"
    );
    let root = roots[0];
    assert_eq!(attribute(root, "k8s.namespace.name"), Some(text("traced")));
    assert_eq!(attribute(root, "berth.registry.name"), Some(text("hub")));
    assert_eq!(attribute(root, "berth.result"), Some(text("success")));

    let steps = below(&spans, root);
    // The Registry itself is read before the first step.
    let expected = ["GET registries", "observe", "validate", "issue", "build", "apply", "status"];
    assert!(names(&steps).is_superset(&BTreeSet::from(expected)), "{:?}", names(&steps));
    let step = |name: &str| *steps.iter().find(|step| step.name == name).unwrap();
    let reads = below(&spans, step("observe"));
    assert!(
        names(&reads).is_superset(&BTreeSet::from(["GET secrets", "GET deployments"])),
        "{:?}",
        names(&reads)
    );
    let writes = below(&spans, step("apply"));
    let deployment = writes.iter().find(|span| span.name == "PATCH deployments").unwrap();
    assert_eq!(deployment.kind(), SpanKind::Client);
    assert_eq!(attribute(deployment, "http.response.status_code"), Some(Value::IntValue(200)));
    let path = "/apis/apps/v1/namespaces/traced/deployments/hub";
    assert_eq!(attribute(deployment, "url.path"), Some(text(path)));

    let trace = root.trace_id.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    assert!(log.contains(&format!("trace_id={trace}")), "{log}");
    let stray = spans.iter().find(|span| !roots.iter().any(|root| root.trace_id == span.trace_id));
    assert_eq!(stray, None);
}
