//! A proxy before an S3 server, with which requests go wrong in the ways in which they do in the world.
//!
//! Requests and answers pass unchanged, the `Host` header as well: the signature of a request covers it.

mod exchange;
mod fault;
mod message;
mod plan;

use crate::cluster::wait;
use anyhow::Result;
use rustix::net::sockopt::set_socket_linger;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use exchange::Exchanges;
use plan::Plan;

pub use fault::Fault;

/// A proxy on a port of the loopback device. It ends when it is dropped.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// What the threads of all connections share.
#[derive(Debug)]
struct Shared {
    /// The real server, as host and port.
    server: String,
    plan: Plan,
    is_away: Mutex<bool>,
    is_back: Condvar,
    is_over: AtomicBool,
}

impl FaultProxy {
    /// Begins to pass requests on to `server`, a host with a port. The seed decides which of them go wrong, and how.
    pub fn start(server: &str, seed: u64) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            server: server.to_owned(),
            plan: Plan::new(seed),
            is_away: Mutex::new(false),
            is_back: Condvar::new(),
            is_over: AtomicBool::new(false),
        });
        thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.serve(address, listener)
        });
        Ok(Self { address, shared })
    }

    /// The URL that takes the place of the server's.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets so many of a thousand requests go wrong from now on.
    pub fn set_rate(&self, per_thousand: u32) {
        self.shared.plan.set_rate(per_thousand);
    }

    /// Lets requests go wrong in this way alone; without a fault, in all ways again.
    pub fn set_only(&self, fault: Option<Fault>) {
        self.shared.plan.set_only(fault);
    }

    /// Lets the next request whose first line fits go wrong in this way.
    pub fn fail_next(&self, fault: Fault, fits: fn(&str) -> bool) {
        self.shared.plan.fail_next(fault, fits);
    }

    /// Lets no request go wrong any more that was to be the next.
    pub fn forget_next(&self) {
        self.shared.plan.forget_next();
    }

    /// Refuses connections from now on, and cuts those that are there.
    pub fn leave(&self) {
        *self.shared.away() = true;
        self.wake();
    }

    /// Takes connections again.
    pub fn come_back(&self) {
        *self.shared.away() = false;
        self.shared.is_back.notify_all();
    }

    /// How many requests went wrong in which way.
    pub fn faults(&self) -> BTreeMap<Fault, u64> {
        self.shared.plan.faults()
    }

    /// How many requests there were.
    pub fn requests(&self) -> u64 {
        self.shared.plan.requests()
    }

    /// Lets whoever waits for the next connection look at what has changed.
    fn wake(&self) {
        // Nobody listens who would have to be woken.
        let _refused = TcpStream::connect(self.address);
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        self.come_back();
        self.wake();
    }
}

impl Shared {
    fn away(&self) -> MutexGuard<'_, bool> {
        self.is_away.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes connections until it is over. While it is away there is no listener, so that they are refused.
    fn serve(self: Arc<Self>, address: SocketAddr, mut listener: TcpListener) {
        while !self.is_over.load(Ordering::Relaxed) {
            let Ok((client, _)) = listener.accept() else { continue };
            if *self.away() {
                drop((listener, client));
                let _back = self.is_back.wait_while(self.away(), |is_away| *is_away);
                let bound = wait::until("the port of the proxy", Duration::from_secs(30), || {
                    Ok(TcpListener::bind(address)?)
                });
                let Ok(again) = bound else { return };
                listener = again;
                continue;
            }
            let shared = Arc::clone(&self);
            thread::spawn(move || {
                // A connection that ends in an error is what this is for.
                let _ended = Exchanges::new(client, &shared).and_then(Exchanges::run);
            });
        }
    }
}

/// Ends a connection so that the other side sees a failure, and not an end.
fn reset(connection: &TcpStream) {
    // A connection that has ended by itself needs no reset.
    let _set = set_socket_linger(connection, Some(Duration::ZERO));
}
