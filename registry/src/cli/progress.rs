//! One line that tells how far a command is, on a terminal only.

use std::{
    io::{self, IsTerminal, Write},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use berth_registry::archive::Progress;

/// How often the line changes at most: more would only slow down the terminal.
const INTERVAL: Duration = Duration::from_millis(100);

/// The last line of the terminal.
#[derive(Debug)]
pub(super) struct ProgressLine {
    is_terminal: bool,
    shown: Option<Instant>,
}

impl ProgressLine {
    /// A line on standard error, which shows nothing unless that is a terminal.
    pub(super) fn new() -> Self {
        Self { is_terminal: io::stderr().is_terminal(), shown: None }
    }

    /// Shows `text` in place of what stands there, unless that has hardly been seen yet.
    pub(super) fn show(&mut self, text: impl FnOnce() -> String) {
        if self.is_terminal && self.shown.is_none_or(|shown| shown.elapsed() >= INTERVAL) {
            self.shown = Some(Instant::now());
            // Whoever closes the terminal does not want to see it.
            let _ = write!(io::stderr(), "\r\x1b[K{}", text());
        }
    }

    /// Makes room for another line.
    pub(super) fn clear(&mut self) {
        if self.shown.take().is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

/// Progress that tells how many bytes have passed, as `text` writes it.
pub(super) fn of_bytes(text: impl Fn(u64) -> String + Send + Sync + 'static) -> Progress {
    let state = Mutex::new((ProgressLine::new(), 0));
    Progress::new(move |bytes| {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let (line, passed) = &mut *state;
        *passed += bytes;
        line.show(|| text(*passed));
    })
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.clear();
    }
}
