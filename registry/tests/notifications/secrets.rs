//! What the log must not tell.

use std::{
    io,
    sync::{Arc, Mutex},
};

use tracing::Level;

use super::{
    fixture::{endpoint, push, start, store},
    receiver::Receiver,
};

/// A log that can be read.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[tokio::test]
async fn credentials_are_sent_and_never_logged() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(Level::TRACE).with_writer(move || writer.clone()).finish();
    let _logging = tracing::subscriber::set_default(subscriber);

    let receiver = Receiver::answering(&[500, 401]).await;
    let address = receiver.url().replace("http://", "http://alice:correct%20horse@");
    let mut by_header = endpoint("header", &receiver.url());
    by_header.headers = vec![("authorization".parse().unwrap(), "Bearer battery-staple".parse().unwrap())];
    let notifications = start(&store(), &[endpoint("url", &address), by_header]);
    push(&notifications, "app").await;
    receiver.accepted(2).await;

    let sent = receiver.requests();
    let sent = |value: &str| sent.iter().any(|request| request.headers["authorization"] == value);
    assert!(sent("Basic YWxpY2U6Y29ycmVjdCBob3JzZQ==") && sent("Bearer battery-staple"));
    assert!(
        receiver.requests().iter().all(|request| !request.headers["host"].to_str().unwrap().contains('@'))
    );
    let shown = format!("{} {notifications:?}", log.text());
    assert!(shown.contains("does not take notifications"), "{shown}");
    for secret in ["horse", "battery", "YWxp", "alice"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}
