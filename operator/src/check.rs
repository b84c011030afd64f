//! `--check`: asks an operator that runs elsewhere whether it is ready. The image has no shell and no other client.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Succeeds when the operator whose health address is `address`, as `HOST:PORT`, is ready.
pub async fn check(address: &str) -> io::Result<()> {
    let answer = timeout(PATIENCE, ask(address)).await.map_err(|_| io::ErrorKind::TimedOut)??;
    let status = answer.split(' ').nth(1);
    if status == Some("200") {
        return Ok(());
    }
    let said = answer.rsplit("\r\n").next().unwrap_or_default().trim();
    Err(io::Error::other(format!("it answers: {said}")))
}

async fn ask(address: &str) -> io::Result<String> {
    let mut connection = TcpStream::connect(address).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{health, metrics::Metrics};

    #[tokio::test]
    async fn an_operator_is_good_when_it_is_ready() {
        let listener = health::listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let readiness = health::Readiness::default();
        let unread = readiness.expect();
        let served = tokio::spawn(health::serve(listener, readiness, Arc::new(Metrics::default())));
        let refused = check(&address).await.unwrap_err();
        assert!(refused.to_string().contains("not been read yet"), "{refused}");
        unread.done();
        check(&address).await.unwrap();
        served.abort();
    }
}
