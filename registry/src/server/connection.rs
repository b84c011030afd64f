//! One connection: a TLS handshake if there is a certificate, then HTTP/1.1 or HTTP/2 until its end.

use std::{convert::Infallible, error::Error as StdError, io, pin::pin, sync::Arc, time::Duration};

use hyper::{
    Request, Response, Version,
    body::Incoming,
    header::{CONNECTION, EXPECT, HeaderValue},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::time::timeout;

use super::{
    Arrival, HttpService, Limits, Peer, PeerAddress, Rest, TlsFiles,
    activity::{Activity, ResponseBody},
    drain::Draining,
    files::Files,
    lingering::Lingering,
    listener::{Slot, Stream},
    protocol::Protocols,
    seldom::Seldom,
    stall::{RequestBody, StallGuard},
    tls::{Secured, secure},
    transport::{Transport, Wire},
    unwanted::Unwanted,
    wrong_port::{Mistaken, TLS_HANDSHAKE, tell_to_use_http},
};

type Error = Box<dyn StdError + Send + Sync>;

/// What all connections share.
pub(super) struct Connections<S> {
    tls: Option<Arc<TlsFiles>>,
    protocols: Protocols,
    limits: Limits,
    rest: Rest,
    service: S,
    /// Those who take a plain port for one with TLS.
    mistaken: Mistaken,
}

impl<S> Connections<S> {
    pub(super) fn new(
        tls: Option<Arc<TlsFiles>>,
        protocols: Protocols,
        limits: Limits,
        rest: Rest,
        service: S,
    ) -> Self {
        Self { tls, protocols, limits, rest, service, mistaken: Mistaken::default() }
    }

    /// Serves a connection in a task of its own.
    pub(super) fn start(self: Arc<Self>, stream: Stream, slot: Slot, draining: Draining)
    where
        S: HttpService,
    {
        match stream {
            Stream::Tcp(stream, address) => tokio::spawn(self.run(stream, address, slot, draining)),
            Stream::Unix(stream) => tokio::spawn(self.run(stream, PeerAddress::Unix, slot, draining)),
        };
    }

    async fn run<T>(self: Arc<Self>, stream: T, address: PeerAddress, slot: Slot, draining: Draining)
    where
        T: Transport,
        S: HttpService,
    {
        let guest = self.rest.welcome();
        if let Err(error) = self.serve(stream, address, draining).await {
            tracing::debug!(remote = %address, error = &*error as &dyn StdError, "a connection failed");
        }
        drop((slot, guest));
    }

    async fn serve<T>(&self, stream: T, address: PeerAddress, draining: Draining) -> Result<(), Error>
    where
        T: Transport,
        S: HttpService,
    {
        stream.send_at_once();
        let Some(tls) = &self.tls else {
            return self.serve_plain(stream, address, draining).await;
        };
        match timeout(self.limits.handshake, secure(stream, tls.current())).await?? {
            Secured::Tls { stream, http2 } => {
                let peer = Peer { address, tls: true };
                self.speak(self.protocols.of_tls(http2), Wire::of_bytes(stream), peer, draining).await
            }
            Secured::Over => Ok(()),
        }
    }

    async fn serve_plain<T>(
        &self,
        mut stream: T,
        address: PeerAddress,
        mut draining: Draining,
    ) -> Result<(), Error>
    where
        T: Transport,
        S: HttpService,
    {
        let first = tokio::select! {
            first = timeout(self.limits.idle, stream.first_byte()) => first??,
            () = draining.begun() => None,
        };
        match first {
            None => Ok(()),
            Some(TLS_HANDSHAKE) => {
                self.mistaken.report(address);
                Ok(timeout(self.limits.handshake, tell_to_use_http(&mut stream)).await??)
            }
            Some(_) => {
                let peer = Peer { address, tls: false };
                self.speak(self.protocols.of_plain(), stream.into_wire(), peer, draining).await
            }
        }
    }

    /// Speaks HTTP until the client or this server has had enough.
    async fn speak(
        &self,
        protocol: &auto::Builder<TokioExecutor>,
        Wire { stream, activity, files }: Wire,
        peer: Peer,
        mut draining: Draining,
    ) -> Result<(), Error>
    where
        S: HttpService,
    {
        // Boxed, it lies in memory that another answer has just left. Else hyper would keep room for it with each connection, which is
        // memory that was last looked at when this client last asked for something.
        let service = service_fn(|request| {
            Box::pin(answer(&self.service, request, peer, self.limits, files.as_ref(), &activity))
        });
        let stream = Lingering::new(StallGuard::new(stream, self.limits.stall), Arc::clone(&activity));
        let mut connection = pin!(protocol.serve_connection(TokioIo::new(stream), service));
        let mut ending = false;
        loop {
            let enough = pin!(had_enough(&mut draining, &activity, self.limits.idle, ending));
            tokio::select! {
                biased;
                result = connection.as_mut() => return result,
                enough = Seldom::new(enough) => enough?,
            }
            ending = true;
            connection.as_mut().graceful_shutdown();
        }
    }
}

/// Returns when a connection is to end: because the server does, or because the client has nothing to ask for. A client that does
/// not react although it `is_ending` is an error.
async fn had_enough(
    draining: &mut Draining,
    activity: &Activity,
    step: Duration,
    is_ending: bool,
) -> io::Result<()> {
    tokio::select! {
        () = draining.begun(), if !is_ending => Ok(()),
        () = activity.idle(step) => {
            let told = "the client does not react";
            if is_ending { Err(io::Error::new(io::ErrorKind::TimedOut, told)) } else { Ok(()) }
        }
    }
}

/// Begins to answer a request. The service gets it before anything is waited for: once an answer is ready, the next head can be read
/// into the buffer of this one.
fn answer<S: HttpService>(
    service: &S,
    request: Request<Incoming>,
    peer: Peer,
    limits: Limits,
    files: Option<&Files>,
    activity: &Arc<Activity>,
) -> impl Future<Output = Result<Response<ResponseBody<S::Body>>, Infallible>> + Send + use<S> {
    let work = activity.begin();
    let is_http1 = request.version() < Version::HTTP_2;
    let unwanted = Unwanted::of(request.body());
    // Reading would give permission to a client that waits for it; and a stream of HTTP/2 ends by itself.
    let may_read_on = is_http1 && !request.headers().contains_key(EXPECT);
    let request = request.map(|body| RequestBody::new(body, limits.stall, unwanted.clone()));
    // The answers of HTTP/2 share a connection, and would take one another's pieces.
    let files = files.filter(|_| is_http1);
    let answered = service.answer(request, Arrival { peer, files });
    let files = files.cloned().unwrap_or_default();
    async move {
        let mut response = answered.await;
        if may_read_on {
            unwanted.read_within(limits.unwanted).await;
        }
        if !unwanted.is_nothing() {
            work.activity().leave_unread();
            if is_http1 {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
        }
        Ok(response.map(|body| ResponseBody::new(body, files, work)))
    }
}
