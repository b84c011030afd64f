//! Traces: what a collector gets from the program.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
    thread,
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest, common::v1::any_value::Value, trace::v1::Span,
};
use prost::Message;

/// Takes one batch of spans as `http/protobuf`.
fn collect(listener: &TcpListener) -> (String, ExportTraceServiceRequest) {
    let (stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).unwrap(), 0, "{head}");
    }
    let length =
        head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap()];
    reader.read_exact(&mut body).unwrap();
    reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    (head, ExportTraceServiceRequest::decode(body.as_slice()).unwrap())
}

fn attribute(span: &Span, name: &str) -> Option<Value> {
    span.attributes.iter().find(|attribute| attribute.key == name)?.value.clone()?.value
}

#[test]
fn a_request_is_a_span_that_continues_the_trace_of_its_client() {
    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", collector.local_addr().unwrap());
    let mut server = Command::new(env!("CARGO_BIN_EXE_registry"))
        .args(["serve", "--addr", "127.0.0.1:0"])
        .env_clear()
        .env("REGISTRY_STORAGE", "inmemory")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        .env("OTEL_SERVICE_NAME", "hub")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(server.stderr.take().unwrap()).lines();
    let announced = log.next().unwrap().unwrap();
    let address = announced.split_once("listening on ").unwrap().1.split(' ').next().unwrap().to_owned();
    let collected = thread::spawn(move || collect(&collector));

    let request = "GET /v2/app/tags/list HTTP/1.1\r\nHost: hub.example.com\r\nConnection: close\r\n\
        traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n";
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    let line = log.next().unwrap().unwrap();
    assert!(line.contains("trace_id=0af7651916cd43dd8448eb211c80319c"), "{line}");

    Command::new("kill").arg(server.id().to_string()).status().unwrap();
    assert!(server.wait().unwrap().success());
    let (head, batch) = collected.join().unwrap();
    assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
    let resource = batch.resource_spans[0].resource.clone().unwrap();
    let name = resource.attributes.iter().find(|attribute| attribute.key == "service.name").unwrap();
    assert_eq!(name.value.clone().unwrap().value, Some(Value::StringValue("hub".to_owned())));
    let span = &batch.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!(span.name, "GET /v2/{name}/tags/list");
    assert_eq!(span.trace_id[..4], [0x0a, 0xf7, 0x65, 0x19]);
    assert_eq!(span.parent_span_id[..4], [0xb7, 0xad, 0x6b, 0x71]);
    assert_eq!(attribute(span, "http.response.status_code"), Some(Value::IntValue(404)));
    assert_eq!(attribute(span, "url.path"), Some(Value::StringValue("/v2/app/tags/list".to_owned())));
}
