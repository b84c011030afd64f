//! Many connections on one thread, each of which begins its next operation when the last one is over.

use super::connection::Connection;
use super::histogram::Histogram;
use super::request::Operation;
use super::stream::Trust;
use anyhow::{Result, ensure};
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// How much of a body is read at once.
const READ: usize = 1 << 20;

/// How long the servers may be silent.
const PATIENCE: Duration = Duration::from_mins(1);

/// Connections that go through the same operations together: whoever is free takes the next one.
#[derive(Debug)]
pub(super) struct Clients<'a> {
    operations: &'a [Operation],
    connections: Vec<Connection>,
    events: OwnedFd,
    scratch: Vec<u8>,
    next: usize,
}

/// What was done in a time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    pub(crate) operations: u64,
    pub(crate) bytes: u64,
    pub(crate) time: Duration,
    pub(crate) latencies: Histogram,
}

impl Tally {
    /// Adds what others have done in the same time.
    pub(super) fn add(&mut self, other: &Self) {
        self.operations += other.operations;
        self.bytes += other.bytes;
        self.time = self.time.max(other.time);
        self.latencies.merge(&other.latencies);
    }

    fn is_empty(&self) -> bool {
        self.operations == 0 && self.bytes == 0
    }
}

impl<'a> Clients<'a> {
    /// Opens the connections, and sends the first request on each.
    pub(super) fn open(
        port: u16,
        trust: Option<&Trust>,
        count: usize,
        operations: &'a [Operation],
    ) -> Result<Self> {
        ensure!(
            operations.iter().all(|operation| !operation.is_empty()) && !operations.is_empty(),
            "nothing to do"
        );
        permit_many_connections()?;
        let events = epoll::create(CreateFlags::CLOEXEC)?;
        let connections = (0..count).map(|_| Connection::open(port, trust)).collect::<Result<Vec<_>>>()?;
        for (number, connection) in connections.iter().enumerate() {
            let data = EventData::new_u64(number as u64);
            epoll::add(&events, connection.stream.socket(), data, EventFlags::IN)?;
        }
        let mut clients = Self { operations, connections, events, scratch: vec![0; READ], next: 0 };
        for number in 0..count {
            clients.begin(number)?;
        }
        Ok(clients)
    }

    /// Goes on for so long, until something has come and so many operations are over. What has begun then stays on its way, so
    /// that another time may follow.
    pub(super) fn run(&mut self, time: Duration, least: u64) -> Result<Tally> {
        let (mut tally, start) = (Tally::default(), Instant::now());
        let mut ready: Vec<Event> = Vec::with_capacity(self.connections.len());
        let mut heard = start;
        while start.elapsed() < time || tally.operations < least || tally.is_empty() {
            ready.clear();
            let timeout = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
            epoll::wait(&self.events, spare_capacity(&mut ready), Some(&timeout))?;
            for event in &ready {
                let data = event.data;
                self.advance(usize::try_from(data.u64())?, &mut tally)?;
            }
            if ready.is_empty() {
                ensure!(heard.elapsed() < PATIENCE, "the server has not answered for {PATIENCE:?}");
            } else {
                heard = Instant::now();
            }
        }
        tally.time = start.elapsed();
        Ok(tally)
    }

    fn advance(&mut self, number: usize, tally: &mut Tally) -> Result<()> {
        self.connections[number].stream.fill()?;
        loop {
            let connection = &mut self.connections[number];
            let operation = &self.operations[connection.operation];
            let read = connection.read(&operation[connection.step], &mut self.scratch)?;
            let Some(progress) = read else { return Ok(()) };
            tally.bytes += progress.bytes;
            let may_hold_more = connection.stream.may_hold_more();
            if progress.is_over {
                self.go_on(number, tally)?;
            }
            if !may_hold_more {
                return Ok(());
            }
        }
    }

    fn go_on(&mut self, number: usize, tally: &mut Tally) -> Result<()> {
        let connection = &mut self.connections[number];
        let operation = &self.operations[connection.operation];
        connection.step += 1;
        if let Some(request) = operation.get(connection.step) {
            return connection.send(request);
        }
        tally.operations += 1;
        tally.latencies.add(connection.started.elapsed());
        self.begin(number)
    }

    fn begin(&mut self, number: usize) -> Result<()> {
        let connection = &mut self.connections[number];
        connection.operation = self.next;
        self.next = (self.next + 1) % self.operations.len();
        (connection.step, connection.started) = (0, Instant::now());
        connection.send(&self.operations[connection.operation][0])
    }
}

/// Lets this process have as many descriptors as the system permits: shells often give it no more than a thousand.
fn permit_many_connections() -> Result<()> {
    let most = getrlimit(Resource::Nofile).maximum;
    Ok(setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most })?)
}
