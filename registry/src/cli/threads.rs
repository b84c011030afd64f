//! The threads that a command runs on.

use anyhow::Context as _;
use tokio::runtime::{Builder, Runtime};

use super::heap;

/// Of how many sockets a thread hears at once when it has nothing else to do. Each wakes a task, and the queue of a thread holds 256 of
/// them. By default it hears of 1024: the tasks that find no room go to a queue that is looked into now and then, and wait there while
/// other clients are answered again and again. With thousands of busy connections, one answer in a hundred came five times later than most.
const EVENTS: usize = 128;

/// The same while tasks are waiting, of which a thread runs 61 before it asks again (`event_interval`). Fewer come than go, so that the
/// queue empties; the kernel keeps the other sockets in the order in which they became ready.
const EVENTS_WHEN_BUSY: usize = 32;

/// Starts them.
pub(super) fn runtime() -> anyhow::Result<Runtime> {
    heap::give_back_large();
    builder().build().context("cannot start threads")
}

fn builder() -> Builder {
    let mut builder = Builder::new_multi_thread();
    builder.enable_all().max_io_events_per_tick(EVENTS).max_io_events_per_busy_tick(EVENTS_WHEN_BUSY);
    builder
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use tokio::{net::UdpSocket, sync::Barrier, task::JoinSet};

    use super::*;

    /// More than the queue of a thread holds.
    const SOCKETS: usize = 400;

    /// How many turns each of them gets when all get the same.
    const TURNS: usize = 100;

    /// Sends something to itself and waits for it, until so many turns were taken by all of them together. Tells how many were its own.
    async fn take_turns(taken: Arc<AtomicUsize>, start: Arc<Barrier>) -> io::Result<usize> {
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        socket.connect(socket.local_addr()?).await?;
        start.wait().await;
        let mut own = 0;
        while taken.fetch_add(1, Ordering::Relaxed) < SOCKETS * TURNS {
            socket.send(&[0]).await?;
            socket.recv(&mut [0]).await?;
            // Only a socket that is known to be empty is waited for.
            assert_eq!(socket.try_recv(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
            own += 1;
        }
        Ok(own)
    }

    #[test]
    fn sockets_that_are_all_busy_get_their_turns_alike() {
        // What one thread does depends on nothing else that this machine does.
        let runtime = builder().worker_threads(1).build().unwrap();
        let turns = runtime.block_on(async {
            let (taken, start) = (Arc::default(), Arc::new(Barrier::new(SOCKETS)));
            let all: JoinSet<_> =
                (0..SOCKETS).map(|_| take_turns(Arc::clone(&taken), Arc::clone(&start))).collect();
            all.join_all().await
        });
        let turns: Vec<usize> = turns.into_iter().map(Result::unwrap).collect();
        let (fewest, most) = (turns.iter().min().unwrap(), turns.iter().max().unwrap());
        assert!(fewest * 2 > *most, "{fewest} to {most} turns");
    }
}
